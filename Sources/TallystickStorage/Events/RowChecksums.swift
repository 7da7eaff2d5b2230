package import TallystickCore
package import TallystickSQLite

/// Verifies the checksums of rows of `events`, both as recorded and as resealed.
package final class RowChecksums {
    /// The verdict on a row.
    package enum Outcome: Equatable {
        case holds
        /// Can be checked only with the key.
        case notChecked
        /// `content`, `downgrade` or `key`.
        case finding(VerifyFinding.Kind, expected: String, actual: String)
    }

    private let reader: EventRowReader
    private let rows: ChecksumRows
    private let checksummer: Checksummer
    private let demands: ChecksumDemands?
    private var newest: [Int64: StoredChecksum] = [:]

    /// - parameter demands: what a matching checksum must also meet; nil to check only that it matches.
    package init(
        _ reader: EventRowReader,
        in connection: Connection,
        _ checksummer: Checksummer,
        _ demands: ChecksumDemands?
    ) throws(SQLiteError) {
        self.reader = reader
        self.checksummer = checksummer
        rows = try ChecksumRows(in: connection)
        self.demands = demands
    }

    /// Reads the resealed checksums of the events after `first`, up to `last`.
    package func prepare(after first: Int64, through last: Int64) throws(SQLiteError) {
        newest = try rows.newest(after: first, through: last)
    }

    /// Verifies a row whose content the reader has rebuilt.
    package func evaluate(_ row: some EventColumns, digest: SHA256Digest) -> Outcome {
        let again = newest.isEmpty ? nil : newest[row.int64(at: EventColumn.position)]
        let verdict = reader.evaluateChecksum(row, digest: digest, with: checksummer, newest: again)
        switch verdict {
        case .differs, .unknownAlgorithm:
            let stored = again?.bytes ?? [UInt8](row.bytes(at: EventColumn.checksum))
            return .finding(.content, expected: Hex.string(stored), actual: verdict.actual)
        case .holds, .keyMissing:
            if let finding = evaluateDemand(row, again) { return finding }
            return verdict == .holds ? .holds : .notChecked
        }
    }

    private func evaluateDemand(_ row: some EventColumns, _ again: StoredChecksum?) -> Outcome? {
        guard let demands else { return nil }
        let position = row.int64(at: EventColumn.position)
        return demands.evaluate(
            keyID: again.map(\.keyID) ?? row.textIfPresent(at: EventColumn.checksumKeyID),
            algorithm: again?.algorithm ?? row.text(at: EventColumn.checksumAlgorithm),
            isLate: { last, retirement in
                again.map { $0.auditSequence >= retirement } ?? (position > last)
            },
            isDemanded: demands.demandsHMAC(
                at: position,
                category: row.int64(at: EventColumn.category)
            )
        )
    }
}
