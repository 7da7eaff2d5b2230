import Foundation
import TallystickTestKit
import Testing

/// How often each test kills; the full run sets 200.
private let kills = Int(ProcessInfo.processInfo.environment["TALLY_KILLS"] ?? "") ?? 6

private let projection = """
    -- tally:projection totals
    -- tally:version 1
    -- tally:setup
    CREATE TABLE totals (type TEXT PRIMARY KEY, n INTEGER NOT NULL, last INTEGER NOT NULL) STRICT;
    -- tally:on *
    INSERT INTO totals VALUES (:type, 1, :position)
    ON CONFLICT (type) DO UPDATE SET n = n + 1, last = excluded.last;

    """

@Suite("Killed at random moments", .serialized)
struct KillTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
    }

    /// Files of events, each of which is a transaction of its own.
    private func writeFiles(_ count: Int, events: Int) throws -> [String] {
        var generator = EventGenerator(seed: 7, streams: 200)
        return try (0..<count).map { index in
            let path = folder.file("events-\(index).ndjson")
            try Data(generator.events(events)).write(to: URL(filePath: path))
            return path
        }
    }

    private func query(_ store: String, _ sql: String) -> String {
        tally.run("query", store, sql, "--nl").output
    }

    private let shape = """
        SELECT count(*) AS events, max(position) AS head, count(DISTINCT event_id) AS ids,
            (SELECT count(*) FROM (SELECT stream, max(revision) + 1 - count(*) AS gap FROM event_log
                GROUP BY stream HAVING gap <> 0)) AS gaps
        FROM event_log
        """

    @Test(
        "Ingest killed and resumed stores every event once, in order, as an uninterrupted run does"
    )
    func ingest() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let files = try writeFiles(12, events: 250)
        #expect(tally.run("init", "whole.db").code == 0)
        #expect(tally.run(["ingest", "whole.db"] + files + ["--origin", "a"]).code == 0)
        #expect(tally.run("init", "killed.db").code == 0)
        for _ in 0..<kills {
            let child = tally.start(
                "ingest",
                "killed.db",
                files[0],
                files[1],
                files[2],
                files[3],
                files[4],
                files[5],
                files[6],
                files[7],
                files[8],
                files[9],
                files[10],
                files[11],
                "--origin",
                "a"
            )
            usleep(UInt32(10_000 + random.next() % 250_000))
            kill(child, SIGKILL)
            tally.wait(for: child)
            #expect(tally.run("verify", "killed.db").code == 0, "seed \(seed)")
        }
        #expect(tally.run(["ingest", "killed.db"] + files + ["--origin", "a"]).code == 0)
        #expect(query("killed.db", shape) == query("whole.db", shape), "seed \(seed)")
        #expect(query("killed.db", shape).contains("\"gaps\":0"))
        #expect(query("killed.db", shape).contains("\"events\":3000"))
        let content = "SELECT event_id, stream, data FROM event_log ORDER BY event_id"
        #expect(query("killed.db", content) == query("whole.db", content))
        #expect(tally.run("verify", "killed.db").code == 0)
    }

    @Test(
        "Replay killed and resumed has the tables and digests of an uninterrupted run",
        arguments: [false, true]
    )
    func replay(beside: Bool) throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let files = try writeFiles(1, events: 3000)
        try projection.write(toFile: folder.file("totals.sql"), atomically: true, encoding: .utf8)
        #expect(tally.run("init", "s.db").code == 0)
        #expect(tally.run("ingest", "s.db", files[0], "--origin", "a").code == 0)
        #expect(tally.run("backup", "s.db", "whole.db").code == 0)
        let whole = tally.run("replay", "whole.db", "totals.sql", "--json").output
        let place = beside ? ["--into", "out.db"] : []
        for _ in 0..<kills {
            let child =
                beside
                ? tally.start("replay", "s.db", "totals.sql", "--batch", "20", "--into", "out.db")
                : tally.start("replay", "s.db", "totals.sql", "--batch", "20")
            usleep(UInt32(10_000 + random.next() % 150_000))
            kill(child, SIGKILL)
            tally.wait(for: child)
        }
        let resumed = tally.run(["replay", "s.db", "totals.sql", "--json"] + place)
        #expect(resumed.code == 0, "seed \(seed): \(resumed.errors)")
        for digest in ["digest", "applied_digest", "root"] {
            #expect(member(digest, of: resumed.output) == member(digest, of: whole), "seed \(seed)")
        }
        if !beside {
            let rows = "SELECT * FROM totals ORDER BY type"
            #expect(query("s.db", rows) == query("whole.db", rows), "seed \(seed)")
        }
    }

    private func member(_ name: String, of json: String) -> String {
        guard let value = try? JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        else {
            return "no report"
        }
        return value[name] as? String ?? "no \(name)"
    }

    @Test("SIGTERM ends ingest with exit 3 or 0, and the same command goes on")
    func terminated() throws {
        let files = try writeFiles(12, events: 400)
        #expect(tally.run("init", "s.db").code == 0)
        let arguments = ["ingest", "s.db"] + files + ["--origin", "a"]
        let child = tally.start(
            "ingest",
            "s.db",
            files[0],
            files[1],
            files[2],
            files[3],
            files[4],
            files[5],
            files[6],
            files[7],
            files[8],
            files[9],
            files[10],
            files[11],
            "--origin",
            "a"
        )
        usleep(120_000)
        kill(child, SIGSTOP)
        usleep(50_000)
        kill(child, SIGCONT)
        kill(child, SIGTERM)
        let code = tally.wait(for: child)
        #expect(code == 3 || code == 0)
        #expect(tally.run(arguments).code == 0)
        #expect(query("s.db", shape).contains("\"events\":4800"))
        #expect(tally.run("verify", "s.db").code == 0)
    }

    @Test(
        "Four processes append to the same streams: every acknowledged event is there once, revisions have no gap"
    )
    func fourWriters() throws {
        #expect(tally.run("init", "s.db").code == 0)
        for writer in 0..<4 {
            for index in 0..<5 {
                let event = """
                    {"specversion":"1.0","id":"\(writer)-\(index)","source":"/w","type":"t","data":\(index)}
                    """
                try event.write(
                    toFile: folder.file("\(writer)-\(index).json"),
                    atomically: true,
                    encoding: .utf8
                )
            }
        }
        for index in 0..<5 {
            let children = (0..<4).map {
                tally.start("append", "s.db", "shared", "\($0)-\(index).json")
            }
            for child in children { #expect(tally.wait(for: child) == 0) }
        }
        let rows = query(
            "s.db",
            "SELECT count(*) AS n, count(DISTINCT event_id) AS ids, max(revision) AS last FROM event_log"
        )
        #expect(rows.contains("{\"n\":20,\"ids\":20,\"last\":19}"))
        #expect(tally.run("verify", "s.db").code == 0)
    }

    @Test("Two processes on one replay apply each event once")
    func twoReplays() throws {
        let files = try writeFiles(1, events: 2000)
        try projection.write(toFile: folder.file("totals.sql"), atomically: true, encoding: .utf8)
        #expect(tally.run("init", "s.db").code == 0)
        #expect(tally.run("ingest", "s.db", files[0], "--origin", "a").code == 0)
        let children = (0..<2).map { _ in
            tally.start("replay", "s.db", "totals.sql", "--batch", "50")
        }
        for child in children {
            let code = tally.wait(for: child)
            #expect(code == 0 || code == 75)
        }
        #expect(tally.run("replay", "s.db", "totals.sql").code == 0)
        #expect(query("s.db", "SELECT sum(n) AS n FROM totals") == "{\"n\":2000}\n")
    }
}
