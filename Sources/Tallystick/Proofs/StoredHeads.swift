import TallystickCore
import TallystickSQLite

/// Checks the heads that a store keeps of itself: that they follow each other, match its logs, and are vouched for by
/// the keys that they name.
struct StoredHeads {
    /// The findings, and what could not be checked.
    struct HeadCheckResult: Sendable {
        var findings: [VerifyFinding] = []
        var heads: Int64 = 0
        /// Heads whose key was not given.
        var withoutKey: Int64 = 0
        /// The newest head that the key vouches for.
        var vouched: TreeHead?
    }

    private let connection: Connection
    private let storeID: String
    private let ring: KeyRing

    init(in connection: Connection, storeID: String, _ ring: KeyRing) {
        self.connection = connection
        self.storeID = storeID
        self.ring = ring
    }

    /// Reads all heads, and compares the keys that the store names with those of the ring. In a store of an older
    /// schema no key vouches for any head, which is not a finding.
    func check() throws -> HeadCheckResult {
        var result = HeadCheckResult()
        guard try StoreSchema.version(of: connection) >= 3 else { return result }
        let registered = try KeyRows(in: connection).read()
        compareKeys(registered, &result)
        let rows = try HeadRows(in: connection)
        let comparison = try HeadComparison(in: connection, storeID: storeID)
        var last: Int64 = 0
        while let stored = try rows.next(after: last, of: storeID) {
            let record = "tree_heads \(stored.number)"
            while last + 1 < stored.number {
                last += 1
                result.findings.append(
                    .init(
                        record: "tree_heads \(last)",
                        finding: .sequence,
                        expected: "a head",
                        actual: "no row"
                    )
                )
            }
            last = stored.number
            result.heads += 1
            result.findings += try comparison.findings(stored.head, record: record)
            compareNote(of: stored, record, &result)
            vouch(for: stored, record, registered, &result)
        }
        // Registering a key stores a head that it vouches for.
        if registered.usable(in: ring) != nil, result.vouched == nil {
            result.findings.append(
                .init(
                    record: "tree_heads",
                    finding: .head,
                    expected: "a head with an HMAC by a key of the store",
                    actual: "none"
                )
            )
        }
        return result
    }

    /// A key with a known id but a different fingerprint was added by someone who does not hold the ring.
    private func compareKeys(_ registered: RegisteredKeys, _ result: inout HeadCheckResult) {
        for key in registered.keys where key.algorithm == .hmacSHA256 {
            guard let held = ring[key.id], held.fingerprint != key.fingerprint else { continue }
            result.findings.append(
                .init(
                    record: "key '\(key.id)'",
                    finding: .key,
                    expected: "fingerprint \(held.fingerprint)",
                    actual: "fingerprint \(key.fingerprint)"
                )
            )
        }
    }

    /// A sealed note covers the head with which it is stored. Whose signature it has can be checked only with the key.
    private func compareNote(
        of stored: StoredHead,
        _ record: String,
        _ result: inout HeadCheckResult
    ) {
        guard let note = stored.note else { return }
        if let signed = try? SignedNote(parsing: Array(note.utf8)),
            let head = try? TreeHead(noteText: signed.text), head == stored.head
        {
            return
        }
        result.findings.append(
            .init(
                record: record,
                finding: .head,
                expected: "a signed note over the head",
                actual: "another text"
            )
        )
    }

    private func vouch(
        for stored: StoredHead,
        _ record: String,
        _ registered: RegisteredKeys,
        _ result: inout HeadCheckResult
    ) {
        func differs(_ finding: VerifyFinding.Kind, _ expected: String, _ actual: String) {
            result.findings.append(
                .init(record: record, finding: finding, expected: expected, actual: actual)
            )
        }
        guard let keyID = stored.keyID, let hmac = stored.hmac else {
            guard stored.keyID != nil || stored.hmac != nil else { return }
            let (there, missing) =
                stored.hmac == nil ? ("key_id", "hmac") : ("hmac", "key_id")
            return differs(.head, "\(there) and \(missing), or neither", "\(missing) NULL")
        }
        // Without the key the HMAC cannot be checked, but the key that it names can.
        guard registered[keyID, .hmacSHA256] != nil else {
            return differs(.key, "a key of the store", keyID)
        }
        guard let key = ring[keyID] else {
            guard Hex.bytes(hmac)?.count == SHA256Digest.byteCount else {
                return differs(.head, "an HMAC of 64 hexadecimal digits", "another text")
            }
            result.withoutKey += 1
            return
        }
        let text = stored.head.authenticatedText(
            number: stored.number,
            recordedAt: stored.recordedAt
        )
        if key.hmac.isValid(Hex.bytes(hmac) ?? [], for: text) {
            result.vouched = stored.head
        } else {
            differs(.head, "an HMAC by key '\(keyID)' over the head", Checksummer.withheld)
        }
    }
}
