import TallystickCore
import TallystickSQLite

/// A candidate of a conflict with its content.
public struct ConflictCandidate: Sendable, Equatable {
    /// 1 is the event as appended.
    public var candidate: Int64
    public var origin: String
    /// Canonical form.
    public var content: [UInt8]
}

extension EventStore {
    /// The candidates of a conflict over an event's content, in order of arrival; empty when there is no such
    /// conflict.
    public func candidates(of conflictID: Int64) async throws(StoreError) -> [ConflictCandidate] {
        let (path, options) = (path, options)
        return try await Self.attempt("read the conflict", path) {
            try await runOnThread {
                let connection = try StoreFile.openForReading(path, options)
                let copies = try CopyRows(in: connection)
                let reader = try EventRowReader(in: connection)
                let position = try connection.prepare(
                    "SELECT position FROM conflicts WHERE conflict_id = ?1"
                )
                try position.bind(conflictID, at: 1)
                let event = try position.optionalInt64() ?? 0
                return try ConflictRows(in: connection).candidates(of: conflictID).map {
                    candidate in
                    var content: [UInt8] = []
                    if let copyID = candidate.copyID {
                        content = try copies.content(of: copyID) ?? []
                    } else {
                        _ = try reader.withRow(at: event) { row in try reader.readContent(row) }
                        content = reader.content
                    }
                    return ConflictCandidate(
                        candidate: candidate.candidate,
                        origin: candidate.origin,
                        content: content
                    )
                }
            }
        }
    }
}
