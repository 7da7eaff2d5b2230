package import TallystickCore
package import TallystickSQLite

/// Puts on record that stored records failed their proofs, each of them once for each kind.
package struct MismatchRecorder {
    /// What stands for the algorithm where a leaf hash differs.
    package static let leaf = "leaf"

    private let store: StoreWriter

    package init(_ store: StoreWriter) { self.store = store }

    /// Records damage, in the transaction that is open.
    package func record(_ damaged: [DamagedRecord], as kind: MismatchKind, actor: String) throws {
        for record in damaged {
            if try store.conflicts.hasMismatch(kind, record) { continue }
            var mismatch = NewMismatch(
                kind: kind,
                severity: store.configuration?.severity(of: "") ?? "low",
                position: record.position,
                copyID: record.copyID,
                algorithm: record.algorithm,
                expected: record.expected,
                actual: record.actual
            )
            if let position = record.position { try describe(position, &mismatch) }
            let row = AuditRow(
                kind: .mismatch,
                recordedAt: store.clock(),
                actor: actor,
                position: record.position
            )
            try store.addAudit(row, tables: [.mismatches]) { sequence in
                try store.add(mismatch, auditSequence: sequence)
            }
        }
    }

    private func describe(_ position: Int64, _ mismatch: inout NewMismatch) throws {
        let described = try store.reader.withRow(at: position) { row in
            (try store.reader.names(row), row.text(at: EventColumn.id))
        }
        guard let (names, id) = described else { return }
        mismatch.category = names.category
        mismatch.origin = names.origin
        mismatch.source = names.source
        mismatch.eventID = id
        mismatch.severity =
            store.configuration?.severity(of: names.category) ?? mismatch.severity
    }

    /// What is wrong with the event at a position; nil where its checksum and its leaf hold.
    package func damage(at position: Int64) throws -> DamagedRecord? {
        let leaf = try store.merkle.leaf(position - 1, of: .events)
        var found = DamagedRecord(
            position: position,
            algorithm: Self.leaf,
            expected: leaf?.hex ?? "no leaf hash is stored",
            actual: "no row"
        )
        let isWhole = try store.reader.withRow(at: position) { row in
            guard try store.reader.readContent(row) else {
                found.actual = "a name is missing"
                return false
            }
            let digest = store.reader.contentDigest
            if let damage = checksumDamage(row, digest: digest) {
                found = damage
                return false
            }
            let hash = try store.reader.leafHash(row, content: digest)
            found.actual = hash?.hex ?? "a name is missing"
            return hash != nil && hash == leaf
        }
        return isWhole == true ? nil : found
    }

    /// What kind of conflict there is over an event that failed a proof: `unverifiable` where its leaf holds, and the
    /// store never knew the key that its checksum names.
    package func conflictKind(at position: Int64) throws -> ConflictKind {
        let again = try ChecksumRows(in: store.connection)
            .newest(after: position - 1, through: position)[position]
        let keys = try store.registeredKeys()
        let leaf = try store.merkle.leaf(position - 1, of: .events)
        let kind = try store.reader.withRow(at: position) { row -> ConflictKind? in
            let stored = row.textIfPresent(at: EventColumn.checksumKeyID)
            guard let keyID = again.map(\.keyID) ?? stored, keys[keyID, .hmacSHA256] == nil,
                try store.reader.readContent(row)
            else { return nil }
            let digest = store.reader.contentDigest
            let hash = try store.reader.leafHash(row, content: digest)
            return AtRest.conflict(leafAgrees: hash != nil && hash == leaf, checksumAgrees: nil)
        }
        return (kind ?? nil) ?? .tamperedAtRest
    }

    /// What is wrong with the checksum of the event whose content was read from a row; nil where it holds, or where
    /// only a holder of the key can tell.
    package func checksumDamage(_ row: Statement, digest: SHA256Digest? = nil) -> DamagedRecord? {
        let digest = digest ?? store.reader.contentDigest
        let verdict = store.reader.evaluateChecksum(row, digest: digest, with: store.checksummer)
        switch verdict {
        case .holds, .keyMissing: return nil
        case .differs, .unknownAlgorithm:
            return DamagedRecord(
                position: row.int64(at: EventColumn.position),
                algorithm: row.text(at: EventColumn.checksumAlgorithm),
                expected: Hex.string(row.blob(at: EventColumn.checksum)),
                actual: verdict.actual
            )
        }
    }
}
