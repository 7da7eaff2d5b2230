import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// A conflict, or the conflicts of one origin or source, may be as many and as large as the store.
extension GrowthTests {
    @Test("Many decisions over one conflict with many contents", arguments: [120])
    func decisions(_ size: Int) async throws {
        try await compare(size) { store, size, step in
            try await store.ingest(.bytes(Self.contents(size), named: "contents"), from: "a")
            _ = try await store.reconcile()
            for _ in 0..<size {
                try await store.reopen(conflict: 1, actor: "test", reason: "again")
                try await store.resolve(
                    ManualResolution(
                        conflictID: 1,
                        choice: .exclude,
                        actor: "test",
                        reason: "again"
                    )
                )
            }
            try await step("audit replay") {
                let found = try await store.replayAudit()
                #expect(found.manual == size && found.derived == 1 && found.drifts == [])
            }
        }
    }

    @Test("The pages of a comparison have each candidate once, beside the event as appended")
    func pages() async throws {
        let test = try await TestStore()
        try await test.store.ingest(.bytes(Self.contents(250), named: "contents"), from: "a")
        let all = try await test.store.candidates(of: 1)
        var seen: [[UInt8]?] = []
        var next: Int64? = 0
        while let after = next {
            let page = try #require(try await test.store.comparison(of: 1, after: after, limit: 40))
            #expect(page.candidates == 250 && page.columns.count <= 41)
            #expect(page.columns.first?.content == all[0].content)
            seen += page.columns.map(\.content).dropFirst(after > 0 ? 1 : 0)
            next = page.next
        }
        #expect(seen == all.map(\.content))
        var parts: [ConflictCandidate] = []
        while let page = try? await test.store.candidates(
            of: 1,
            after: Int64(parts.count),
            limit: 60
        ), !page.isEmpty { parts += page }
        #expect(parts == all)
        #expect(try await test.store.checkCandidates(of: 1) == 250)
        #expect(try await test.store.checkCandidates(of: 2) == nil)
        await test.store.close()
    }

    @Test("Many silences of one origin, over and not filled, then filled", arguments: [60])
    func silences(_ size: Int) async throws {
        let clock = ManualClock()
        var options = StoreOptions()
        options.clock = { clock.now }
        let first = TallystickTests.settings(#"{"use":"first_write_wins"}"#)
        try await compare(size, settings: first, options: options) { store, size, step in
            func ingest(_ lines: [String], from origin: String) async throws {
                clock.advance(seconds: 10_000)
                let bytes = Array(lines.joined(separator: "\n").utf8)
                try await store.ingest(.bytes(bytes, named: "lines"), from: origin)
            }
            try await ingest([event("before", "0")], from: "realtime")
            for number in 0..<size {
                try await ingest([event("a\(number)", "1")], from: "websocket")
                try await ingest([event("b\(number)", "1")], from: "realtime")
            }
            clock.advance(seconds: 10_000)
            try await step("reconcile") {
                let done = try await store.reconcile()
                #expect(done.byKind["origin_silent"] ?? 0 >= size)
                #expect(done.open >= size)
            }
            try await ingest((0..<size).map { event("a\($0)", "1") }, from: "realtime")
            try await step("reconcile what came late") {
                let late = try await store.reconcile().byPolicy["late_arrival"]
                #expect(late == Int64(size))
            }
        }
    }

    @Test("What a run costs depends on what is new, however many gaps there were", arguments: [300])
    func gaps(_ size: Int) async throws {
        let clock = ManualClock()
        var options = StoreOptions()
        options.clock = { clock.now }
        let first = TallystickTests.settings(#"{"use":"first_write_wins"}"#)
        try await compare(size, settings: first, options: options, growth: 1.3) {
            store,
            size,
            step in
            func ingest(_ numbers: Range<Int>) async throws {
                let lines = numbers.map { event("\($0)", "1", more: ",\"sequence\":\"\($0 * 2)\"") }
                let bytes = Array(lines.joined(separator: "\n").utf8)
                try await store.ingest(.bytes(bytes, named: "lines"), from: "websocket")
                clock.advance(seconds: 10_000)
            }
            try await ingest(0..<size)
            let found = try await store.reconcile().byKind["sequence_gap"]
            #expect(found ?? 0 >= size - 1)
            try await ingest(size..<size + 1)
            try await step("one more gap") {
                let found = try await store.reconcile().byKind
                #expect(found == ["sequence_gap": 1])
            }
        }
    }
}
