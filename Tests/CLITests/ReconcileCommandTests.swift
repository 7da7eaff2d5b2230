import Foundation
import TallystickTestSupport
import Testing

@Suite("Commands of reconciliation")
struct ReconcileCommandTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand
    private let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "fixtures").path

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
    }

    private func object(_ text: String) throws -> [String: Any] {
        let json = try JSONSerialization.jsonObject(with: Data(text.utf8))
        return try #require(json as? [String: Any])
    }

    private func filled() {
        #expect(tally.run("init", "s.db", "--config", fixtures + "/settings.json").code == 0)
        for origin in ["websocket", "realtime"] {
            let file = "\(fixtures)/events/\(origin).ndjson"
            #expect(tally.run("ingest", "s.db", file, "--origin", origin).code == 0)
        }
    }

    @Test(
        "The fixtures reconcile as the settings beside them say, and the report has the contract's members"
    )
    func fixturesReconcile() throws {
        filled()
        let dry = try object(tally.run("reconcile", "s.db", "--dry-run", "--json").output)
        let result = tally.run("reconcile", "s.db", "--json")
        let report = try object(result.output)
        for member in [
            "command", "report_version", "store_id", "result", "exit", "duration_seconds", "run",
            "dry_run", "state", "configuration_version", "compared", "conflicts", "by_policy",
            "by_kind", "decisions_digest", "next_attempt_at",
        ] { #expect(report[member] != nil, "\(member)") }
        #expect(report["state"] as? String == "completed")
        #expect(report["decisions_digest"] as? String == dry["decisions_digest"] as? String)
        #expect(dry["dry_run"] as? Bool == true)
        // By hand from fixtures/README.md: 46 conflicts; the six errors merge.
        let kinds = try #require(report["by_kind"] as? [String: Int])
        #expect(kinds == ["equivocation": 6, "metadata_differs": 7, "payload_differs": 33])
        let conflicts = try #require(report["conflicts"] as? [String: Int])
        #expect(conflicts["found"] == 46)
        #expect((conflicts["resolved"] ?? 0) + (conflicts["open"] ?? 0) == 46)
        #expect(result.code == (conflicts["open"] == 0 ? 0 : 1))
        let errors = tally.run(
            "query",
            "s.db",
            "SELECT count(*) AS n FROM effective_events WHERE type = 'error' AND state = 'merged'",
            "--nl"
        )
        #expect(errors.output == "{\"n\":6}\n")
        #expect(tally.run("audit", "replay", "s.db").code == 0)
        #expect(tally.run("verify", "s.db").code == 0)
        let status = try object(tally.run("reconcile", "status", "s.db", "--json").output)
        #expect(status["decisions_digest"] as? String == report["decisions_digest"] as? String)
    }

    @Test("Bad input of reconcile and breaker is a usage error, and says what to do")
    func badInput() throws {
        #expect(tally.run("init", "s.db").code == 0)
        #expect(tally.run("reconcile", "s.db", "--override-breaker").code == 64)
        #expect(tally.run("reconcile", "s.db", "--since", "yesterday").code == 64)
        #expect(tally.run("reconcile", "s.db", "--max-time", "1y").code == 64)
        #expect(tally.run("reconcile", "s.db", "--origins", "nobody").code == 66)
        #expect(tally.run("reconcile", "missing.db").code == 66)
        #expect(tally.run("reconcile", "status", "s.db").code == 66)
        #expect(tally.run("breaker", "set", "s.db", "a", "ajar", "--reason", "r").code == 64)
        #expect(tally.run("breaker", "set", "s.db", "a", "half_open", "--reason", "r").code == 64)
        #expect(tally.run("breaker", "set", "s.db", "a", "open", "--reason", " ").code == 64)
        #expect(tally.run("breaker", "set", "s.db", "a", "open", "--reason", "r").code == 66)
        let event = #"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#
        #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: event).code == 0)
        #expect(tally.run("breaker", "set", "s.db", "a", "open", "--reason", "r").code == 0)
        #expect(tally.run("breaker", "s.db", "--nl").output.contains("\"state\":\"open\""))
        #expect(tally.run("reconcile", "s.db").code == 0)
    }
}
