import Foundation
import TallystickTestSupport
import Testing

/// The number of kills per test; the full run sets 200.
private let kills = Int(ProcessInfo.processInfo.environment["TALLY_KILLS"] ?? "") ?? 6

@Suite("Replays killed at random moments, with decisions in between", .serialized)
struct ReplayKillTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
    }

    private func projection(_ onCorrection: String) -> String {
        """
        -- tally:projection totals
        -- tally:version 1
        -- tally:on-correction \(onCorrection)
        -- tally:setup
        CREATE TABLE totals (id TEXT, data TEXT, position INTEGER) STRICT;
        -- tally:on *
        INSERT INTO totals VALUES (:id, :data, :position);
        \(onCorrection == "apply" ? "-- tally:correct *\nINSERT INTO totals VALUES (:id, :data, :resolution_id);" : "")
        """
    }

    private func ingest(_ range: Range<Int>, sign: String, origin: String) {
        let lines = range.map {
            eventLine($0, subject: "\($0 % 5)", data: "\(sign)\($0)")
        }
        let done = tally.run(
            "ingest",
            "s.db",
            "-",
            "--origin",
            origin,
            input: lines.joined(separator: "\n")
        )
        #expect(done.code == 0, "\(done.errors)")
    }

    private func member(_ name: String, of json: String) throws -> String {
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        return try #require(object?[name] as? String)
    }

    @Test(
        "A killed and resumed replay has the tables and digests of an uninterrupted run",
        arguments: ["apply", "rebuild"]
    )
    func decisions(_ onCorrection: String) throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        try projection(onCorrection)
            .write(toFile: folder.file("totals.sql"), atomically: true, encoding: .utf8)
        #expect(tally.run("init", "s.db").code == 0)
        var next = 1
        for round in 1...kills {
            ingest(next..<next + 150, sign: "", origin: "a")
            // The second origin disagrees on one event of this round.
            let disputed = next + Int(random.next() % 150)
            ingest(disputed..<disputed + 1, sign: "-", origin: "b")
            next += 150
            let child = tally.start("replay", "s.db", "totals.sql", "--batch", "20")
            usleep(UInt32(5_000 + random.next() % 60_000))
            let decided = tally.run(
                "conflicts",
                "resolve",
                "s.db",
                "\(round)",
                "--take",
                "b",
                "--actor",
                "me",
                "--reason",
                "test"
            )
            #expect(decided.code == 0, "\(decided.errors)")
            kill(child, SIGKILL)
            tally.wait(for: child)
        }
        let resumed = tally.run("replay", "s.db", "totals.sql", "--json")
        #expect(resumed.code == 0, "seed \(seed): \(resumed.errors)")
        #expect(tally.run("backup", "s.db", "whole.db").code == 0)
        #expect(tally.run("replay", "drop", "whole.db", "totals").code == 0)
        let whole = tally.run("replay", "whole.db", "totals.sql", "--json")
        #expect(whole.code == 0, "seed \(seed): \(whole.errors)")
        for name in ["digest", "applied_digest", "root"] {
            let digests = try (member(name, of: resumed.output), member(name, of: whole.output))
            #expect(digests.0 == digests.1, "seed \(seed), \(name)")
        }
        #expect(tally.run("verify", "s.db").code == 0, "seed \(seed)")
    }
}
