import Foundation
import TallystickTestSupport
import Testing

/// How a process is interrupted.
enum Interruption: String, CaseIterable {
    /// SIGKILL.
    case killed
    /// SIGTERM, which lets the command finish its transaction.
    case terminated
    /// SIGSTOP, SIGCONT after a while, then SIGKILL.
    case stopped

    /// The number of interruptions per test: a few, unless the full run sets more.
    var rounds: Int {
        let asked = ProcessInfo.processInfo.environment["TALLY_KILLS"].flatMap { Int($0) } ?? 5
        return self == .killed ? asked : max(2, asked / 5)
    }

    func happen(to child: pid_t) {
        switch self {
        case .killed: kill(child, SIGKILL)
        case .terminated: kill(child, SIGTERM)
        case .stopped:
            kill(child, SIGSTOP)
            usleep(20_000)
            kill(child, SIGCONT)
            usleep(5_000)
            kill(child, SIGKILL)
        }
    }
}

/// A store that is interrupted, next to one that is not.
struct CrashScene {
    let folder: TemporaryFolder
    let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        #expect(tally.run("init", "killed.db").code == 0)
    }

    /// Files of events, each of which is a transaction of its own.
    func writeFiles(_ count: Int, events: Int, seed: UInt64) throws -> [String] {
        var generator = EventGenerator(seed: seed, streams: 200)
        return try (0..<count).map { index in
            let path = folder.file("events-\(seed)-\(index).ndjson")
            try Data(generator.events(events)).write(to: URL(filePath: path))
            return path
        }
    }

    func query(_ store: String, _ sql: String) -> String {
        let result = tally.run("query", store, sql, "--nl")
        #expect(result.code == 0, "\(result.errors)")
        return result.output
    }

    /// Nothing is duplicated, and nothing is missing between the first and the last.
    func expectNoGaps(_ store: String, events: Int, _ comment: Comment) {
        let sql = """
            SELECT count(*) AS events, max(position) AS head, count(DISTINCT source || ' ' || event_id) AS ids,
                (SELECT count(*) FROM (SELECT stream FROM event_log GROUP BY stream
                    HAVING max(revision) + 1 <> count(*) OR count(DISTINCT revision) <> count(*))) AS gaps
            FROM event_log
            """
        #expect(
            query(store, sql)
                == "{\"events\":\(events),\"head\":\(events),\"ids\":\(events),\"gaps\":0}\n",
            comment
        )
        let verified = tally.run("verify", store)
        #expect(verified.code == 0, "\(comment): \(verified.output)")
    }

    /// A member of a report.
    func member(_ name: String, of json: String) -> String {
        guard let value = try? JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        else { return "no report: \(json)" }
        return value[name].map { "\($0)" } ?? "no \(name)"
    }
}

@Suite("Killed at random moments", .serialized)
struct KillTests {
    @Test(
        "Ingest interrupted and resumed stores every event once, in order, as an uninterrupted run does",
        arguments: Interruption.allCases
    )
    func ingest(_ interruption: Interruption) throws {
        let scene = try CrashScene()
        let tally = scene.tally
        let seed = UInt64.random(in: .min ... .max)
        let comment: Comment = "seed \(seed)"
        var random = SeededGenerator(seed: seed)
        #expect(tally.run("init", "whole.db").code == 0)
        var (interrupted, round) = (0, 0)
        // If runs end too soon to be interrupted, the next ones are interrupted earlier, down to immediately.
        var longest: UInt64 = 220_000
        while round < interruption.rounds || interrupted == 0 && round < 100 {
            defer { round += 1 }
            let files = try scene.writeFiles(4, events: 125, seed: UInt64(round))
            let child = tally.start(["ingest", "killed.db"] + files + ["--origin", "a"])
            usleep(UInt32(random.next() % longest))
            interruption.happen(to: child)
            let code = tally.wait(for: child)
            if code == 0 { longest = max(1, longest * 2 / 3) }
            #expect([0, 3, -SIGKILL, -SIGTERM].contains(code), comment)
            if code != 0 { interrupted += 1 }
            #expect(tally.run("verify", "killed.db").code == 0, comment)
            let resumed = tally.run(["ingest", "killed.db"] + files + ["--origin", "a"])
            #expect(resumed.code == 0, "\(comment): \(resumed.errors)")
            #expect(tally.run(["ingest", "whole.db"] + files + ["--origin", "a"]).code == 0)
            for file in files { unlink(file) }
        }
        #expect(interrupted > 0, "no moment was early enough; \(comment)")
        scene.expectNoGaps("killed.db", events: round * 500, comment)
        let content =
            "SELECT position, source, event_id, stream, revision, data, checksum FROM event_log ORDER BY position"
        #expect(scene.query("killed.db", content) == scene.query("whole.db", content), comment)
    }

    private let projection = """
        -- tally:projection totals
        -- tally:version 1
        -- tally:setup
        CREATE TABLE totals (type TEXT PRIMARY KEY, n INTEGER NOT NULL, last INTEGER NOT NULL) STRICT;
        -- tally:on *
        INSERT INTO totals VALUES (:type, 1, :position)
        ON CONFLICT (type) DO UPDATE SET n = n + 1, last = excluded.last;

        """

    @Test(
        "Replay interrupted and resumed has the tables and digests of an uninterrupted run",
        arguments: Interruption.allCases,
        [false, true]
    )
    func replay(_ interruption: Interruption, beside: Bool) throws {
        let scene = try CrashScene()
        let tally = scene.tally
        let seed = UInt64.random(in: .min ... .max)
        let comment: Comment = "seed \(seed)"
        var random = SeededGenerator(seed: seed)
        try projection.write(
            toFile: scene.folder.file("totals.sql"),
            atomically: true,
            encoding: .utf8
        )
        // More events than the interrupted runs can reach, so that every run has work.
        let events = max(4000, interruption.rounds * 400)
        let file = try scene.writeFiles(1, events: events, seed: 1)[0]
        #expect(tally.run("ingest", "killed.db", file, "--origin", "a").code == 0)
        #expect(tally.run("backup", "killed.db", "whole.db").code == 0)
        let whole = tally.run("replay", "whole.db", "totals.sql", "--json").output
        let place = beside ? ["--into", "out.db"] : []
        var interrupted = 0
        for _ in 0..<interruption.rounds {
            let child = tally.start(["replay", "killed.db", "totals.sql", "--batch", "5"] + place)
            usleep(UInt32(30_000 + random.next() % 150_000))
            interruption.happen(to: child)
            if tally.wait(for: child) != 0 { interrupted += 1 }
        }
        #expect(interrupted > 0, "no moment was early enough; \(comment)")
        let resumed = tally.run(["replay", "killed.db", "totals.sql", "--json"] + place)
        #expect(resumed.code == 0, "\(comment): \(resumed.errors)")
        for digest in ["position", "digest", "applied_digest", "root"] {
            #expect(
                scene.member(digest, of: resumed.output) == scene.member(digest, of: whole),
                comment
            )
        }
        #expect(scene.member("position", of: whole) == "\(events)")
        if !beside {
            let rows = "SELECT * FROM totals ORDER BY type"
            #expect(scene.query("killed.db", rows) == scene.query("whole.db", rows), comment)
        }
        #expect(tally.run("verify", "killed.db").code == 0, comment)
    }

    @Test(
        "Four processes append to the same streams and are killed: each acknowledged event is there once, in its place"
    )
    func fourWriters() throws {
        let scene = try CrashScene()
        let seed = UInt64.random(in: .min ... .max)
        let comment: Comment = "seed \(seed)"
        var random = SeededGenerator(seed: seed)
        let worker = TallyCommand(in: scene.folder.path, program: "TallystickCrashWorker")
        for _ in 0..<max(3, Interruption.killed.rounds / 8) {
            let children = (0..<4).map { writer in
                worker.start(
                    ["append", "killed.db", "writer-\(writer)", "3"],
                    output: scene.folder.file("acknowledged-\(writer)")
                )
            }
            usleep(UInt32(300_000 + random.next() % 400_000))
            for (index, child) in children.enumerated() {
                (index == 3 ? Interruption.stopped : .killed).happen(to: child)
                usleep(UInt32(random.next() % 30_000))
            }
            for child in children { #expect(worker.wait(for: child) == -SIGKILL, comment) }
        }
        let log = scene.query(
            "killed.db",
            "SELECT event_id || ' ' || stream || ' ' || revision || ' ' || position AS place FROM event_log"
        )
        let stored = Set(
            log.split(separator: "\n").map { $0.dropFirst("{\"place\":\"".count).dropLast(2) }
        )
        var acknowledged = 0
        for writer in 0..<4 {
            let text = TallyCommand.text(scene.folder.file("acknowledged-\(writer)"))
            for line in text.split(separator: "\n") {
                acknowledged += 1
                #expect(
                    stored.contains(line),
                    "'\(line)' is not stored as it was acknowledged; \(comment)"
                )
            }
        }
        #expect(acknowledged > 20, "the writers had time for \(acknowledged) appends")
        scene.expectNoGaps("killed.db", events: stored.count, comment)
    }

    @Test("Two processes on one replay apply each event once")
    func twoReplays() throws {
        let scene = try CrashScene()
        let file = try scene.writeFiles(1, events: 2000, seed: 1)[0]
        try projection.write(
            toFile: scene.folder.file("totals.sql"),
            atomically: true,
            encoding: .utf8
        )
        let tally = scene.tally
        #expect(tally.run("ingest", "killed.db", file, "--origin", "a").code == 0)
        let children = (0..<2).map { _ in
            tally.start("replay", "killed.db", "totals.sql", "--batch", "50")
        }
        for child in children {
            let code = tally.wait(for: child)
            #expect(code == 0 || code == 75)
        }
        #expect(tally.run("replay", "killed.db", "totals.sql").code == 0)
        #expect(scene.query("killed.db", "SELECT sum(n) AS n FROM totals") == "{\"n\":2000}\n")
    }
}
