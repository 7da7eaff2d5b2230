import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Verification in pieces")
struct CursorTests {
    @Test("Pieces find what a run in one piece finds, and check each record once")
    func pieces() async throws {
        let template = try await TemplateStore.make()
        let path = try template.copy("pieces.db")
        let database = try PlainSQLite(path)
        try database.withoutGuards(of: "events") {
            try database.run("UPDATE events SET subject = 'x' WHERE position = 300")
        }
        try database.run("UPDATE event_identities SET position = 7 WHERE position = 8")
        // A handle that writes would put what it finds on record, and so add rows.
        var readOnly = StoreOptions()
        readOnly.access = .readOnly
        let store = try await EventStore.open(at: path, options: readOnly)
        let whole = try await store.verify()
        #expect(whole.findingCount > 2)
        var options = VerifyOptions()
        var findings = 0
        var checked: [Int64] = [0, 0, 0, 0]
        var isComplete = false
        for run in 0..<400 where !isComplete {
            // The time is used up after a piece or two; a slow machine is given more of it until it comes to the end.
            options.duration = .microseconds(300 << (run / 20))
            let report = try await store.verify(options)
            findings += report.findingCount
            let counts = [report.events, report.copies, report.auditRows, report.tiles]
            for index in counts.indices { checked[index] += counts[index] }
            isComplete = report.isComplete
            #expect(isComplete || report.cursor != nil)
            #expect(!isComplete || report.earlierFindings + report.findingCount == findings)
            #expect(!isComplete || !report.isIntact)
            options.cursor = report.cursor
        }
        #expect(isComplete)
        // Names of index rows may be left out where the time is used up; that there are some is said.
        #expect((3...whole.findingCount).contains(findings))
        #expect(checked == [whole.events, whole.copies, whole.auditRows, whole.tiles])
        await store.close()
    }

    @Test("After a complete run, the next one checks only what was added, indexes included")
    func incremental() async throws {
        let template = try await TemplateStore.make()
        let path = try template.copy("incremental.db")
        let ring = try TemplateStore.ring()
        let store = try await EventStore.open(at: path, keys: .ring(ring))
        let first = try await store.verify()
        var options = VerifyOptions()
        options.cursor = first.cursor
        #expect(first.cursor != nil)
        let nothing = try await store.verify(options)
        #expect(nothing.events == 0)
        #expect(nothing.isIntact && nothing.isComplete)
        #expect(nothing.notChecked.contains { $0.what == "events" && $0.records == first.events })
        var generator = EventGenerator(seed: 3, streams: 5)
        try await store.ingest(.bytes(generator.events(300), named: "more"), from: "webhook")
        let more = try await store.verify(options)
        #expect(more.events == 300)
        #expect(more.isIntact, "\(more.findings.prefix(3))")
        let position = first.events + 5
        try PlainSQLite(path).run("DELETE FROM event_identities WHERE position = \(position)")
        let broken = try await store.verify(options)
        #expect(
            broken.findings.contains { $0.record == "event_identities for position \(position)" }
        )
        #expect(broken.cursor == nil)
        await store.close()
    }

    @Test("A cursor of another store, of other history, or changed by hand is refused")
    func foreign() async throws {
        let template = try await TemplateStore.make()
        let path = try template.copy("a.db")
        let store = try await EventStore.open(at: path)
        let cursor = try #require(try await store.verify().cursor)
        let other = try await TestStore()
        var options = VerifyOptions()
        options.cursor = cursor
        #expect(
            await failureCode { _ = try await other.store.verify(options) } == .historyDiffers
        )
        for text in ["", "events:0", "verify1..", cursor + "0", String(cursor.dropLast(1))] {
            options.cursor = text
            #expect(
                await failureCode { _ = try await store.verify(options) } == .invalidArgument,
                "\(text)"
            )
        }
        await store.close()
        // The same store, with a tree that is made again after a change.
        try Forgery.rewrite(path, "UPDATE events SET subject = 'forged' WHERE event_id = 'a3'")
        try PlainSQLite(path).run("DELETE FROM tree_heads")
        let forged = try await EventStore.open(at: path)
        #expect(try await forged.verify().isIntact, "without a head this cannot be found")
        options.cursor = cursor
        #expect(await failureCode { _ = try await forged.verify(options) } == .historyDiffers)
        await forged.close()
        await other.store.close()
    }

    @Test("With a ring, a cursor that was rewritten is refused, however its seal was made again")
    func rewritten() async throws {
        let template = try await TemplateStore.make()
        let path = try template.copy("cursor.db")
        let ring = try TemplateStore.ring()
        let keyed = try await EventStore.open(at: path, keys: .ring(ring))
        let keyless = try await EventStore.open(at: path)
        func judge(_ cursor: String, by store: EventStore) async -> StoreError.Code? {
            var options = VerifyOptions()
            options.cursor = cursor
            return await failureCode { _ = try await store.verify(options) }
        }
        let cursor = try #require(try await keyed.verify().cursor)
        #expect(await judge(cursor, by: keyed) == nil)
        #expect(await judge(cursor, by: keyless) == .historyDiffers)
        let parts = cursor.split(separator: ".").map(String.init)
        let body = String(decoding: Base64.decode(Array(parts[1].utf8)) ?? [], as: UTF8.self)
        let (prefix, key) = ("tallystick verify cursor 1\n", #","key_id":"k1""#)
        #expect(body.contains(key))
        func sealed(_ body: String, _ tag: SHA256Digest) -> String {
            var text: [UInt8] = []
            Base64.encode(Array(body.utf8), to: &text)
            return "\(parts[0]).\(String(decoding: text, as: UTF8.self)).\(tag.hex)"
        }
        let another = try KeyRing.Key(id: "k1", activatedAt: 1, secret: CanaryKeys.secret(99))
        for changed in [
            body, body.replacing("\"findings\":0", with: "\"findings\":1"),
            body.replacing("\"base_events\":0", with: "\"base_events\":9"),
        ] {
            for text in [changed, changed.replacing(key, with: "")] {
                let message = Array((prefix + text).utf8)
                for tag in [SHA256Digest(hashing: message), another.hmac.tag(of: message), .zero] {
                    let code = await judge(sealed(text, tag), by: keyed)
                    let expected: StoreError.Code =
                        text.contains(key) ? .invalidArgument : .historyDiffers
                    #expect(code == expected, "\(text)")
                }
            }
        }
        // The right key takes what it made: the seal is all that stands between.
        let right = ring.keys[0].hmac.tag(of: Array((prefix + body).utf8))
        #expect(await judge(sealed(body, right), by: keyed) == nil)
        let old = try #require(try await keyless.verify().cursor)
        #expect(await judge(old, by: keyed) == .historyDiffers)
        await keyed.close()
        await keyless.close()
    }

    @Test("Writers go on while a verification runs, and disturb it not")
    func writers() async throws {
        let test = try await TestStore()
        var generator = EventGenerator(seed: 9, streams: 50)
        try await test.store.ingest(.bytes(generator.events(4000), named: "a"), from: "websocket")
        let batches = (0..<8).map { _ in generator.events(700) }
        let store = test.store
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for batch in batches {
                    try await store.ingest(.bytes(batch, named: "b"), from: "websocket")
                    try await store.ingest(.bytes(batch, named: "b"), from: "realtime")
                }
            }
            for _ in 0..<3 {
                group.addTask {
                    for _ in 0..<3 {
                        let report = try await store.verify()
                        #expect(report.isIntact, "\(report.findings.prefix(3))")
                    }
                }
            }
            try await group.waitForAll()
        }
        await store.close()
    }
}
