package import TallystickCore
package import TallystickSQLite

/// A resolution on an event, after verification against its proof.
///
/// An object, because few events have one, and all are passed by value.
package final class VerifiedResolution: Sendable {
    package let resolutionID: Int64
    /// 0 if it does not change the event at a position.
    package let position: Int64
    /// The head when it was made.
    package let afterPosition: Int64
    /// A raw value of `Decision`.
    package let decision: String
    /// The event's content from then on; nil for the event as appended, or for none.
    package let content: [UInt8]?
    /// Of the effective content; nil if there is none, or the row names none.
    package let contentDigest: SHA256Digest?
    package let checksumAlgorithm: String?
    /// Lower-case hexadecimal; nil where the event is excluded.
    package let checksum: String?

    /// - parameter row: a checked row of `VerifiedResolutions.columns`.
    fileprivate init(_ row: Statement, content: [UInt8]?, digest: SHA256Digest?) {
        resolutionID = row.int64(at: 0)
        position = row.int64(at: 2)
        afterPosition = row.int64(at: 3)
        decision = row.text(at: 4)
        self.content = content
        contentDigest = digest
        checksumAlgorithm = row.textIfPresent(at: 7)
        checksum = row.textIfPresent(at: 8)
    }

    /// Whether it changes the effective event at its position.
    package var changesEvent: Bool { position > 0 && decidesContent }
    package var isExclusion: Bool { decision == Decision.exclude.rawValue }
    /// Whether it determines the event's content. A decision on a missing copy changes no content.
    package var decidesContent: Bool { decision != Decision.acceptMissing.rawValue }
}

/// Reads resolutions for code that serves their results.
///
/// No row is passed on before its audit row's leaf was computed from the stored rows and found in the audit log,
/// and its content was found to match the digest and the checksum that it names (an HMAC, if its key is
/// available). An edited, forged or deleted row throws `integrity`, and names the record.
package final class VerifiedResolutions {
    private let leafReader: AuditLeafReader
    private var leaves: LeafHashes
    private let inRange: Statement
    private let withoutPosition: Statement
    private let afterID: Statement
    private let previous: Statement
    private let byID: Statement
    private let newest: Statement
    private let newestBefore: Statement
    private var leaf: [UInt8] = []
    private let checksummer: Checksummer
    /// Resolutions after `watermark` up to `last` that are all verified and change no event.
    private var passedOver: (watermark: Int64, last: Int64) = (0, 0)

    private static let columnNames = [
        "resolution_id", "audit_sequence", "position", "after_position", "decision", "content",
        "content_sha256", "checksum_algorithm", "checksum_after", "checksum_key_id",
    ]
    private static let columns = columnNames.joined(separator: ", ")

    package init(
        in connection: Connection,
        _ merkle: MerkleRows,
        _ checksummer: Checksummer
    ) throws(SQLiteError) {
        self.checksummer = checksummer
        leafReader = try AuditLeafReader(in: connection)
        leaves = LeafHashes(of: .audit, merkle)
        inRange = try connection.prepare(
            """
            SELECT \(Self.columns)
            FROM resolutions
            WHERE position > ?1 AND position <= ?2 AND resolution_id <= ?3
            ORDER BY resolution_id
            """
        )
        // The plus sign makes SQLite look up the events' audit rows instead of scanning the trail in order.
        withoutPosition = try connection.prepare(
            """
            SELECT \(Self.columnNames.map { "r.\($0)" }.joined(separator: ", ")), a.audit_sequence
            FROM audit_trail AS a
            LEFT JOIN resolutions AS r ON \(RecordedDecision.matches)
            WHERE a.position > ?1 AND a.position <= ?2 AND a.kind = 'resolution'
                AND r.position IS NULL
            ORDER BY +a.audit_sequence
            """
        )
        afterID = try connection.prepare(
            """
            SELECT \(Self.columns)
            FROM resolutions
            WHERE resolution_id > ?1
            ORDER BY resolution_id
            """
        )
        previous = try connection.prepare(
            """
            SELECT \(Self.columns)
            FROM resolutions
            WHERE position = ?1 AND resolution_id < ?2
            ORDER BY resolution_id DESC
            """
        )
        byID = try connection.prepare(
            """
            SELECT \(Self.columns)
            FROM resolutions
            WHERE resolution_id = ?1 AND position IS NOT NULL
            """
        )
        newestBefore = try connection.prepare(
            "SELECT coalesce(max(resolution_id), 0) FROM resolutions WHERE after_position < ?1"
        )
        newest = try connection.prepare("SELECT coalesce(max(resolution_id), 0) FROM resolutions")
    }

    /// Begins a read transaction.
    package func beginTransaction() { leaves.forget() }

    /// The id of the newest resolution, 0 for none.
    package func last() throws(SQLiteError) -> Int64 { try newest.optionalInt64() ?? 0 }

    /// The id of the last resolution made before the head reached a position, 0 for none.
    package func last(before position: Int64) throws(SQLiteError) -> Int64 {
        try newestBefore.bind(position, at: 1)
        return try newestBefore.optionalInt64() ?? 0
    }

    /// Whether a resolution after a watermark changes an event up to a position.
    package func change(after watermark: Int64, through position: Int64) throws -> Bool {
        var changes = false
        try forEach(after: watermark) { resolution in
            changes = resolution.changesEvent && resolution.position <= position
            return !changes
        }
        return changes
    }

    /// The resolutions up to `watermark` that apply to the positions after `first` up to `last`.
    ///
    /// - parameter watermark: nil for events as appended: no resolution applies then.
    package func effective(
        after first: Int64,
        through last: Int64,
        watermark: Int64?
    ) throws -> [Int64: VerifiedResolution] {
        guard let watermark, last > first else { return [:] }
        try refuseLost(after: first, through: last)
        try inRange.bind(first, at: 1)
        try inRange.bind(last, at: 2)
        try inRange.bind(watermark, at: 3)
        var found: [Int64: VerifiedResolution] = [:]
        try forEach(inRange) { resolution in
            if resolution.decidesContent { found[resolution.position] = resolution }
            return true
        }
        return found
    }

    /// The next resolution on an event after a watermark; nil if there is none.
    package func next(after watermark: Int64) throws -> VerifiedResolution? {
        // A pass asks repeatedly; the resolutions that it has skipped are not verified each time.
        let isKnown = passedOver.watermark <= watermark && watermark <= passedOver.last
        let start = isKnown ? passedOver.last : watermark
        var last = start
        var found: VerifiedResolution?
        try forEach(after: start) { resolution in
            guard resolution.position == 0 else {
                found = resolution
                return false
            }
            last = resolution.resolutionID
            return true
        }
        passedOver = (isKnown ? passedOver.watermark : watermark, last)
        return found
    }

    /// Verifies the resolutions after a watermark, in order; `body` returns false to end the pass.
    private func forEach(
        after watermark: Int64,
        _ body: (VerifiedResolution) throws -> Bool
    ) throws {
        try afterID.bind(watermark, at: 1)
        var last = watermark
        try forEach(afterID) { resolution in
            // Ids are contiguous: a deleted row leaves a gap.
            guard resolution.resolutionID == last + 1 else {
                throw Self.damaged(
                    "a resolution between \(last) and \(resolution.resolutionID)",
                    "its row is missing"
                )
            }
            last += 1
            return try body(resolution)
        }
    }

    /// One resolution on an event; nil if no resolution has that id.
    package func resolution(_ id: Int64) throws -> VerifiedResolution? {
        try byID.bind(id, at: 1)
        var found: VerifiedResolution?
        try forEach(byID) { resolution in
            found = resolution
            return false
        }
        return found
    }

    /// The effective content of an event before a resolution was made; nil for the event as appended.
    package func before(_ resolution: VerifiedResolution) throws -> VerifiedResolution? {
        try refuseLost(after: resolution.position - 1, through: resolution.position)
        try previous.bind(resolution.position, at: 1)
        try previous.bind(resolution.resolutionID, at: 2)
        var found: VerifiedResolution?
        try forEach(previous) { earlier in
            if earlier.decidesContent { found = earlier }
            return found == nil
        }
        return found
    }

    // MARK: Proofs

    /// Verifies that every resolution on the positions after `first` up to `last` that the audit trail records is
    /// present, and that those that change no event are unaltered.
    package func refuseLost(after first: Int64, through last: Int64) throws {
        try withoutPosition.bind(first, at: 1)
        try withoutPosition.bind(last, at: 2)
        let sequence = Int32(Self.columnNames.count)
        try forEachRow(of: withoutPosition) { row in
            guard !row.isNull(at: 0) else {
                throw Self.damaged(
                    "audit_trail \(row.int64(at: sequence))",
                    "it records a resolution whose row is missing, or names another event"
                )
            }
            _ = try verified(row)
            return true
        }
    }

    /// Verifies the rows of a bound statement, one by one; `body` returns false to end the pass.
    private func forEach(
        _ rows: Statement,
        _ body: (VerifiedResolution) throws -> Bool
    ) throws {
        try forEachRow(of: rows) { try body(try verified($0)) }
    }

    private func forEachRow(
        of rows: Statement,
        _ body: (Statement) throws -> Bool
    ) throws {
        do {
            while try rows.step() {
                guard try body(rows) else { break }
            }
        } catch {
            try rows.reset()
            throw error
        }
        try rows.reset()
    }

    private func verified(_ row: Statement) throws -> VerifiedResolution {
        let id = row.int64(at: 0)
        let sequence = row.int64(at: 1)
        guard try leafReader.write(sequence: sequence, to: &leaf) else {
            throw Self.damaged("resolutions \(id)", "its row of the audit trail is missing")
        }
        guard try leaves.hash(at: sequence &- 1) == MerkleHash.leaf(leaf) else {
            throw Self.damaged(
                "resolutions \(id)",
                "it, or another row of audit_trail \(sequence), does not have the leaf hash in the tree"
            )
        }
        let content = row.isNull(at: 5) ? nil : row.blob(at: 5)
        let digest = row.isNull(at: 6) ? nil : SHA256Digest(hex: row.text(at: 6))
        if let content, SHA256Digest(hashing: content) != digest {
            throw Self.damaged(
                "resolutions \(id)",
                "its content does not have the digest stored with it"
            )
        }
        if let content, let digest { try validate(content, digest, row, id) }
        return VerifiedResolution(row, content: content, digest: digest)
    }

    private func validate(
        _ content: [UInt8],
        _ digest: SHA256Digest,
        _ row: Statement,
        _ id: Int64
    ) throws(StoreError) {
        let stored = StoredChecksum(
            algorithm: row.text(at: 7),
            keyID: row.textIfPresent(at: 9),
            bytes: Hex.bytes(row.text(at: 8)) ?? [],
            auditSequence: row.int64(at: 1)
        )
        switch content.withUnsafeBytes({ stored.evaluate($0, digest, with: checksummer) }) {
        case .holds, .keyMissing: return
        case .differs, .unknownAlgorithm:
            throw Self.damaged(
                "resolutions \(id)",
                "its content does not have the checksum stored with it"
            )
        }
    }

    private static func damaged(_ record: String, _ reason: String) -> StoreError {
        StoreError(
            .integrity,
            during: "read a resolution",
            on: record,
            reason,
            hint: "The decision was not applied. Run 'tally verify' to see what was changed"
        )
    }
}
