import Tallystick
import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

@Suite("Keys in a store")
struct KeyTests {
    @Test("Before the first key a critical event has a SHA-256, after it an HMAC")
    func firstKey() async throws {
        let keyed = try await KeyedStore()
        let test = keyed.test
        let ring = try KeyedStore.ring(KeyedStore.key("k1", 1))
        let opened = try await EventStore.open(at: test.path, keys: .ring(ring))
        let registered = try await opened.register(
            KeyedStore.key("k1", 1),
            actor: "me",
            reason: "first"
        )
        #expect(registered.afterPosition == 2)
        // The handle learned its settings before there was a key.
        try await opened.ingest(
            KeyedStore.lines([KeyedStore.critical(2), KeyedStore.debug(2)]),
            from: "a"
        )
        try await opened.append(json: Array(KeyedStore.critical(3).utf8), to: "s")
        await opened.close()
        let rows = try await test.rows(
            "SELECT checksum_algorithm, checksum_key_id, length(checksum) FROM events ORDER BY position"
        )
        #expect(
            rows == [
                [.text("sha256"), .null, .integer(64 / 2)], [.text("crc32"), .null, .integer(4)],
                [.text("hmac-sha256"), .text("k1"), .integer(32)],
                [.text("crc32"), .null, .integer(4)],
                [.text("hmac-sha256"), .text("k1"), .integer(32)],
            ]
        )
        let report = try await keyed.verify(ring)
        #expect(report.isIntact, "\(report.findings)")
        #expect(report.checksumsWithoutKey == 0)
        await test.store.close()
    }

    @Test("A writer without the ring writes nothing where a category demands an HMAC")
    func missingRing() async throws {
        let keyed = try await KeyedStore()
        let test = keyed.test
        await (try await keyed.open(KeyedStore.ring(KeyedStore.key("k1", 1)))).close()
        let before = try await test.provedRows()
        let another = try KeyedStore.key("k1", 9)
        for keys in [KeySource.none, .ring(try KeyedStore.ring(another))] {
            let opened = try await EventStore.open(at: test.path, keys: keys)
            var code = await failureCode {
                try await opened.ingest(
                    KeyedStore.lines([KeyedStore.debug(5), KeyedStore.critical(5)]),
                    from: "a"
                )
            }
            #expect(code == .keyMissing)
            code = await failureCode {
                try await opened.append(json: Array(KeyedStore.critical(6).utf8), to: "s")
            }
            #expect(code == .keyMissing)
            await opened.close()
        }
        #expect(try await test.provedRows() == before)
        // Other categories go on, and so do events that are known.
        let report = try await test.ingest(KeyedStore.debug(5), KeyedStore.critical(1), from: "a")
        #expect(report.outcomes.appended == 1)
        #expect(report.outcomes.duplicate == 1)
        await test.store.close()
    }

    @Test("Rotation keeps history verifiable, and a retired key makes nothing more")
    func rotation() async throws {
        let keyed = try await KeyedStore()
        let test = keyed.test
        let (k1, k2) = (try KeyedStore.key("k1", 1), try KeyedStore.key("k2", 2))
        let both = try KeyedStore.ring(k1, k2)
        let opened = try await keyed.open(both)
        try await opened.ingest(KeyedStore.lines([KeyedStore.critical(2)]), from: "a")
        let refused = await failureCode {
            try await opened.register(k2, actor: "me", reason: "no rotation")
        }
        #expect(refused == .invalidArgument)
        try await opened.register(k2, replacing: true, actor: "me", reason: "yearly")
        try await opened.ingest(KeyedStore.lines([KeyedStore.critical(3)]), from: "a")
        let states = try await opened.keys().map { "\($0.id) \($0.state.rawValue)" }
        #expect(states == ["k1 retired", "k2 active"])
        try await opened.retireKey("k2", actor: "me", reason: "lost")
        let code = await failureCode {
            try await opened.ingest(KeyedStore.lines([KeyedStore.critical(4)]), from: "a")
        }
        #expect(code == .keyMissing)
        let again = await failureCode {
            try await opened.register(k1, replacing: true, actor: "me", reason: "back")
        }
        #expect(again == .invalidArgument)
        await opened.close()
        #expect(try await keyed.verify(both).isIntact)
        #expect(try await keyed.verify(KeyedStore.ring(k2)).checksumsWithoutKey == 1)
        #expect(try await keyed.verify(nil).checksumsWithoutKey == 2)
        #expect(try await keyed.verify(nil).notChecked.contains { $0.what == "checksums" })
        await test.store.close()
    }

    @Test("Less than a category demands is a downgrade, though everything else was rebuilt")
    func downgrade() async throws {
        let keyed = try await KeyedStore()
        let test = keyed.test
        let ring = try KeyedStore.ring(KeyedStore.key("k1", 1))
        let opened = try await keyed.open(ring)
        try await opened.ingest(KeyedStore.lines([KeyedStore.critical(2)]), from: "a")
        await opened.close()
        let content = """
            {"data":{"n":2},"id":"2","source":"/s","specversion":"1.0","type":"db.failover"}
            """
        let digest = SHA256Digest(hashing: Array(content.utf8)).hex
        try test.tamper(
            """
            UPDATE events SET checksum_algorithm = 'sha256', checksum_key_id = NULL, checksum = x'\(digest)'
            WHERE position = 3
            """
        )
        for keys in [nil, ring] {
            let report = try await keyed.verify(keys)
            let finding = try #require(report.findings.first { $0.position == 3 })
            #expect(finding.finding == .downgrade)
            #expect(finding.expected == "hmac-sha256")
        }
        try test.tamper(
            """
            UPDATE events SET checksum_algorithm = 'hmac-sha256', checksum_key_id = 'mine'
            WHERE position = 3
            """
        )
        #expect(try await keyed.verify(ring).findings.contains { $0.finding == .key })
        await test.store.close()
    }

    @Test("An HMAC by a key that was retired before the event is a downgrade")
    func oldKey() async throws {
        let keyed = try await KeyedStore()
        let test = keyed.test
        let (k1, k2) = (try KeyedStore.key("k1", 1), try KeyedStore.key("k2", 2))
        let both = try KeyedStore.ring(k1, k2)
        let opened = try await keyed.open(both)
        try await opened.ingest(KeyedStore.lines([KeyedStore.critical(2)]), from: "a")
        try await opened.register(k2, replacing: true, actor: "me", reason: "yearly")
        try await opened.ingest(KeyedStore.lines([KeyedStore.critical(3)]), from: "a")
        await opened.close()
        #expect(try await keyed.verify(both).isIntact)
        let content = """
            {"data":{"n":3},"id":"3","source":"/s","specversion":"1.0","type":"db.failover"}
            """
        let tag = k1.hmac.tag(of: Array(content.utf8)).hex
        try test.tamper(
            "UPDATE events SET checksum_key_id = 'k1', checksum = x'\(tag)' WHERE position = 4"
        )
        let report = try await keyed.verify(both)
        #expect(report.findings.map(\.finding) == [.downgrade])
        #expect(report.findings.first?.position == 4)
        // Whoever sealed again with it after it was retired is found too.
        try test.tamper(
            """
            UPDATE events SET checksum_key_id = 'k2', checksum = x'\(
                k2.hmac.tag(of: Array(content.utf8)).hex)'
            WHERE position = 4;
            INSERT INTO checksums VALUES (1, (SELECT max(audit_sequence) FROM audit_trail), 4,
                'hmac-sha256', 'k1', '\(tag)')
            """
        )
        #expect(
            try await keyed.verify(both).findings.contains {
                $0.finding == .downgrade && $0.position == 4
            }
        )
        await test.store.close()
    }

    @Test("An HMAC that is not the content's is found, and the right one told to nobody")
    func forgery() async throws {
        let keyed = try await KeyedStore()
        let test = keyed.test
        let key = try KeyedStore.key("k1", 1)
        let ring = try KeyedStore.ring(key)
        let opened = try await keyed.open(ring)
        try await opened.ingest(KeyedStore.lines([KeyedStore.critical(2)]), from: "a")
        await opened.close()
        try test.tamper("UPDATE events SET checksum = randomblob(32) WHERE position = 3")
        let report = try await keyed.verify(ring)
        let finding = try #require(report.findings.first)
        #expect(finding.finding == .content)
        #expect(finding.actual == Checksummer.withheld)
        await test.store.close()
    }

    @Test("Settings may ask for HMACs in any category, from their version on")
    func settingsDemand() async throws {
        let keyed = try await KeyedStore()
        let test = keyed.test
        let key = try KeyedStore.key("k1", 1)
        let ring = try KeyedStore.ring(key)
        let opened = try await keyed.open(ring)
        try await opened.ingest(KeyedStore.lines([KeyedStore.debug(2)]), from: "a")
        try await opened.apply(
            settings: Array("{\"categories\":{\"debug\":{\"checksum\":\"hmac-sha256\"}}}".utf8),
            actor: "me",
            reason: "stricter"
        )
        try await opened.ingest(KeyedStore.lines([KeyedStore.debug(3)]), from: "a")
        await opened.close()
        let rows = try await test.rows(
            "SELECT checksum_algorithm FROM events WHERE event_id IN ('d2', 'd3') ORDER BY position"
        )
        #expect(rows == [[.text("crc32")], [.text("hmac-sha256")]])
        #expect(try await keyed.verify(ring).isIntact)
        await test.store.close()
    }

    @Test("Sealing again adds checksums for what was recorded before, once, and the newest counts")
    func reseal() async throws {
        let keyed = try await KeyedStore()
        let test = keyed.test
        let (k1, k2) = (try KeyedStore.key("k1", 1), try KeyedStore.key("k2", 2))
        let both = try KeyedStore.ring(k1, k2)
        let opened = try await keyed.open(both)
        try await opened.ingest(
            KeyedStore.lines([KeyedStore.critical(2), KeyedStore.debug(2)]),
            from: "a"
        )
        let first = try await opened.reseal(actor: "me", reason: "older events")
        #expect(first.sealed == 1)
        #expect(first.events == 4)
        #expect(try await opened.reseal(actor: "me", reason: "again").sealed == 0)
        try await opened.register(k2, replacing: true, actor: "me", reason: "yearly")
        #expect(try await opened.reseal(actor: "me", reason: "new key").sealed == 2)
        await opened.close()
        let rows = try await test.rows(
            "SELECT position, algorithm, key_id FROM checksums ORDER BY checksum_id"
        )
        #expect(
            rows == [
                [.integer(1), .text("hmac-sha256"), .text("k1")],
                [.integer(1), .text("hmac-sha256"), .text("k2")],
                [.integer(3), .text("hmac-sha256"), .text("k2")],
            ]
        )
        // The new key is enough.
        let report = try await keyed.verify(KeyedStore.ring(k2))
        #expect(report.isIntact, "\(report.findings)")
        #expect(report.checksumsWithoutKey == 0)
        try test.tamper(
            "UPDATE checksums SET checksum = replace(checksum, 'a', 'b') WHERE checksum_id = 3"
        )
        #expect(
            try await keyed.verify(both).findings.contains {
                $0.finding == .content && $0.position == 3
            }
        )
        await test.store.close()
    }

    @Test("An event that was changed is never sealed")
    func resealRefuses() async throws {
        let keyed = try await KeyedStore()
        let test = keyed.test
        let key = try KeyedStore.key("k1", 1)
        let opened = try await keyed.open(KeyedStore.ring(key))
        try test.tamper("UPDATE events SET data = '{\"n\":7}' WHERE position = 1")
        let code = await failureCode {
            _ = try await opened.reseal(actor: "me", reason: "older events")
        }
        #expect(code == .integrity)
        #expect(try await test.rows("SELECT count(*) FROM checksums") == [[.integer(0)]])
        await opened.close()
        await test.store.close()
    }

    @Test("A declared HMAC is verified where the key is there; the right one is never recorded")
    func declared() async throws {
        let test = try await KeyedStore().test
        let key = try KeyedStore.key("k1", 1)
        let content = """
            {"data":{"n":8},"id":"8","source":"/s","specversion":"1.0","type":"db.failover"}
            """
        let tag = key.hmac.tag(of: Array(content.utf8)).hex
        func event(_ tag: String, key: String = "k1") -> String {
            KeyedStore.critical(
                8,
                more:
                    ",\"checksum\":\"\(tag)\",\"checksumalgorithm\":\"hmac-sha256\",\"checksumkeyid\":\"\(key)\""
            )
        }
        let wrong = String(tag.reversed())
        // Nobody can judge it yet, but no tag is short.
        let short = try await test.ingest(event(String(tag.prefix(32))), from: "b")
        #expect(short.outcomes.quarantined == 1)
        let opened = try await EventStore.open(at: test.path, keys: .ring(KeyedStore.ring(key)))
        let bad = try await opened.ingest(KeyedStore.lines([event(wrong)]), from: "b")
        #expect(bad.outcomes.quarantined == 1)
        let unknown = try await opened.ingest(
            KeyedStore.lines([event(wrong, key: "k7")]),
            from: "c"
        )
        #expect(unknown.outcomes.appended == 1)
        let good = try await opened.ingest(KeyedStore.lines([event(tag)]), from: "b")
        #expect(good.outcomes.confirmed == 1)
        await opened.close()
        let told = try await test.rows("SELECT count(*) FROM mismatches WHERE actual = '\(tag)'")
        #expect(told == [[.integer(0)]])
        await test.store.close()
    }

    @Test("A replay verifies HMACs with the ring, and goes by the tree without it")
    func replay() async throws {
        let keyed = try await KeyedStore()
        let test = keyed.test
        let key = try KeyedStore.key("k1", 1)
        let ring = try KeyedStore.ring(key)
        let opened = try await keyed.open(ring)
        try await opened.ingest(KeyedStore.lines([KeyedStore.critical(2)]), from: "a")
        await opened.close()
        func digest(_ keys: KeySource) async throws -> String {
            let opened = try await EventStore.open(at: test.path, keys: keys)
            let exported = Rows()
            try await opened.export {
                exported.add([.blob($0)])
                return true
            }
            await opened.close()
            return "\(exported.all.count)"
        }
        #expect(try await digest(.none) == "3")
        #expect(try await digest(.ring(ring)) == "3")
        try test.tamper("UPDATE events SET checksum = randomblob(32) WHERE position = 3")
        #expect(try await digest(.none) == "3")
        #expect(await failureCode { _ = try await digest(.ring(ring)) } == .integrity)
        await test.store.close()
    }

    @Test("A decision over a critical event has an HMAC too, and needs the key")
    func decision() async throws {
        let keyed = try await KeyedStore()
        let test = keyed.test
        let key = try KeyedStore.key("k1", 1)
        try await test.ingest(
            KeyedStore.critical(1).replacing("\"n\":1", with: "\"n\":2"),
            from: "b"
        )
        let opened = try await keyed.open(KeyedStore.ring(key))
        let decision = ManualResolution(
            conflictID: 1,
            choice: .take(origin: "b"),
            actor: "me",
            reason: "b knows"
        )
        #expect(await failureCode { try await test.store.resolve(decision) } == .keyMissing)
        try await opened.resolve(decision)
        await opened.close()
        let rows = try await test.rows(
            """
            SELECT r.checksum_algorithm, r.checksum_key_id, lower(hex(e.checksum)) = r.checksum_after
            FROM resolutions AS r
            JOIN effective_state AS e ON e.position = r.position
            """
        )
        #expect(rows == [[.text("hmac-sha256"), .text("k1"), .integer(1)]])
        await test.store.close()
    }
}
