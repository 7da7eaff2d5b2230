import TallystickCore
import TallystickSQLite

/// A candidate of a conflict with its content.
public struct ConflictCandidate: Sendable, Equatable {
    /// 1 is the event as appended.
    public var candidate: Int64
    /// The origin that delivered this content first.
    public var origin: String
    /// Canonical form.
    public var content: [UInt8]
}

extension EventStore {
    /// The candidates of a conflict over an event's content, in order of arrival; empty when there is no such
    /// conflict.
    ///
    /// A conflict may have as many candidates as the store has copies: read them in pages where that may be.
    ///
    /// - parameters:
    ///   - conflictID: the conflict.
    ///   - candidate: the number of the candidate after which the page begins.
    ///   - limit: how many candidates there are at most.
    /// - throws: `StoreError` with `integrity` where a content differs from its proof.
    public func candidates(
        of conflictID: Int64,
        after candidate: Int64 = 0,
        limit: Int = .max
    ) async throws(StoreError) -> [ConflictCandidate] {
        return try await reading("read the conflict") { connection in
            let reader = try CandidateReader(in: connection)
            guard limit > 0, let conflict = try reader.conflict(conflictID),
                conflict.position != nil
            else { return [] }
            var found: [ConflictCandidate] = []
            try reader.forEachCandidate(of: conflict, after: candidate) { candidate, content in
                found.append(
                    ConflictCandidate(
                        candidate: candidate.candidate,
                        origin: candidate.origin,
                        content: content
                    )
                )
                return found.count < limit
            }
            return found
        }
    }
}
