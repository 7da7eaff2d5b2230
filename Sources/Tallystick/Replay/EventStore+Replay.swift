import TallystickCore
import TallystickSQLite

extension EventStore {
    /// Replays events into a SQL projection, from where the last run stopped up to the head.
    ///
    /// Every event is verified against its checksum and the Merkle tree before it is applied. The checkpoint
    /// is stored in the same transaction and file as the projection's own writes, so that a run can be
    /// killed at any moment and resumed. A cancelled task finishes its transaction and returns `paused`.
    ///
    /// - parameter definition: the bytes of a projection file.
    /// - throws: `StoreError`: `projectionInvalid`, `projectionChanged`, `historyDiffers`, `integrity`, `busy`.
    public func replay(
        projection definition: [UInt8],
        options: ReplayOptions = ReplayOptions()
    ) async throws(StoreError) -> ReplayOutcome {
        let file: ProjectionFile
        do throws(ProjectionFileError) {
            file = try ProjectionFile(definition)
        } catch {
            throw StoreError(
                .projectionInvalid,
                during: "read the projection",
                on: "line \(error.line)",
                error.message
            )
        }
        let (path, storeID, storeOptions, held) = (
            path, storeID, self.options, settings.configuration.heldCategories
        )
        let owner = owner
        let stop = StopFlag()
        return try await Self.attempt("replay", path) {
            try await withTaskCancellationHandler {
                try await runOnThread {
                    let engine = try ReplayEngine(
                        path,
                        storeID: storeID,
                        storeOptions,
                        file,
                        options,
                        heldCategories: held,
                        stop: stop,
                        auditSkip: { position, reason in
                            try Self.waitFor {
                                try await owner.auditSkip(
                                    of: file.name,
                                    position: position,
                                    reason: reason,
                                    actor: options.actor
                                )
                            }
                        }
                    )
                    return try engine.run()
                }
            } onCancel: {
                stop.set()
            }
        }
    }

    /// Applies parked events again, in order; those that still fail stay parked with the rest of their stream.
    ///
    /// - returns: how many events were applied, and how many stay parked.
    public func retryParked(
        projection definition: [UInt8],
        options: ReplayOptions = ReplayOptions()
    ) async throws(StoreError) -> (applied: Int, parked: Int) {
        let file: ProjectionFile
        do throws(ProjectionFileError) {
            file = try ProjectionFile(definition)
        } catch {
            throw StoreError(
                .projectionInvalid,
                during: "read the projection",
                on: "line \(error.line)",
                error.message
            )
        }
        let (path, storeID, storeOptions) = (path, storeID, self.options)
        return try await Self.attempt("retry parked events", path) {
            try await runOnThread {
                let engine = try ReplayEngine(
                    path,
                    storeID: storeID,
                    storeOptions,
                    file,
                    options,
                    heldCategories: [],
                    stop: StopFlag(),
                    auditSkip: { _, _ in }
                )
                return try engine.retryParked()
            }
        }
    }

    /// Removes a replay: its tables, checkpoint and parked events.
    public func dropReplay(_ name: String) async throws(StoreError) {
        let (path, storeOptions) = (path, self.options)
        try await Self.attempt("drop the replay", path) {
            try await runOnThread {
                let connection = try StoreFile.openForWriting(path, storeOptions)
                let rows = ReplayRows(in: connection)
                try connection.execute("BEGIN IMMEDIATE")
                let known = try connection.prepare(
                    "SELECT target, target_path FROM replays WHERE replay = ?1"
                )
                try known.bindText(name, at: 1)
                guard let target = try known.first({ ($0.text(at: 0), $0.textIfPresent(at: 1)) })
                else {
                    try connection.execute("ROLLBACK")
                    throw StoreError(
                        .notFound,
                        during: "drop the replay",
                        on: "replay '\(name)'",
                        "there is no such replay",
                        hint: "See 'tally replay list'"
                    )
                }
                if target.0 == "store" { try rows.drop(objectsOf: name) }
                try rows.forget(objectsOf: name)
                try CheckpointRows(in: connection).remove(name)
                try rows.removeParked(name)
                try rows.forget(name)
                try connection.execute("COMMIT")
                guard let other = target.1 else { return }
                let file = try ProjectionTarget.open(other, storeOptions)
                let fileRows = ReplayRows(in: file)
                try file.execute("BEGIN IMMEDIATE")
                try fileRows.drop(objectsOf: name)
                try CheckpointRows(in: file).remove(name)
                try fileRows.removeParked(name)
                try file.execute("COMMIT")
            }
        }
    }

    /// Waits, on a thread that may block, for work of an actor.
    private static func waitFor(_ body: @escaping @Sendable () async throws -> Void) throws {
        let answers = BlockingQueue<Result<Void, any Error>>()
        Task {
            do {
                try await body()
                answers.put(.success(()))
            } catch {
                answers.put(.failure(error))
            }
        }
        try answers.next()?.get()
    }
}
