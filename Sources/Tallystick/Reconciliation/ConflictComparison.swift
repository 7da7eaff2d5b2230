public import TallystickCore
import TallystickSQLite

/// What a conflict is between, side by side.
public struct ConflictComparison: Sendable, Equatable {
    public struct Column: Sendable, Equatable {
        /// A candidate's number and origin; `missing` and the origin that lacks the event; `position` and an event's place.
        public var title: String
        /// Canonical form; nil where nothing was delivered.
        public var content: [UInt8]?
    }

    public var kind: ConflictKind
    /// How many candidates the conflict has.
    public var candidates: Int
    /// Empty for a conflict that is over no content, such as `origin_silent` and `sequence_gap`.
    public var columns: [Column] = []
}

extension EventStore {
    /// What a conflict is between; nil where there is no such conflict.
    ///
    /// For `missing_at_origin` the origin that lacks the event has a column without content; for `sequence_collision` the
    /// two events as appended are compared.
    ///
    /// - throws: `StoreError` with `integrity` where a content differs from its proof.
    public func comparison(
        of conflictID: Int64
    ) async throws(StoreError) -> ConflictComparison? {
        let (path, options) = (path, options)
        return try await Self.attempt("read the conflict", path) {
            try await runOnThread {
                let connection = try StoreFile.openForReading(path, options)
                try connection.execute("BEGIN")
                let reader = try CandidateReader(in: connection)
                guard let set = try reader.read(conflictID) else { return nil }
                var comparison = ConflictComparison(
                    kind: set.conflict.kind,
                    candidates: set.candidates.count
                )
                comparison.columns = try set.candidates.map { candidate in
                    ConflictComparison.Column(
                        title: "\(candidate.candidate) \(candidate.origin)",
                        content: try reader.content(of: candidate, in: set.conflict)
                    )
                }
                switch set.conflict.kind {
                case .missingAtOrigin:
                    let title = "missing \(set.conflict.origin ?? "")"
                    comparison.columns.append(.init(title: title, content: nil))
                case .sequenceCollision:
                    let source = try EventSource(connection, options.checksummer)
                    source.beginTransaction()
                    comparison.columns = try Self.colliding(set.conflict, source)
                default: break
                }
                return comparison
            }
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
