import Foundation
import TallystickTestSupport
import Testing

/// The number of kills per test; the full run sets 200.
private let kills = Int(ProcessInfo.processInfo.environment["TALLY_KILLS"] ?? "") ?? 6

private let settings = """
    {"origins": {"websocket": {"priority": 1}, "realtime": {"priority": 2}},
     "categories": {"system": {"policy": "p"}},
     "policies": {"p": {"chain": [
        {"use": "field_merge", "fields": {"/n": "max"}}, {"use": "quorum", "k": 2}, {"use": "origin_priority"}]}}}
    """

@Suite("Reconciliation: killed, doubled, and while others write", .serialized)
struct ReconcileKillTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        try settings.write(
            toFile: folder.file("settings.json"),
            atomically: true,
            encoding: .utf8
        )
    }

    /// Copies of events as an origin delivers them; every third differs.
    private func write(_ origin: String, _ ids: Range<Int>, shift: Int) throws -> String {
        let lines = ids.map { id in
            let other = (id + shift) % 3 == 0 ? ",\"w\":\(shift)" : ""
            let data = "{\"n\":\(id % 7 + (id % 2 == 0 ? shift : 0))\(other)}"
            return
                eventLine(id, type: "status", data: data)
        }
        let path = folder.file("\(origin)-\(ids.lowerBound).ndjson")
        try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    private func query(_ store: String, _ sql: String) -> String {
        tally.run("query", store, sql, "--nl").output
    }

    private func filled(_ store: String, events: Int) throws {
        #expect(tally.run("init", store, "--config", "settings.json").code == 0)
        for (shift, origin) in ["websocket", "realtime", "poll"].enumerated() {
            let file = try write(origin, 0..<events, shift: shift)
            #expect(tally.run("ingest", store, file, "--origin", origin).code == 0)
        }
    }

    private let content = "SELECT event_id, data FROM effective_events ORDER BY event_id"
    private let doubled = """
        SELECT count(*) AS n FROM resolutions AS a JOIN resolutions AS b
            ON a.conflict_id = b.conflict_id AND a.resolution_id < b.resolution_id
        WHERE b.supersedes IS NULL OR a.candidates_digest = b.candidates_digest
        """

    @Test("A killed run makes the decisions of an uninterrupted one when it is run again")
    func killed() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        try filled("whole.db", events: 1500)
        #expect(tally.run("backup", "whole.db", "start.db").code == 0)
        let whole = tally.run("reconcile", "whole.db", "--json")
        #expect(whole.code == 0, "\(whole.errors)")
        #expect(tally.run("backup", "start.db", "killed.db").code == 0)
        for round in 0..<kills {
            let child = tally.start("reconcile", "killed.db")
            usleep(UInt32(5_000 + random.next() % 400_000))
            kill(child, SIGKILL)
            tally.wait(for: child)
            guard round % 20 == 19 else { continue }
            // A finished run leaves nothing to kill: start over.
            #expect(tally.run("verify", "killed.db").code == 0, "seed \(seed)")
            #expect(tally.run("reconcile", "killed.db").code == 0, "seed \(seed)")
            #expect(query("killed.db", content) == query("whole.db", content), "seed \(seed)")
            for suffix in ["", "-wal", "-shm"] { unlink(folder.file("killed.db" + suffix)) }
            #expect(tally.run("backup", "start.db", "killed.db").code == 0)
        }
        let resumed = tally.run("reconcile", "killed.db", "--json")
        #expect(resumed.code == 0, "seed \(seed): \(resumed.errors)")
        #expect(query("killed.db", content) == query("whole.db", content), "seed \(seed)")
        let decisions =
            "SELECT count(*) AS n, count(DISTINCT conflict_id) AS c, sum(decision = 'merge') AS m FROM resolutions"
        #expect(query("killed.db", decisions) == query("whole.db", decisions), "seed \(seed)")
        #expect(tally.run("verify", "killed.db").code == 0)
        #expect(tally.run("audit", "replay", "killed.db").code == 0)
    }

    @Test("Two processes at once decide each conflict once")
    func two() throws {
        try filled("s.db", events: 900)
        let first = tally.start("reconcile", "s.db")
        usleep(60_000)
        let second = tally.start("reconcile", "s.db")
        // 75: the other process took over the run.
        let codes = [tally.wait(for: first), tally.wait(for: second)]
        #expect(codes.allSatisfy { $0 == 0 || $0 == 75 }, "\(codes)")
        #expect(tally.run("reconcile", "s.db").code == 0)
        #expect(query("s.db", doubled).contains("\"n\":0"))
        #expect(tally.run("audit", "replay", "s.db").code == 0)
        #expect(tally.run("verify", "s.db").code == 0)
    }

    @Test(
        "While processes ingest and a third origin adds evidence, no decision is lost, duplicated or stale"
    )
    func whileIngesting() throws {
        #expect(tally.run("init", "s.db", "--config", "settings.json").code == 0)
        var children: [pid_t] = []
        for (shift, origin) in ["websocket", "realtime", "poll", "webhook"].enumerated() {
            let files = try (0..<3).map { part in
                try write(origin, (part * 200)..<(part * 200 + 200), shift: shift)
            }
            children.append(
                tally.start(
                    "ingest",
                    "s.db",
                    files[0],
                    files[1],
                    files[2],
                    "--origin",
                    origin,
                    "--busy-timeout",
                    "60s"
                )
            )
        }
        for _ in 0..<4 {
            let code = tally.run("reconcile", "s.db").code
            #expect([0, 1, 75].contains(code))
        }
        for child in children { #expect(tally.wait(for: child) == 0) }
        #expect(tally.run("reconcile", "s.db").code == 0)
        #expect(query("s.db", doubled).contains("\"n\":0"))
        // Every decision in force was made from the current candidates.
        let replayed = tally.run("audit", "replay", "s.db")
        #expect(replayed.code == 0, "\(replayed.output)")
        let again = tally.run("reconcile", "s.db", "--json")
        #expect(again.output.contains("\"resolved\":0"))
        #expect(tally.run("verify", "s.db").code == 0)
    }
}
