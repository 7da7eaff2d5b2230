import Tallystick
import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

@Suite("Sealed heads and proofs of a store")
struct SealTests {
    private func event(_ id: Int) -> String {
        eventLine(id, data: #"{"n":\#(id)}"#)
    }

    private func fill(_ test: TestStore, _ range: Range<Int>) async throws {
        let lines = range.map(event).joined(separator: "\n")
        try await test.store.ingest(.bytes(Array(lines.utf8), named: "lines"), from: "a")
    }

    private func signer() throws -> NoteSigner { try NoteSigner(name: "seal.example") }

    @Test("Events of every part of the tree are proved without the store, from notes of any age")
    func events() async throws {
        let test = try await TestStore()
        let signer = try signer()
        try await fill(test, 0..<3)
        let early = try await test.store.seal(with: signer)
        try await fill(test, 3..<1000)
        let late = try await test.store.seal(with: signer)
        #expect(late.head.events.size == 1000)
        #expect(late.number == early.number + 1)
        for position in [1, 2, 256, 257, 768, 769, 1000] as [Int64] {
            let proof = try await test.store.proveEvent(at: Position(position))
            let read = try EventProof(parsing: proof.bytes)
            let proved = try read.verify(with: [signer.verifier])
            #expect(proved.position == Position(position))
            #expect(proved.head == late.head)
        }
        let old = try await test.store.proveEvent(at: Position(2), in: early.note)
        #expect(try old.verify(with: [signer.verifier]).head == early.head)
        #expect(
            old.content
                == Array(
                    "{\"data\":{\"n\":1},\"id\":\"1\",\"source\":\"/s\",\"specversion\":\"1.0\",\"type\":\"t\"}"
                        .utf8
                )
        )
        let bare = try await test.store.proveEvent(at: Position(2), showingContent: false)
        #expect(bare.content == nil)
        #expect(try bare.verify(with: [signer.verifier]).position == Position(2))
        #expect(try await test.store.position(ofSource: "/s", id: "7") == Position(8))
        #expect(try await test.store.position(ofSource: "/s", id: "none") == nil)
        await test.store.close()
    }

    @Test("What no sealed head covers has no proof")
    func notSealed() async throws {
        let test = try await TestStore()
        try await fill(test, 0..<2)
        let unsealed = await failureCode { _ = try await test.store.proveEvent(at: Position(1)) }
        #expect(unsealed == .notFound)
        let sealed = try await test.store.seal(with: signer())
        try await fill(test, 2..<4)
        for position in [0, -1, 3, 9] as [Int64] {
            let code = await failureCode {
                _ = try await test.store.proveEvent(at: Position(position), in: sealed.note)
            }
            #expect(code == .notFound, "\(position)")
        }
        await test.store.close()
    }

    @Test("Growth is proved between any two heads, and never backwards")
    func consistency() async throws {
        let test = try await TestStore()
        let signer = try signer()
        var notes: [SignedNote] = [try await test.store.seal(with: signer).note]
        var next = 0
        for count in [1, 2, 253, 1, 600] {
            try await fill(test, next..<next + count)
            next += count
            notes.append(try await test.store.seal(with: signer).note)
        }
        for (index, earlier) in notes.enumerated() {
            for later in notes[index...] {
                let proof = try await test.store.proveConsistency(from: earlier, to: later)
                let read = try HeadConsistency(parsing: proof.bytes)
                let head = try read.verify(from: earlier, with: [signer.verifier])
                #expect(head.noteText == later.text)
            }
        }
        let code = await failureCode {
            _ = try await test.store.proveConsistency(from: notes[3], to: notes[1])
        }
        #expect(code == .invalidArgument)
        await test.store.close()
    }

    @Test("A note of another store is refused")
    func anotherStore() async throws {
        let (test, other) = (try await TestStore(), try await TestStore())
        let signer = try signer()
        try await fill(test, 0..<3)
        try await fill(other, 0..<3)
        let foreign = try await other.store.seal(with: signer).note
        _ = try await test.store.seal(with: signer)
        let event = await failureCode {
            _ = try await test.store.proveEvent(at: Position(1), in: foreign)
        }
        #expect(event == .historyDiffers)
        let growth = await failureCode {
            _ = try await test.store.proveConsistency(from: foreign)
        }
        #expect(growth == .historyDiffers)
        await test.store.close()
        await other.store.close()
    }

    @Test("Nothing is signed, and no event proved, where history is another than was sealed")
    func otherHistory() async throws {
        let test = try await TestStore()
        let signer = try signer()
        try await fill(test, 0..<3)
        _ = try await test.store.seal(with: signer)
        try test.tamper("UPDATE events SET data = '{}' WHERE position = 2")
        let proof = await failureCode { _ = try await test.store.proveEvent(at: Position(2)) }
        #expect(proof == .integrity)
        try test.tamper("UPDATE merkle_tail SET hash = zeroblob(32) WHERE log = 'events'")
        let opened = try await EventStore.open(at: test.path)
        let code = await failureCode { _ = try await opened.seal(with: signer) }
        #expect(code == .historyDiffers)
        #expect(try await test.rows("SELECT count(*) FROM tree_heads") == [[.integer(1)]])
        await opened.close()
        await test.store.close()
    }

    @Test("With a ring, registering, sealing and closing store heads that the key vouches for")
    func vouchedHeads() async throws {
        let test = try await TestStore()
        let key = try KeyRing.Key(
            id: "k1",
            activatedAt: 1,
            secret: CanaryKeys.secret(1)
        )
        var ring = KeyRing()
        try ring.add(key)
        let opened = try await EventStore.open(at: test.path, keys: .ring(ring))
        try await opened.register(key, actor: "me", reason: "first")
        _ = try await opened.seal(with: try signer())
        try await opened.ingest(.bytes(Array(event(1).utf8), named: "l"), from: "a")
        await opened.close()
        let rows = try await test.rows(
            "SELECT head, key_id, length(hmac), note IS NULL FROM tree_heads ORDER BY head"
        )
        #expect(
            rows == [
                [.integer(1), .text("k1"), .integer(64), .integer(1)],
                [.integer(2), .text("k1"), .integer(64), .integer(0)],
                [.integer(3), .text("k1"), .integer(64), .integer(1)],
            ]
        )
        // Nothing new: nothing to vouch for.
        let again = try await EventStore.open(at: test.path, keys: .ring(ring))
        await again.close()
        #expect(try await test.rows("SELECT count(*) FROM tree_heads") == [[.integer(3)]])
        await test.store.close()
    }

    @Test(
        "A note that is not over the head it is stored with is found, without any key",
        arguments: [
            "UPDATE tree_heads SET note = 'garbage' WHERE note IS NOT NULL",
            "UPDATE tree_heads SET note = replace(note, 'copies 0', 'copies 1')",
            """
            UPDATE tree_heads SET note = (SELECT note FROM tree_heads WHERE head = 1)
            WHERE head = 2
            """,
        ]
    )
    func tamperedNotes(_ sql: String) async throws {
        let test = try await TestStore()
        for number in 1...2 {
            try await test.store.ingest(.bytes(Array(event(number).utf8), named: "l"), from: "a")
            _ = try await test.store.seal(with: try signer())
        }
        #expect(try await test.store.verify().isIntact)
        try test.tamper(sql)
        let findings = try await test.store.verify().findings
        #expect(findings.contains { $0.finding == .head }, "\(findings)")
        await test.store.close()
    }

    @Test(
        "A head that the key does not vouch for is found with the ring, and so is a key put in its place",
        arguments: [
            ("UPDATE tree_heads SET hmac = printf('%064d', 0) WHERE head = 1", "head"),
            ("UPDATE tree_heads SET recorded_at = recorded_at + 1 WHERE head = 1", "head"),
            ("UPDATE tree_heads SET events_root = printf('%064d', 0) WHERE head = 2", "fork"),
            ("UPDATE tree_heads SET audit_size = 900 WHERE head = 2", "truncation"),
            ("DELETE FROM tree_heads WHERE head = 1", "sequence"),
            ("DELETE FROM tree_heads", "head"),
            ("UPDATE tree_heads SET hmac = NULL, key_id = NULL", "head"),
            ("UPDATE keys SET fingerprint = printf('%064d', 0)", "key"),
        ]
    )
    func tamperedHeads(_ sql: String, _ finding: String) async throws {
        let test = try await TestStore()
        let key = try KeyRing.Key(
            id: "k1",
            activatedAt: 1,
            secret: CanaryKeys.secret(1)
        )
        var ring = KeyRing()
        try ring.add(key)
        let opened = try await EventStore.open(at: test.path, keys: .ring(ring))
        try await opened.register(key, actor: "me", reason: "first")
        try await opened.ingest(.bytes(Array(event(1).utf8), named: "l"), from: "a")
        await opened.close()
        let reading = try await EventStore.open(at: test.path, keys: .ring(ring))
        let before = try await reading.verify()
        #expect(before.isIntact, "\(before.findings)")
        try test.tamper(sql)
        let after = try await reading.verify()
        #expect(
            after.findings.contains { $0.finding.rawValue == finding },
            "\(sql): \(after.findings)"
        )
        await reading.close()
        await test.store.close()
    }
}
