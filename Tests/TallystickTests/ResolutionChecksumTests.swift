import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// What somebody without the keys changes in a decision, and then makes leaves, tiles and derived rows again.
@Suite("Checksums of decisions")
struct ResolutionChecksumTests {
    private static let decided =
        #"{"data":{"n":2},"id":"1","source":"/s","specversion":"1.0","type":"db.failover"}"#
    private static let forged = decided.replacing("2}", with: "3}")

    private static func digest(_ text: String) -> String {
        SHA256Digest(hashing: Array(text.utf8)).hex
    }

    /// A store in which "b" was taken for a critical event, after the first of some keys was registered, or before.
    private func decided(_ ring: KeyRing, first isFirst: Bool = false) async throws -> KeyedStore {
        let keyed = try await KeyedStore()
        let other = KeyedStore.critical(1).replacing("\"n\":1", with: "\"n\":2")
        try await keyed.test.ingest(other, from: "b")
        let decision = ManualResolution(
            conflictID: 1,
            choice: .take(origin: "b"),
            actor: "me",
            reason: "b knows"
        )
        if isFirst { try await keyed.test.store.resolve(decision) }
        let opened = try await keyed.open(ring)
        if !isFirst { try await opened.resolve(decision) }
        await opened.close()
        await keyed.test.store.close()
        return keyed
    }

    /// Changes columns of the decision and what is derived from them.
    private func forge(_ keyed: KeyedStore, _ columns: String, effective: String) throws {
        try Forgery.rewriteAudit(
            keyed.test.path,
            table: "resolutions",
            "UPDATE resolutions SET \(columns)"
        )
        try keyed.test.tamper("UPDATE effective_state SET \(effective)")
    }

    private func findings(_ keyed: KeyedStore, _ ring: KeyRing?) async throws -> [String] {
        // That no stored head is left is found too, with the ring.
        try await keyed.verify(ring).findings.filter { $0.record != "tree_heads" }
            .map { "\($0.record) \($0.finding)" }
    }

    @Test("Less than the category demands is a downgrade, with the ring and without")
    func downgrade() async throws {
        let ring = try KeyedStore.ring(KeyedStore.key("k1", 1))
        let keyed = try await decided(ring)
        #expect(try await findings(keyed, ring) == [])
        let digest = Self.digest(Self.decided)
        try forge(
            keyed,
            "checksum_algorithm = 'sha256', checksum_key_id = NULL, checksum_after = '\(digest)'",
            effective:
                "checksum_algorithm = 'sha256', checksum_key_id = NULL, checksum = x'\(digest)'"
        )
        for ring in [ring, nil] {
            #expect(try await findings(keyed, ring) == ["resolutions 1 downgrade"])
        }
    }

    @Test("A decision from before the first key is none, at whatever position that was registered")
    func before() async throws {
        let ring = try KeyedStore.ring(KeyedStore.key("k1", 1))
        let keyed = try await decided(ring, first: true)
        #expect(try await findings(keyed, ring) == [])
    }

    @Test(
        "Other content with an HMAC that is not its own is found with the ring, and served to nobody"
    )
    func content() async throws {
        let ring = try KeyedStore.ring(KeyedStore.key("k1", 1))
        let keyed = try await decided(ring)
        try forge(
            keyed,
            "content = '\(Self.forged)', content_sha256 = '\(Self.digest(Self.forged))'",
            effective: "data = '{\"n\":3}'"
        )
        #expect(try await findings(keyed, ring) == ["resolutions 1 content"])
        // Only a holder of the key can tell.
        let keyless = try await keyed.verify(nil)
        #expect(keyless.isIntact)
        #expect(keyless.checksumsWithoutKey == 1)
        for (keys, isServed) in [(KeySource.ring(ring), false), (.none, true)] {
            let store = try await EventStore.open(at: keyed.test.path, keys: keys)
            let code = await failureCode { for try await _ in store.events() {} }
            #expect(code == (isServed ? nil : .integrity))
            await store.close()
        }
    }

    @Test("A key that the store does not know, or that was retired before, is found")
    func keys() async throws {
        let (k1, k2) = (try KeyedStore.key("k1", 1), try KeyedStore.key("k2", 2))
        let both = try KeyedStore.ring(k1, k2)
        let keyed = try await decided(both)
        let opened = try await keyed.open(both)
        try await opened.register(k2, replacing: true, actor: "me", reason: "yearly")
        try await opened.reopen(conflict: 1, actor: "me", reason: "again")
        try await opened.resolve(
            ManualResolution(conflictID: 1, choice: .take(origin: "b"), actor: "me", reason: "so")
        )
        await opened.close()
        #expect(try await findings(keyed, both) == [])
        // Whoever has the old key alone makes a decision of today with it.
        let tag = k1.hmac.tag(of: Array(Self.decided.utf8)).hex
        try Forgery.rewriteAudit(
            keyed.test.path,
            table: "resolutions",
            """
            UPDATE resolutions SET checksum_key_id = 'k1', checksum_after = '\(tag)'
            WHERE resolution_id = 2
            """
        )
        try keyed.test.tamper(
            "UPDATE effective_state SET checksum_key_id = 'k1', checksum = x'\(tag)'"
        )
        #expect(try await findings(keyed, both) == ["resolutions 2 downgrade"])
        try forge(keyed, "checksum_key_id = 'mine'", effective: "checksum_key_id = 'mine'")
        #expect(
            try await findings(keyed, both) == ["resolutions 1 key", "resolutions 2 key"]
        )
    }
}
