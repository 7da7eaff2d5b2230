import TallystickCore
import TallystickSQLite

extension EventStore {
    /// What a replay has set aside, by position, from the file that holds its projection.
    ///
    /// - throws: `StoreError`: `notFound` when the store knows no replay of that name, or its file is gone.
    public func parkedEvents(of replay: String) async throws(StoreError) -> [ParkedEvent] {
        let options = options
        return try await reading("list parked events") {
            try ParkedEvents(store: $0, options: options).all(of: replay)
        }
    }
}

private struct ParkedEvents {
    let store: Connection
    let options: StoreOptions

    func all(of replay: String) throws -> [ParkedEvent] {
        guard let known = try ReplayStatusRows(in: store).target(of: replay) else {
            throw StoreError(
                .notFound,
                during: "list parked events",
                on: "replay '\(replay)'",
                "there is no such replay",
                hint: "See 'tally replay list'"
            )
        }
        let file = try known.path.map { try ProjectionTarget.openForReading($0, options) } ?? store
        let reader = try EventRowReader(in: store)
        return try ReplayRows(in: file).parkedDetails(replay).compactMap { parked in
            try reader.withRow(at: parked.position.rawValue) { row in
                let names = try reader.names(row)
                var parked = parked
                parked.stream = names.stream
                parked.source = names.source
                parked.type = names.type
                parked.id = row.text(at: EventColumn.id)
                return parked
            }
        }
    }
}
