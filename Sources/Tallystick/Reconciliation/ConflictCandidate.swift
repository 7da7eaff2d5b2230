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
                try connection.execute("BEGIN")
                let reader = try CandidateReader(in: connection)
                guard let set = try reader.read(conflictID), set.conflict.position != nil else {
                    return []
                }
                return try set.candidates.map { candidate in
                    ConflictCandidate(
                        candidate: candidate.candidate,
                        origin: candidate.origin,
                        content: try reader.content(of: candidate, in: set.conflict)
                    )
                }
            }
        }
    }
}
