import TallystickCore
import Testing

@Suite("Key ring")
struct KeyRingTests {
    private static let secret = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
    private static let other = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="

    private func file(_ keys: String) -> [UInt8] {
        Array("{\"tallystick_keys\": 1, \"keys\": [\(keys)]}".utf8)
    }

    private func key(
        _ id: String,
        _ secret: String = secret,
        state: String = "active",
        algorithm: String = "hmac-sha256",
        more: String = ""
    ) -> String {
        """
        {"id": "\(id)", "algorithm": "\(algorithm)", "state": "\(state)",
         "activated_at": "2026-03-01T00:00:00Z", "secret": "\(secret)"\(more)}
        """
    }

    @Test("A file yields its keys, and writing them yields a file with the same keys")
    func roundTrip() throws {
        let ring = try KeyRing(
            json: file(key("k1") + "," + key("k2", Self.other, state: "retired"))
        )
        #expect(ring.keys.map(\.id) == ["k1", "k2"])
        #expect(ring.keys.map(\.state) == [.active, .retired])
        #expect(ring["k1"]?.activatedAt == 1_772_323_200_000_000)
        let again = try KeyRing(json: ring.json())
        #expect(again.keys.map(\.id) == ring.keys.map(\.id))
        #expect(again.keys.map(\.state) == ring.keys.map(\.state))
        #expect(again.keys.map(\.fingerprint) == ring.keys.map(\.fingerprint))
    }

    @Test(
        "Anything that is not exactly right is refused, and the message does not reveal the key",
        arguments: [
            "", "[]", "{}", "null", "{\"tallystick_keys\": 1}",
            "{\"tallystick_keys\": 2, \"keys\": []}",
            "{\"tallystick_keys\": 1, \"keys\": {}}",
            "{\"tallystick_keys\": 1, \"keys\": [], \"more\": 1}",
            "{\"tallystick_keys\": 1, \"keys\": [1]}", "{\"tallystick_keys\": 1, \"keys\": [",
        ]
    )
    func badFiles(_ text: String) {
        #expect(throws: KeyRingError.self) { try KeyRing(json: Array(text.utf8)) }
    }

    @Test("Bad keys are refused with their place, and the message does not reveal the secret")
    func badKeys() {
        let short = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=="
        let bad = [
            key("k1", short), key("k1", "AQ=="), key("k1", ""), key("k1", Self.secret + "="),
            key("k1", "!" + Self.secret.dropFirst()), key(""), key("a b"), key("é"),
            key(String(repeating: "k", count: 65)), key("k1", state: "Active"),
            key("k1", algorithm: "sha256"), key("k1", more: ", \"note\": 1"),
            key("k1") + "," + key("k1", Self.other), key("k1") + "," + key("k2"),
            "{\"id\": \"k1\"}",
            key("k1").replacing("2026-03-01", with: "2026-13-01"),
        ]
        for text in bad {
            do throws(KeyRingError) {
                _ = try KeyRing(json: file(text))
                Issue.record("accepted: \(text)")
            } catch {
                #expect(error.message.hasPrefix("line "), "\(error)")
                #expect(!error.message.contains("AQEB"), "\(error)")
            }
        }
    }

    @Test("Neither printing nor dumping a ring reveals a key")
    func redaction() throws {
        let marker = Array("a secret that nobody may ever see".utf8)
        var ring = KeyRing()
        try ring.add(KeyRing.Key(id: "k1", activatedAt: 0, secret: marker))
        var dumped = ""
        dump(ring, to: &dumped)
        dump(Checksummer(ring), to: &dumped)
        dumped +=
            "\(ring) \(String(reflecting: ring)) \(ring.keys) \(String(reflecting: ring.keys))"
        #expect(dumped.contains("k1"))
        #expect(!dumped.contains("nobody may ever see"))
        #expect(!dumped.contains("97, 32, 115"))
    }

    @Test("Equal keys have equal fingerprints, and different keys different ones")
    func fingerprints() throws {
        let a = try KeyRing.Key(id: "a", activatedAt: 0, secret: [UInt8](repeating: 1, count: 32))
        let b = try KeyRing.Key(id: "b", activatedAt: 9, secret: [UInt8](repeating: 1, count: 32))
        let c = try KeyRing.Key(id: "a", activatedAt: 0, secret: [UInt8](repeating: 1, count: 33))
        #expect(a.fingerprint == b.fingerprint)
        #expect(a.fingerprint != c.fingerprint)
        #expect(
            a.fingerprint == "dc8cafc82544df3dfa9bdef11c89ea4e854a3575fd53520092524d40a56e1de6"
        )
    }

    @Test("Random keys differ, and a retired key stays in the ring")
    func randomKeys() throws {
        var ring = KeyRing()
        try ring.add(.random(id: "a", activatedAt: 1))
        try ring.add(.random(id: "b", activatedAt: 2))
        ring.retire("a")
        #expect(ring["a"]?.state == .retired)
        #expect(ring["b"]?.state == .active)
        #expect(throws: KeyRingError.self) { try ring.add(.random(id: "a", activatedAt: 3)) }
    }
}
