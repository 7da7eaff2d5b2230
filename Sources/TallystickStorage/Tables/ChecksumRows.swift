package import TallystickCore
package import TallystickSQLite

/// A recomputed checksum, as it is stored.
package struct StoredChecksum: Equatable {
    package var algorithm: String
    package var keyID: String?
    /// Empty if the stored text is not hexadecimal.
    package var bytes: [UInt8]
    /// The audit row under which it was made.
    package var auditSequence: Int64

    package init(algorithm: String, keyID: String? = nil, bytes: [UInt8], auditSequence: Int64) {
        self.algorithm = algorithm
        self.keyID = keyID
        self.bytes = bytes
        self.auditSequence = auditSequence
    }

    package func evaluate(
        _ content: UnsafeRawBufferPointer,
        _ digest: SHA256Digest,
        with checksummer: Checksummer
    ) -> ChecksumVerdict {
        bytes.withUnsafeBytes { bytes in
            Array(algorithm.utf8).withUnsafeBytes { algorithm in
                Array((keyID ?? "").utf8).withUnsafeBytes { key in
                    checksummer.evaluate(
                        bytes,
                        algorithm: algorithm,
                        keyID: keyID == nil ? nil : key,
                        content: content,
                        digest: digest
                    )
                }
            }
        }
    }
}

/// Adds and reads rows of `checksums`, of which the newest for each event counts.
package struct ChecksumRows {
    private let insert: Statement
    private let selectLast: Statement
    private let selectRange: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        insert = try connection.prepare(
            """
            INSERT INTO checksums (checksum_id, audit_sequence, position, algorithm, key_id, checksum)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            """
        )
        selectLast = try connection.prepare("SELECT coalesce(max(checksum_id), 0) FROM checksums")
        selectRange = try connection.prepare(
            """
            SELECT position, algorithm, key_id, checksum, audit_sequence
            FROM checksums
            WHERE position > ?1 AND position <= ?2
            ORDER BY checksum_id
            """
        )
    }

    package func lastID() throws(SQLiteError) -> Int64 { try selectLast.optionalInt64() ?? 0 }

    package func add(
        _ checksum: Checksum,
        keyID: String?,
        position: Int64,
        id: Int64,
        auditSequence: Int64
    ) throws(SQLiteError) {
        try insert.bind(id, at: 1)
        try insert.bind(auditSequence, at: 2)
        try insert.bind(position, at: 3)
        try insert.bindText(checksum.algorithm.rawValue, at: 4)
        try insert.bindOptional(keyID, at: 5)
        try insert.bindText(checksum.hex, at: 6)
        try insert.run()
    }

    /// The newest checksums of the resealed events after `first`, up to `last`.
    package func newest(
        after first: Int64,
        through last: Int64
    ) throws(SQLiteError) -> [Int64: StoredChecksum] {
        try selectRange.bind(first, at: 1)
        try selectRange.bind(last, at: 2)
        var newest: [Int64: StoredChecksum] = [:]
        while try selectRange.step() {
            newest[selectRange.int64(at: 0)] = StoredChecksum(
                algorithm: selectRange.text(at: 1),
                keyID: selectRange.textIfPresent(at: 2),
                bytes: Hex.bytes(selectRange.text(at: 3)) ?? [],
                auditSequence: selectRange.int64(at: 4)
            )
        }
        try selectRange.reset()
        return newest
    }
}
