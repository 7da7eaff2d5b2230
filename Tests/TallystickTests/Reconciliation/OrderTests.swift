import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Decisions and the order of arrival")
struct OrderTests {
    @Test(
        "The same copies in any order and batch give the same decisions and content",
        arguments: 0..<6
    )
    func order(_ seed: Int) async throws {
        let chain =
            #"{"use":"field_merge","fields":{"/n":"max"}},{"use":"quorum","k":2},{"use":"origin_priority"}"#
        var copies: [(String, String)] = []
        for id in 1...12 {
            for (index, origin) in ["websocket", "realtime", "poll"].enumerated() {
                let other = (id + index) % 4 == 0 ? ",\"w\":\(index)" : ""
                copies.append((origin, event("\(id)", "{\"n\":\(id % 3 + index)\(other)}")))
            }
        }
        let reference = try await decided(copies, chain)
        var generator = SeededGenerator(seed: UInt64(seed))
        copies.shuffle(using: &generator)
        let other = try await decided(copies, chain)
        #expect(other.digest == reference.digest, "seed \(seed)")
        #expect(other.content == reference.content, "seed \(seed)")
    }

    @Test(
        "Which of the copies that agree came first shows in what the settings ignore, and nowhere else",
        arguments: 0..<6
    )
    func ignoredOrder(_ seed: Int) async throws {
        let chain = #"{"use":"field_merge","fields":{"/n":"max"}},{"use":"quorum","k":2}"#
        var copies: [(String, String)] = []
        for id in 1...12 {
            for (index, origin) in ["websocket", "realtime", "poll", "webhook"].enumerated() {
                // Two against two in `w`, or in `n`; nothing but a digest tells them apart.
                let field = id % 2 == 0 ? "w" : "n"
                let data = "{\"\(field)\":\(index % 2),\"seen\":\"\(origin) \(id)\"}"
                copies.append((origin, event("\(id)", data)))
            }
        }
        let reference = try await agreed(copies, chain)
        var generator = SeededGenerator(seed: UInt64(seed))
        copies.shuffle(using: &generator)
        #expect(try await agreed(copies, chain) == reference, "seed \(seed)")
    }

    // MARK: Content digests

    /// A policy that does not ask for the order of arrival.
    struct Policy: Sendable, CustomTestStringConvertible {
        var chain: String
        /// Whether copies that disagree say so in `time` too, as `last_write_wins` needs it.
        var hasOtherTimes = false
        var testDescription: String { chain }
    }

    static let policies = [
        Policy(chain: #"{"use":"field_merge","fields":{"/n":"max"}}"#),
        Policy(
            chain: #"{"use":"field_merge","fields":{"/n":"union"}},{"use":"lowest","pointer":"/n"}"#
        ),
        Policy(chain: #"{"use":"quorum","k":2},{"use":"origin_priority"}"#),
        Policy(chain: #"{"use":"quorum","k":1}"#),
        Policy(chain: #"{"use":"majority"},{"use":"highest","pointer":"/n"}"#),
        Policy(chain: #"{"use":"origin_priority"}"#),
        Policy(chain: #"{"use":"highest","pointer":"/n"}"#),
        Policy(chain: #"{"use":"lowest","pointer":"/n"}"#),
        Policy(chain: #"{"use":"last_write_wins"}"#, hasOtherTimes: true),
        Policy(chain: #"{"use":"majority"},{"use":"quarantine"}"#, hasOtherTimes: true),
        Policy(chain: #"{"use":"quarantine"}"#),
    ]

    private static let events: Int64 = 16
    private static let origins = ["websocket", "realtime", "poll", "webhook"]

    /// Copies that agree differ in what the settings ignore, and in how their time is written.
    private func copies(hasOtherTimes: Bool = false) -> [(String, String)] {
        let offsets = ["00.5Z", "00.500000Z", "00.50+00:00", "00.5-00:00"]
        return (1...Int(Self.events)).flatMap { id in
            Self.origins.indices.map { index in
                // All the same, three against one, two against two, or all different.
                let n = [0, index / 3, index % 2, index][id % 4] + id
                let minute = hasOtherTimes ? 10 + n : 10
                let data =
                    "{\"n\":\(n),\"seen\":\"\(Self.origins[index]) \(id)\",\"way\":[1,\(index)]}"
                let copy = event(
                    "\(id)",
                    data,
                    time: "2026-03-01T10:\(minute):\(offsets[index])",
                    more: ",\"hop\":\"\(index)\""
                )
                return (Self.origins[index], copy)
            }
        }
    }

    /// Ingests copies in their order, those of one origin that follow each other as one batch.
    private func fed(_ copies: [(String, String)], _ chain: String) async throws -> TestStore {
        let ignoring =
            #","compare":{"ignore_attributes":["hop"],"ignore_data":["/seen","/way/1"]}"#
        let test = try await TestStore(
            settings: settings(chain, more: ignoring),
            clock: ManualClock()
        )
        try await feed(copies[...], to: test)
        return test
    }

    private func feed(_ copies: ArraySlice<(String, String)>, to test: TestStore) async throws {
        var rest = copies
        while let origin = rest.first?.0 {
            let batch = rest.prefix { $0.0 == origin }
            rest = rest.dropFirst(batch.count)
            try await test.ingest(batch.map(\.1).joined(separator: "\n"), from: origin)
        }
    }

    @Test(
        "The same copies in any order, batches and number of runs have the same content digest",
        arguments: policies
    )
    func contentDigest(_ policy: Policy) async throws {
        let copies = copies(hasOtherTimes: policy.hasOtherTimes)
        let reference = try await fed(copies, policy.chain)
        #expect(try await reference.store.reconcile().open == 0)
        let expected = try await reference.store.contentDigest()
        #expect(expected.disputed == 0 && expected.position == Position(Self.events))
        let counted = try await reference.text("SELECT count(*) FROM effective_events")
        #expect(String(expected.events) == counted)

        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededGenerator(seed: seed)
        var byOrigin = copies
        byOrigin.sort { $0.0 < $1.0 }
        for order in [Array(copies.reversed()), byOrigin, copies.shuffled(using: &generator)] {
            let again = order + order.shuffled(using: &generator).prefix(20)
            let half = Int.random(in: 0...order.count, using: &generator)
            let test = try await fed(Array(again[..<half]), policy.chain)
            _ = try await test.store.reconcile()
            try await feed(again[half...], to: test)
            for _ in 1...2 { #expect(try await test.store.reconcile().open == 0) }
            let digest = try await test.store.contentDigest()
            #expect(digest.sha256 == expected.sha256, "seed \(seed)")
            #expect(digest.events == expected.events && digest.disputed == 0, "seed \(seed)")
        }
    }

    @Test("Stores that agree in what counts have one content digest, though their bytes differ")
    func agreeing() async throws {
        let copies = copies().filter { $0.1.contains("\"id\":\"4\"") }
        let sql = "SELECT checksum FROM effective_events"
        let (forth, back) = (
            try await fed(copies, #"{"use":"manual"}"#),
            try await fed(copies.reversed(), #"{"use":"manual"}"#)
        )
        #expect(try await forth.rows(sql) != back.rows(sql))
        let digest = try await forth.store.contentDigest()
        #expect(digest.sha256 == (try await back.store.contentDigest()).sha256)
        #expect(digest.events == 1 && digest.disputed == 0)
    }

    @Test("Where the order of arrival decides, or nobody has yet, it shows in the content digest")
    func arrival() async throws {
        let copies = copies()
        for (chain, disputed) in [
            (#"{"use":"first_write_wins"}"#, Int64(0)),
            (#"{"use":"last_write_wins"}"#, 0), (#"{"use":"manual"}"#, 12),
        ] {
            var digests: [StoreContentDigest] = []
            for order in [copies, copies.reversed()] {
                let test = try await fed(order, chain)
                _ = try await test.store.reconcile()
                digests.append(try await test.store.contentDigest())
            }
            #expect(digests[0].sha256 != digests[1].sha256, "\(chain)")
            #expect(digests.map(\.disputed) == [disputed, disputed], "\(chain)")
            #expect(digests.map(\.events) == [Self.events, Self.events], "\(chain)")
        }
    }

    // MARK: Decisions

    /// What was decided, without what the settings ignore.
    private func agreed(
        _ copies: [(String, String)],
        _ chain: String
    ) async throws -> [[SQLValue]] {
        let ignoring = #","compare":{"ignore_data":["/seen"]}"#
        let test = try await TestStore(
            settings: settings(chain, more: ignoring),
            clock: ManualClock()
        )
        for (origin, line) in copies { try await test.ingest(line, from: origin) }
        let done = try await test.store.reconcile()
        #expect(done.open == 0 && done.resolved == 12)
        #expect(try await test.store.replayAudit().drifts == [])
        return try await test.rows(
            """
            SELECT t.event_id, t.kind, t.policy, t.decision, t.winner_origin, t.tie_break,
                json_remove(e.data, '$.seen')
            FROM resolution_trail AS t
            JOIN effective_events AS e ON e.position = t.position
            ORDER BY t.event_id
            """
        )
    }

    private func decided(
        _ copies: [(String, String)],
        _ chain: String
    ) async throws -> (digest: String, content: [[SQLValue]]) {
        let test = try await TestStore(settings: settings(chain), clock: ManualClock())
        for (origin, line) in copies { try await test.ingest(line, from: origin) }
        let done = try await test.store.reconcile()
        #expect(done.open == 0)
        return (
            done.decisionsDigest,
            try await test.rows("SELECT event_id, data FROM effective_events ORDER BY event_id")
        )
    }
}
