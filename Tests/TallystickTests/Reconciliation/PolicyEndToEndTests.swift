import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Each policy from stored copies to audit row, effective event and projection.
@Suite("Policies, end to end")
struct PolicyEndToEndTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var chain: String
        /// Copies in order of arrival: origin and event.
        var copies: [(String, String)]
        var decision: String
        var winner: String
        var tieBreak: String = "NULL"
        /// The data that counts; nil where nothing does.
        var data: String?
        var testDescription: String { chain }
    }

    static let early = "2026-03-01T09:00:00Z"
    static let late = "2026-03-01T09:00:05Z"

    static let rows: [Row] = [
        Row(
            chain: #"{"use":"first_write_wins"}"#,
            copies: [
                ("realtime", event("1", #"{"v":1}"#)), ("websocket", event("1", #"{"v":2}"#)),
            ],
            decision: "take",
            winner: "realtime",
            data: #"{"v":1}"#
        ),
        Row(
            chain: #"{"use":"last_write_wins"}"#,
            copies: [
                ("realtime", event("1", #"{"v":1}"#, time: early)),
                ("websocket", event("1", #"{"v":2}"#, time: late)),
            ],
            decision: "take",
            winner: "websocket",
            data: #"{"v":2}"#
        ),
        Row(
            chain: #"{"use":"origin_priority"}"#,
            copies: [
                ("realtime", event("1", #"{"v":1}"#)), ("websocket", event("1", #"{"v":2}"#)),
            ],
            decision: "take",
            winner: "websocket",
            data: #"{"v":2}"#
        ),
        Row(
            chain: #"{"use":"highest","pointer":"/v"}"#,
            copies: [
                ("realtime", event("1", #"{"v":10}"#)), ("websocket", event("1", #"{"v":9}"#)),
            ],
            decision: "take",
            winner: "realtime",
            data: #"{"v":10}"#
        ),
        Row(
            chain: #"{"use":"lowest","pointer":"/v"}"#,
            copies: [
                ("realtime", event("1", #"{"v":10}"#)), ("websocket", event("1", #"{"v":9}"#)),
            ],
            decision: "take",
            winner: "websocket",
            data: #"{"v":9}"#
        ),
        Row(
            chain: #"{"use":"majority"}"#,
            copies: [
                ("realtime", event("1", #"{"v":1}"#)), ("websocket", event("1", #"{"v":2}"#)),
                ("poll", event("1", #"{"v":2}"#)),
            ],
            decision: "take",
            winner: "websocket",
            data: #"{"v":2}"#
        ),
        Row(
            chain: #"{"use":"quorum","k":2}"#,
            copies: [
                ("realtime", event("1", #"{"v":1}"#)), ("webhook", event("1", #"{"v":3}"#)),
                ("poll", event("1", #"{"v":1}"#)),
            ],
            decision: "take",
            winner: "realtime",
            data: #"{"v":1}"#
        ),
        Row(
            chain: #"{"use":"field_merge","fields":{"/v":"max","/w":{"take":"realtime"}}}"#,
            copies: [
                ("realtime", event("1", #"{"v":1,"w":"r"}"#)),
                ("websocket", event("1", #"{"v":2,"w":"s"}"#)),
            ],
            decision: "merge",
            winner: "NULL",
            data: #"{"v":2,"w":"r"}"#
        ),
        Row(
            chain: #"{"use":"majority"},{"use":"quarantine"}"#,
            copies: [
                ("realtime", event("1", #"{"v":1}"#)), ("websocket", event("1", #"{"v":2}"#)),
            ],
            decision: "exclude",
            winner: "NULL",
            data: nil
        ),
    ]

    @Test(
        "A decision is a row of the trail, what the event counts as, and what a projection sees",
        arguments: rows
    )
    func decided(_ row: Row) async throws {
        let test = try await TestStore(settings: settings(row.chain), clock: ManualClock())
        for (origin, line) in row.copies { try await test.ingest(line, from: origin) }
        let appended = try await test.projected()
        #expect(appended.count == 1)
        let done = try await test.store.reconcile()
        #expect(done.state == .completed)
        #expect(done.found == 1)
        #expect(done.resolved == 1)
        #expect(done.open == 0)
        #expect(done.byPolicy == ["p": 1])
        #expect(
            try await test.text(
                """
                SELECT printf('%s|%s|%s|%s|%s', decision, coalesce(winner_origin, 'NULL'),
                    coalesce(tie_break, 'NULL'), policy, actor)
                FROM resolution_trail
                """
            ) == "\(row.decision)|\(row.winner)|\(row.tieBreak)|p|reconcile"
        )
        #expect(
            try await test.text(
                "SELECT kind FROM audit_trail ORDER BY audit_sequence DESC LIMIT 1"
            ) == "resolution"
        )
        #expect(try await test.text("SELECT data FROM effective_events") == row.data ?? "")
        let seen = try await test.projected()
        let value = row.data.flatMap { try? JSONDocument(Array($0.utf8)).root["v"] }
        let expected = value.map {
            [[SQLValue.text("1"), .text(String(decoding: $0.canonical, as: UTF8.self))]]
        }
        #expect(seen == expected ?? [])
        let again = try await test.store.replayAudit()
        #expect(again.drifts == [])
        #expect(again.derived == 1)
        #expect(try await test.store.verify().isIntact)
    }

    @Test("manual leaves a conflict to people, halt stops the run, and both say under which policy")
    func undecided() async throws {
        for (chain, state, cause) in [
            (#"{"use":"majority"},{"use":"manual"}"#, ReconciliationMachine.State.completed, nil),
            (#"{"use":"halt"}"#, .paused, "policy 'p' halts at conflict 1"),
        ] {
            let test = try await TestStore(settings: settings(chain), clock: ManualClock())
            try await test.ingest(event("1", #"{"v":1}"#), from: "realtime")
            try await test.ingest(event("1", #"{"v":2}"#), from: "websocket")
            let done = try await test.store.reconcile()
            #expect(done.state == state)
            #expect(done.cause == cause)
            #expect(done.open == 1)
            #expect(done.resolved == 0)
            if state == .completed {
                #expect(try await test.text("SELECT policy FROM open_conflicts") == "p")
            }
            #expect(try await test.text("SELECT state FROM effective_events") == "disputed")
        }
    }

    private struct Mine: ResolutionPolicy {
        let version = "3"
        var behaviour: String

        struct Refusal: Error {}

        func decide(_ conflict: ConflictCase) async throws -> PolicyAnswer? {
            switch behaviour {
            case "last": return conflict.candidates.last.map { .take(candidate: $0.number) }
            case "throws": throw Refusal()
            case "late":
                // Longer than any test runs; its deadline cancels it.
                try await Task.sleep(for: .seconds(86_400))
                return .exclude
            case "invalid": return .merge(content: Array("{}".utf8))
            default: return nil
            }
        }
    }

    @Test(
        "A program's policy decides; one that throws, is late or gives no event leaves the conflict open, with the reason"
    )
    func programs() async throws {
        let chain = #"{"use":"swift","type":"Mine"},{"use":"first_write_wins"}"#
        let expected = [
            ("last", "2", ""), ("passes", "1", ""), ("throws", "1", "policy_failed"),
            ("late", "1", "policy_failed"), ("invalid", "1", "policy_failed"),
        ]
        for (behaviour, value, blocked) in expected {
            let test = try await TestStore(settings: settings(chain), clock: ManualClock())
            try await test.ingest(event("1", #"{"v":1}"#), from: "realtime")
            try await test.ingest(event("1", #"{"v":2}"#), from: "websocket")
            var options = ReconcileOptions()
            options.policies.deadline = behaviour == "late" ? .milliseconds(200) : .seconds(600)
            options.policies.register(Mine(behaviour: behaviour), as: "Mine")
            let done = try await test.store.reconcile(options)
            #expect(done.resolved == (blocked.isEmpty ? 1 : 0), "\(behaviour)")
            #expect(done.state == .completed, "\(behaviour)")
            #expect(try await test.text("SELECT data ->> 'v' FROM effective_events") == value)
            #expect(try await test.text("SELECT blocked_by FROM open_conflicts") == blocked)
            let again = try await test.store.replayAudit()
            #expect(again.driftCount == 0)
            #expect(again.notDerivable == (blocked.isEmpty ? 1 : 0))
            if !blocked.isEmpty {
                // Asked again by the next run, with a policy that works.
                options.policies.deadline = .seconds(600)
                options.policies.register(Mine(behaviour: "last"), as: "Mine")
                #expect(try await test.store.reconcile(options).resolved == 1)
            }
        }
    }
}
