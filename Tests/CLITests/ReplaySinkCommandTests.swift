import Foundation
import TallystickTestSupport
import Testing

@Suite("Replay to commands and pipes")
struct ReplaySinkCommandTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        #expect(tally.run("init", "s.db").code == 0)
        ingest(1...100)
    }

    private func ingest(_ range: ClosedRange<Int>) {
        let lines = range.map {
            #"{"specversion":"1.0","id":"\#($0)","source":"/s","type":"t","data":\#($0)}"#
        }
        let done = tally.run(
            "ingest",
            "s.db",
            "-",
            "--origin",
            "a",
            input: lines.joined(separator: "\n")
        )
        #expect(done.code == 0, "\(done.errors)")
    }

    /// Positions in lines that a sink took.
    private func positions(_ lines: String) throws -> [Int] {
        try lines.split(separator: "\n").map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try #require(object?["position"] as? Int)
        }
    }

    private func taken(_ name: String = "out") throws -> [Int] {
        try positions(try String(contentsOfFile: folder.file(name), encoding: .utf8))
    }

    private func status() -> String {
        tally.run("query", "s.db", "SELECT status, position FROM replay_status", "--nl").output
    }

    @Test("A command takes each batch by exit 0, and another exit code is reported")
    func command() throws {
        let done = tally.run(
            "replay",
            "s.db",
            "mailer",
            "--exec",
            "cat >> out",
            "--batch",
            "30",
            "--json"
        )
        #expect(done.code == 0, "\(done.errors)")
        #expect(done.output.contains("\"command_exit\":0"))
        #expect(try taken() == Array(1...100))
        ingest(101...110)
        let failed = tally.run(
            "replay",
            "s.db",
            "mailer",
            "--exec",
            "cat > /dev/null; exit 7",
            "--json"
        )
        #expect(failed.code == 3)
        #expect(failed.output.contains("\"command_exit\":7"))
        #expect(failed.output.contains("\"result\":\"halted\""))
        #expect(failed.errors.contains("exit code 7"))
        #expect(status() == "{\"status\":\"halted\",\"position\":100}\n")
        // A command that reads nothing of a batch may still take it.
        let deaf = tally.run("replay", "s.db", "mailer", "--exec", "exit 0")
        #expect(deaf.code == 0)
        #expect(status() == "{\"status\":\"complete\",\"position\":110}\n")
        #expect(tally.run("verify", "s.db").code == 0)
    }

    @Test("Killed between a command's exit and the checkpoint, the batch is delivered again")
    func killed() throws {
        let command = "cat >> out; test -e once || { touch once; kill -9 $PPID; }"
        let first = tally.run("replay", "s.db", "mailer", "--exec", command, "--batch", "40")
        #expect(first.code == -9)
        let second = tally.run("replay", "s.db", "mailer", "--exec", command, "--batch", "40")
        #expect(second.code == 0)
        #expect(try taken() == Array(1...40) + Array(1...100))
    }

    @Test("SIGTERM ends the replay after the batch that the command is taking")
    func terminated() throws {
        let child = tally.start(
            "replay",
            "s.db",
            "mailer",
            "--batch",
            "10",
            "--exec",
            "cat >> out; until [ -e told ]; do sleep 0.05; done"
        )
        let out = folder.file("out")
        let isTaken = Waiting.until { FileManager.default.fileExists(atPath: out) }
        #expect(isTaken)
        kill(child, SIGTERM)
        // Only now the command ends: the signal came while it was taking the batch.
        #expect(FileManager.default.createFile(atPath: folder.file("told"), contents: nil))
        #expect(tally.wait(for: child) == 3)
        let count = try taken().count
        #expect(count > 0 && count < 100 && count % 10 == 0)
        #expect(status() == "{\"status\":\"paused\",\"position\":\(count)}\n")
    }

    @Test("A command that follows gets what is appended later; SIGTERM ends it with exit 0")
    func follow() throws {
        let child = tally.start("replay", "s.db", "mailer", "--follow", "--exec", "cat >> out")
        let isComplete = Waiting.until { status().contains("complete") }
        ingest(101...103)
        let isThere = Waiting.until { status().contains("103") }
        #expect(isComplete && isThere)
        kill(child, SIGTERM)
        #expect(tally.wait(for: child) == 0)
        #expect(try taken() == Array(1...103))
    }

    @Test("What a conflict holds back is not taken for the end: exit 3, and the reason")
    func held() throws {
        let settings = #"{"tallystick_config":1,"categories":{"system":{"while_open":"hold"}}}"#
        try Data(settings.utf8).write(to: URL(filePath: folder.file("hold.json")))
        let applied = tally.run("config", "apply", "s.db", "hold.json", "--reason", "test")
        #expect(applied.code == 0, "\(applied.errors)")
        let copy = #"{"specversion":"1.0","id":"41","source":"/s","type":"t","data":-1}"#
        #expect(tally.run("ingest", "s.db", "-", "--origin", "b", input: copy).code == 0)
        let part = tally.run("replay", "s.db", "--to", "-")
        #expect(part.code == 3)
        #expect(try positions(part.output) == Array(1...40))
        let notes = part.errors.split(separator: "\n").suffix(2)
        #expect(notes.first?.contains("a conflict over the event at position 41 is open") == true)
        #expect(notes.last == "tally replay: continue with --after 40")
        let until = tally.run("replay", "s.db", "--to", "-", "--until", "40")
        #expect(until.code == 0)
    }

    @Test("Standard output gets every event once, and the last line says where to go on")
    func pipe() throws {
        let first = tally.run("replay", "s.db", "--to", "-", "--until", "60", "--batch", "7")
        #expect(first.code == 0)
        #expect(try positions(first.output) == Array(1...60))
        #expect(
            first.errors.split(separator: "\n").last == "tally replay: continue with --after 60"
        )
        let second = tally.run("replay", "s.db", "--to", "-", "--after", "60")
        #expect(try positions(second.output) == Array(61...100))
        let none = tally.run("replay", "s.db", "--to", "-", "--after", "100")
        #expect(none.code == 0 && none.output.isEmpty)
        #expect(tally.run("replay", "s.db", "--to", "-", "--after", "101").code == 2)
        #expect(
            tally.run("query", "s.db", "SELECT count(*) AS n FROM replays", "--nl").output
                == "{\"n\":0}\n"
        )
    }

    @Test(
        "Options that contradict each other are a usage error",
        arguments: [
            ["name", "--exec", "true", "--into", "x.db"], ["--to", "x.db"], ["name", "--to", "-"],
            [], ["name", "--exec", "true", "--after", "5"], ["--to", "-", "--after", "x"],
            ["name", "--exec", "true", "--on-poison", "skip"],
            ["name", "--exec", "true", "--batch", "0"],
        ]
    )
    func usage(_ arguments: [String]) {
        #expect(tally.run(["replay", "s.db"] + arguments).code == 64)
    }

    @Test("A replay whose breaker is open exits 3 and says why, until somebody closes it")
    func breaker() throws {
        let set = tally.run(
            "breaker",
            "set",
            "s.db",
            "mailer",
            "forced_open",
            "--kind",
            "replay",
            "--reason",
            "repairs"
        )
        #expect(set.code == 0, "\(set.errors)")
        let list = tally.run("breaker", "list", "s.db", "--nl").output
        #expect(list.contains(#""kind":"replay","name":"mailer","state":"forced_open""#))
        let halted = tally.run("replay", "s.db", "mailer", "--exec", "cat >> out", "--json")
        #expect(halted.code == 3)
        #expect(halted.errors.contains("the breaker of replay mailer is open"))
        #expect(halted.output.contains(#""next_attempt_at":null"#))
        _ = tally.run(
            "breaker",
            "set",
            "s.db",
            "mailer",
            "open",
            "--kind",
            "replay",
            "--reason",
            "r"
        )
        let waiting = tally.run("replay", "s.db", "mailer", "--exec", "cat >> out", "--json")
        #expect(waiting.code == 3)
        #expect(waiting.output.contains(#""next_attempt_at":"2"#))
        let closed = tally.run(
            "breaker",
            "set",
            "s.db",
            "mailer",
            "closed",
            "--kind",
            "replay",
            "--reason",
            "well again"
        )
        #expect(closed.code == 0)
        let done = tally.run("replay", "s.db", "mailer", "--exec", "cat >> out", "--json")
        #expect(done.code == 0, "\(done.errors)")
        #expect(try taken() == Array(1...100))
    }
}
