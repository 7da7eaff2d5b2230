import Tallystick
import TallystickCore
import TallystickTestKit
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

    /// What was decided, without what the settings ignore.
    private func agreed(
        _ copies: [(String, String)],
        _ chain: String
    ) async throws -> [[SQLValue]] {
        let ignoring = #","compare":{"ignore_data":["/seen"]}"#
        let test = try await ReconcileStore(settings: settings(chain, more: ignoring))
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
        let test = try await ReconcileStore(settings: settings(chain))
        for (origin, line) in copies { try await test.ingest(line, from: origin) }
        let done = try await test.store.reconcile()
        #expect(done.open == 0)
        return (
            done.decisionsDigest,
            try await test.rows("SELECT event_id, data FROM effective_events ORDER BY event_id")
        )
    }
}
