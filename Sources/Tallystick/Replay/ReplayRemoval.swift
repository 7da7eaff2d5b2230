import Glibc
import TallystickSQLite

/// Removes a replay: its tables, checkpoint, parked events, and what the store says of it.
struct ReplayRemoval {
    let path: String
    let options: StoreOptions

    /// Removes it from the projection's own file first: a removal that is killed in between can be repeated.
    ///
    /// - throws: `StoreError` with `notFound`.
    func remove(_ name: String) throws {
        let store = try StoreFile.openForWriting(path, options)
        let status = ReplayStatusRows(in: store)
        guard let known = try status.target(of: name) else {
            throw StoreError(
                .notFound,
                during: "drop the replay",
                on: "replay '\(name)'",
                "there is no such replay",
                hint: "See 'tally replay list'"
            )
        }
        if let other = known.path, access(other, F_OK) == 0 {
            let file = try ProjectionTarget.open(other, beside: path, options)
            let storeID = try StoreIdentity.read(from: store).storeID
            try file.write {
                // A path that was written into the store by somebody else names no tables of ours.
                guard try CheckpointRows(in: file).read(name)?.storeID == storeID else { return }
                try removeProjection(name, in: file)
            }
        }
        ScratchFile.removeAbandoned(for: known.path ?? path, projection: name)
        try store.write {
            if known.target == ReplayDestination.store.columns.target {
                try removeProjection(name, in: store)
                try ReplayRows(in: store).forget(objectsOf: name)
            } else {
                try CheckpointRows(in: store).remove(name)
            }
            try status.forget(name)
            try BreakerRows(in: store).remove(.replay, name)
        }
    }

    private func removeProjection(_ name: String, in connection: Connection) throws {
        let rows = ReplayRows(in: connection)
        try rows.drop(objectsOf: name)
        try rows.removeParked(name)
        try CheckpointRows(in: connection).remove(name)
    }
}
