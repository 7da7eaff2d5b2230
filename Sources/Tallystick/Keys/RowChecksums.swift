import TallystickCore
import TallystickSQLite

/// Judges the checksums of rows of `events`, as they were recorded and as they were sealed again.
final class RowChecksums {
    /// What is to be said of a row.
    enum Judgement: Equatable {
        case holds
        /// Only a holder of the key can tell.
        case notChecked
        /// `content`, `downgrade` or `key`.
        case finding(String, expected: String, actual: String)
    }

    private let reader: EventRowReader
    private let rows: ChecksumRows
    private let checksummer: Checksummer
    private let demands: ChecksumDemands?
    private var newest: [Int64: StoredChecksum] = [:]

    /// - parameter judgingDemands: whether a checksum that holds must also be what its category demanded.
    init(
        _ reader: EventRowReader,
        in connection: Connection,
        _ checksummer: Checksummer,
        judgingDemands: Bool
    ) throws {
        self.reader = reader
        self.checksummer = checksummer
        rows = try ChecksumRows(in: connection)
        demands = judgingDemands ? try ChecksumDemands(from: connection) : nil
    }

    /// Reads what was sealed again of the events after `first`, up to `last`.
    func prepare(after first: Int64, through last: Int64) throws(SQLiteError) {
        newest = try rows.newest(after: first, through: last)
    }

    /// Judges a row whose content the reader has rebuilt.
    func judge(_ row: some EventColumns, digest: SHA256Digest) -> Judgement {
        let again = newest.isEmpty ? nil : newest[row.int64(at: EventColumn.position)]
        let verdict = reader.judgeChecksum(row, digest: digest, with: checksummer, newest: again)
        switch verdict {
        case .differs, .unknownAlgorithm:
            let stored = again?.bytes ?? [UInt8](row.bytes(at: EventColumn.checksum))
            return .finding("content", expected: Hex.string(stored), actual: verdict.actual)
        case .holds, .keyMissing:
            if let finding = judgeDemand(row, again) { return finding }
            return verdict == .holds ? .holds : .notChecked
        }
    }

    private func judgeDemand(_ row: some EventColumns, _ again: StoredChecksum?) -> Judgement? {
        guard let demands else { return nil }
        let keyID = again.map(\.keyID) ?? row.textIfPresent(at: EventColumn.checksumKeyID)
        if let keyID {
            guard let key = demands.keys[keyID] else {
                return .finding("key", expected: "a key of the store", actual: keyID)
            }
            guard let position = key.retiredAfterPosition, let sequence = key.retirement else {
                return nil
            }
            let isLate =
                again.map { $0.auditSequence >= sequence }
                ?? (row.int64(at: EventColumn.position) > position)
            return !isLate
                ? nil
                : .finding(
                    "downgrade",
                    expected: "a key that was active",
                    actual: "key '\(keyID)', which was retired before"
                )
        }
        guard !demands.isEmpty,
            demands.demandsHMAC(
                at: row.int64(at: EventColumn.position),
                category: row.int64(at: EventColumn.category)
            )
        else { return nil }
        return .finding(
            "downgrade",
            expected: ChecksumAlgorithm.hmacSHA256.rawValue,
            actual: again?.algorithm ?? row.text(at: EventColumn.checksumAlgorithm)
        )
    }
}
