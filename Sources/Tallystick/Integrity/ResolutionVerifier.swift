import TallystickCore
import TallystickSQLite

/// Verifies the checksums of decisions: over the effective content of an event, which the decision names.
///
/// The leaf of a decision's audit row covers the whole row. These checks therefore detect changes by somebody without
/// the keys who has rebuilt the leaf and the tree.
final class ResolutionVerifier {
    private let reader: EventRowReader
    private let checksummer: Checksummer
    private let demands: ChecksumDemands
    private let rows: Statement

    init(
        in connection: Connection,
        _ reader: EventRowReader,
        _ checksummer: Checksummer,
        _ demands: ChecksumDemands
    ) throws(SQLiteError) {
        self.reader = reader
        self.checksummer = checksummer
        self.demands = demands
        rows = try connection.prepare(
            """
            SELECT resolution_id, audit_sequence, position, checksum_algorithm, checksum_key_id,
                checksum_after, content_sha256, content
            FROM resolutions
            WHERE audit_sequence > ?1 AND audit_sequence <= ?2 AND position IS NOT NULL
                AND decision NOT IN ('exclude', 'accept_missing')
            ORDER BY audit_sequence
            """
        )
    }

    /// Checks the decisions whose audit rows come after `first`, up to `last`.
    func check(after first: Int64, through last: Int64, _ report: inout VerifyReport) throws {
        try rows.bind(first, at: 1)
        try rows.bind(last, at: 2)
        while try rows.step() { try check(&report) }
        try rows.reset()
    }

    private func check(_ report: inout VerifyReport) throws {
        let position = rows.int64(at: 2)
        let decided = rows.isNull(at: 7) ? nil : rows.blob(at: 7)
        let outcome = try reader.withRow(at: position) { event -> RowChecksums.Outcome? in
            // An event with a missing name is a finding of its own.
            guard try reader.readContent(event) else { return nil }
            let content = decided ?? reader.content
            return evaluate(content, category: event.int64(at: EventColumn.category))
        }
        switch outcome ?? nil {
        case nil, .holds?: return
        case .notChecked?: report.checksumsWithoutKey += 1
        case .finding(let kind, let expected, let actual)?:
            report.add(
                .init(
                    record: "resolutions \(rows.int64(at: 0))",
                    position: position,
                    finding: kind,
                    expected: expected,
                    actual: actual
                )
            )
        }
    }

    private func evaluate(_ content: [UInt8], category: Int64) -> RowChecksums.Outcome {
        let digest = SHA256Digest(hashing: content)
        guard rows.text(at: 6) == digest.hex else {
            return .finding(.content, expected: rows.text(at: 6), actual: digest.hex)
        }
        let sequence = rows.int64(at: 1)
        let stored = StoredChecksum(
            algorithm: rows.text(at: 3),
            keyID: rows.textIfPresent(at: 4),
            bytes: Hex.bytes(rows.text(at: 5)) ?? [],
            auditSequence: sequence
        )
        let verdict = content.withUnsafeBytes { stored.evaluate($0, digest, with: checksummer) }
        switch verdict {
        case .differs, .unknownAlgorithm:
            return .finding(.content, expected: Hex.string(stored.bytes), actual: verdict.actual)
        case .holds, .keyMissing:
            let fault = demands.evaluate(
                keyID: stored.keyID,
                algorithm: stored.algorithm,
                isLate: { _, retirement in sequence > retirement },
                isDemanded: demands.demandsHMAC(ofDecision: sequence, category: category)
            )
            return fault ?? (verdict == .holds ? .holds : .notChecked)
        }
    }
}
