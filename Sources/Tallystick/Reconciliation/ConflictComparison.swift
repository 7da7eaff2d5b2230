package import TallystickCore
import TallystickSQLite

/// What a conflict is between, side by side.
package struct ConflictComparison: Sendable, Equatable {
    /// How many candidates are compared, unless a caller asks for more or less.
    package static let standardLimit = ConflictLimits.comparedCandidates

    /// One content among those that are compared.
    package struct Column: Sendable, Equatable {
        /// A candidate's number and origin; `missing` and the origin that lacks the event; `position` and an event's
        /// place.
        package var title: String
        /// Canonical form; nil where nothing was delivered.
        package var content: [UInt8]?
    }

    /// What kind of conflict it is.
    package var kind: ConflictKind
    /// How many candidates the conflict has, whether they are compared here or not.
    package var candidates: Int
    /// Empty for a conflict that is over no content, such as `origin_silent` and `sequence_gap`.
    package var columns: [Column] = []
    /// The candidate after which the next page goes on; nil where none is left.
    package var next: Int64?
}

extension EventStore {
    /// What a conflict is between; nil where there is no such conflict.
    ///
    /// For `missing_at_origin` the origin that lacks the event has a column without content; for `sequence_collision`
    /// the two events as appended are compared.
    ///
    /// A conflict may have as many candidates as the store has copies. They are compared in pages, each with the
    /// event as appended first: of `limit` candidates at most, and less where their contents are larger than 64 MiB
    /// together.
    ///
    /// - parameters:
    ///   - conflictID: the conflict.
    ///   - candidate: the number of the candidate after which the page begins: ``ConflictComparison/next`` of the
    ///     page before.
    ///   - limit: how many candidates are compared, besides the event as appended where the page does not begin with
    ///     it.
    /// - throws: `StoreError` with `integrity` where a content differs from its proof.
    package func comparison(
        of conflictID: Int64,
        after candidate: Int64 = 0,
        limit: Int = ConflictComparison.standardLimit
    ) async throws(StoreError) -> ConflictComparison? {
        let options = options
        return try await reading("read the conflict") { connection in
            let reader = try CandidateReader(in: connection)
            guard let conflict = try reader.conflict(conflictID) else { return nil }
            var comparison = ConflictComparison(
                kind: conflict.kind,
                candidates: Int(try reader.conflicts.countCandidates(of: conflictID))
            )
            try comparison.addPage(of: conflict, reader, after: candidate, limit)
            switch conflict.kind {
            case .missingAtOrigin:
                let title = "missing \(conflict.origin ?? "")"
                comparison.columns.append(.init(title: title, content: nil))
            case .sequenceCollision:
                let source = try EventSource(connection, options.checksummer)
                source.beginTransaction()
                comparison.columns = try Self.colliding(conflict, source)
            default: break
            }
            return comparison
        }
    }

    /// Holds the candidates of a conflict against their proofs, one after the other.
    ///
    /// - returns: how many there are; nil where there is no such conflict.
    /// - throws: `StoreError` with `integrity` where a content differs from its proof.
    package func checkCandidates(of conflictID: Int64) async throws(StoreError) -> Int? {
        return try await reading("read the conflict") { (connection: Connection) -> Int? in
            let reader = try CandidateReader(in: connection)
            guard let conflict = try reader.conflict(conflictID) else { return nil }
            var count = 0
            try reader.forEachCandidate(of: conflict) { _, _ in
                count += 1
                return true
            }
            return count
        }
    }

    private static func colliding(
        _ conflict: ConflictRecord,
        _ source: EventSource
    ) throws -> [ConflictComparison.Column] {
        let other = conflict.detail.flatMap {
            AuditDetail.members(of: $0)?.number("other_position")
        }
        return try [other, conflict.position].compactMap { $0 }.map { position in
            var content: [UInt8]?
            try source.withEvent(at: position, watermark: nil) {
                content = try $0?.appendedContent()
            }
            return .init(title: "position \(position)", content: content)
        }
    }
}

extension ConflictComparison {
    /// Adds the candidates of a page, and says where the next one begins.
    fileprivate mutating func addPage(
        of conflict: ConflictRecord,
        _ reader: CandidateReader,
        after last: Int64,
        _ limit: Int
    ) throws {
        var bytes = 0
        var reached = last
        func column(_ candidate: StoredCandidate, _ content: [UInt8]) -> Column {
            bytes += content.count
            return Column(title: "\(candidate.candidate) \(candidate.origin)", content: content)
        }
        if last > 0 {
            for first in try reader.conflicts.candidates(of: conflict.conflictID, limit: 1) {
                columns.append(column(first, try reader.content(of: first, in: conflict)))
            }
        }
        let before = columns.count
        try reader.forEachCandidate(of: conflict, after: last) { candidate, content in
            let isFull =
                columns.count - before >= max(1, limit)
                || columns.count > 1 && bytes + content.count > ConflictLimits.comparedBytes
            if isFull {
                next = reached
                return false
            }
            columns.append(column(candidate, content))
            reached = candidate.candidate
            return true
        }
    }
}
