import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Takes the candidate with the most supporters, else the first.
private struct Popular: ResolutionPolicy {
    let version = "1"

    func decide(_ conflict: ConflictCase) async throws -> PolicyAnswer? {
        let most = conflict.candidates.map(\.supporters.count).max()
        return conflict.candidates.first { $0.supporters.count == most }
            .map { .take(candidate: $0.number) }
    }
}

/// Decisions of every policy under five configurations. `TALLY_DECISIONS` says how many;
/// `Tests/audit-replay-run.sh` makes 100,000.
@Suite("Deriving many decisions again")
struct AuditReplayCampaignTests {
    private static let decisions =
        ProcessInfo.processInfo.environment["TALLY_DECISIONS"].flatMap { Int($0) } ?? 600
    private static let rounds = 5

    /// One chain a category.
    private static let chains = [
        #"{"use":"first_write_wins"}"#,
        #"{"use":"last_write_wins","tie_break":"origin_priority"}"#,
        #"{"use":"origin_priority"}"#,
        #"{"use":"highest","pointer":"/v"},{"use":"first_write_wins"}"#,
        #"{"use":"lowest","pointer":"/v","tie_break":"first_write_wins"},{"use":"quarantine"}"#,
        #"{"use":"majority"},{"use":"origin_priority"}"#,
        #"{"use":"quorum","k":2},{"use":"first_write_wins"}"#,
        #"{"use":"field_merge","fields":{"/v":"max","/t":"union"}},{"use":"last_write_wins"}"#,
        #"{"use":"field_merge","fields":{"/v":"newest","/t":{"take":"poll"}}},{"use":"first_write_wins"}"#,
        #"{"use":"quarantine"}"#,
        #"{"use":"swift","type":"Popular"}"#,
        #"{"use":"manual"}"#,
    ]

    /// Priorities change each round; in the last one an origin overrides.
    private static func settings(_ round: Int) -> [UInt8] {
        let categories = chains.indices.map {
            "\"c\($0)\":{\"policy\":\"p\($0)\",\"window\":\"1m\"}"
        }
        let policies = chains.indices.map { "\"p\($0)\":{\"chain\":[\(chains[$0])]}" }
        let types = chains.indices.map { "\"t\($0)\":\"c\($0)\"" }
        let override = round == rounds - 1 ? #","override_origin":"realtime""# : ""
        return Array(
            """
            {"default_category":"c0","compare":{"ignore_attributes":["time"]},
             "origins":{"websocket":{"priority":\(round % 2 + 1)},"realtime":{"priority":\(2 - round % 2)}},
             "categories":{\(categories.joined(separator: ","))},
             "policies":{\(policies.joined(separator: ","))},
             "classification":{"types":{\(types.joined(separator: ","))}}\(override)}
            """.utf8
        )
    }

    private func line(_ round: Int, _ id: Int, _ value: Int, _ more: String = "") -> String {
        event(
            "\(round)-\(id)",
            "{\"v\":\(value),\"t\":[\(value)]\(more)}",
            time: "2026-03-01T10:00:0\(value % 10)Z",
            type: "t\(id % Self.chains.count)"
        )
    }

    private func ingest(_ test: TestStore, _ lines: [String], _ origin: String) async throws {
        test.clock.advance(seconds: 1)
        let bytes = Array(lines.joined(separator: "\n").utf8)
        try await test.store.ingest(.bytes(bytes, named: origin), from: origin)
    }

    /// Ingests what three origins say about the same events: one leaves events out, and they differ in everything
    /// that a policy looks at.
    private func deliver(_ round: Int, _ count: Int, to test: TestStore) async throws {
        let ids = 0..<count
        try await ingest(test, ids.map { line(round, $0, $0 % 7) }, "websocket")
        try await ingest(
            test,
            ids.filter { $0 % 10 != 9 }.map { id in
                line(round, id, id % 7 + id % 3 + 1, id % 5 == 0 ? ",\"w\":\(id)" : "")
            },
            "realtime"
        )
        try await ingest(
            test,
            ids.filter { $0 % 2 == 0 && $0 % 10 != 9 }.map { line(round, $0, $0 % 7) },
            "poll"
        )
        test.clock.advance(seconds: 120)
        for origin in ["websocket", "realtime"] {
            try await ingest(test, [event("end-\(round)", "0", type: "t0")], origin)
        }
    }

    /// What policies leave to people.
    private func decideByHand(_ test: TestStore) async throws {
        for choice in [ManualResolution.Choice.take(origin: "websocket"), .acceptMissing] {
            try await test.store.resolve(
                BulkResolution(ConflictFilter(), choice: choice, actor: "ann", reason: "campaign")
            ) { _ in }
        }
    }

    @Test("Decisions of every policy under five configurations are derived again without drift")
    func campaign() async throws {
        let test = try await TestStore(
            settings: String(decoding: Self.settings(0), as: UTF8.self),
            clock: ManualClock()
        )
        var options = ReconcileOptions()
        options.policies.register(Popular(), as: "Popular")
        try await ingest(test, [event("begin", "0", type: "t0")], "realtime")
        try await ingest(test, [event("begin", "0", type: "t0")], "websocket")
        for round in 0..<Self.rounds {
            if round > 0 {
                try await test.store.apply(
                    settings: Self.settings(round),
                    replacing: true,
                    actor: "ann",
                    reason: "round \(round)"
                )
            }
            try await deliver(round, Self.decisions / Self.rounds + 1, to: test)
            _ = try await test.store.reconcile(options)
            try await decideByHand(test)
        }
        let policies = try await test.rows(
            "SELECT DISTINCT policy FROM resolution_trail ORDER BY policy"
        )
        let named = Self.chains.indices.map { "p\($0)" }.filter { $0 != "p11" }
        #expect(
            policies.map(\.[0])
                == (named + ["manual", "override_origin"]).sorted().map { .text($0) }
        )
        #expect(
            try await test.text(
                "SELECT count(DISTINCT configuration_version) FROM resolutions"
            ) == "\(Self.rounds)"
        )
        #expect(
            try await test.text(
                "SELECT group_concat(d) FROM (SELECT DISTINCT decision AS d FROM resolutions ORDER BY d)"
            ) == "accept_missing,exclude,merge,take"
        )
        let started = ContinuousClock.now
        let report = try await test.store.replayAudit()
        let time = ContinuousClock.now - started
        #expect(report.drifts == [])
        let all = report.derived + report.manual + report.notDerivable
        #expect(all >= Self.decisions)
        print(
            "audit replay of \(all) decisions (\(report.derived) derived, \(report.manual) manual,",
            "\(report.notDerivable) of programs): \(time)"
        )
        try await nameChanges(test)
    }

    /// One changed candidate and one changed setting are reported, by name, and nothing else is.
    private func nameChanges(_ test: TestStore) async throws {
        let changed = try await test.text(
            """
            SELECT max(r.conflict_id)
            FROM resolutions AS r
            JOIN conflicts AS c ON c.conflict_id = r.conflict_id
            WHERE c.kind = 'payload_differs'
            """
        )
        try test.tamper(
            """
            UPDATE conflict_candidates
            SET content_sha256 = printf('%064d', 1)
            WHERE conflict_id = \(changed) AND candidate = 2
            """
        )
        let candidate = try await test.store.replayAudit()
        #expect(candidate.driftCount > 0)
        #expect(candidate.drifts.allSatisfy { "\($0.conflictID)" == changed })
        #expect(candidate.drifts.contains { $0.what == "candidates" })
        try test.tamper(
            "UPDATE configurations SET content = replace(content, '\"max\"', '\"min\"') WHERE version = 2"
        )
        let setting = try await test.store.replayAudit()
        let others = setting.drifts.filter { "\($0.conflictID)" != changed }
        #expect(others.contains { $0.what == "content" })
        let versions = try await test.rows(
            """
            SELECT DISTINCT configuration_version
            FROM resolutions
            WHERE resolution_id IN (\(others.map { "\($0.resolutionID)" }.joined(separator: ",")))
            """
        )
        #expect(versions == [[.integer(2)]])
        try test.tamper("DELETE FROM resolutions WHERE resolution_id = 1")
        let missing = try await test.store.replayAudit()
        let gone = missing.drifts.filter { $0.what == "resolution" }
        // The list is cut off after 1000.
        #expect(gone.count == 1 || missing.driftCount > 1000)
    }
}
