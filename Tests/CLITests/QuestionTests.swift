import Foundation
import TallystickTestSupport
import Testing

/// The statements of the article Questions answer, in `tally query` and in `sqlite3` alike.
@Suite("Questions in SQL")
struct QuestionTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        #expect(tally.run("init", "s.db").code == 0)
        for (origin, value) in [("websocket", 1), ("realtime", 2)] {
            let lines = ["evt-1", "evt-2"].map { id in
                #"{"specversion":"1.0","id":"\#(id)","source":"/payments","type":"t","data":{"v":\#(value)}}"#
            }
            let result = tally.run(
                ["ingest", "s.db", "-", "--origin", origin],
                input: lines.joined(separator: "\n")
            )
            #expect(result.code == 0)
        }
        for words in [
            ["resolve", "s.db", "1", "--take", "realtime"], ["reopen", "s.db", "1"],
            ["resolve", "s.db", "1", "--take", "websocket"],
        ] {
            let result = tally.run(["conflicts"] + words + ["--reason", "why", "--actor", "ann"])
            #expect(result.code == 0)
        }
        try addHistory()
    }

    /// Ingests a file with an invalid line twice, kills a run, lets an origin lack events, and seals the store.
    private func addHistory() throws {
        let event =
            #"{"specversion":"1.0","id":"evt-3","source":"/payments","type":"t","time":"2026-03-01T00:00:00Z"}"#
        try (event + "\nnot an event\n").write(
            toFile: folder.file("day.ndjson"),
            atomically: true,
            encoding: .utf8
        )
        for _ in 0..<2 {
            let file = tally.run(
                "ingest",
                "s.db",
                "day.ndjson",
                "--origin",
                "websocket",
                "--actor",
                "ann"
            )
            #expect(file.code == 0)
        }
        try killRun()
        let stated = tally.run(
            "origins",
            "complete",
            "s.db",
            "realtime",
            "--through",
            "2026-03-02T00:00:00Z",
            "--reason",
            "why",
            "--actor",
            "ann"
        )
        #expect(stated.code == 0)
        #expect(tally.run("reconcile", "s.db").code == 1)
        let key = tally.run(
            "keys",
            "generate",
            "s.db",
            "--signing",
            "signer.key",
            "--reason",
            "seals"
        )
        #expect(key.code == 0, "\(key.errors)")
        let seal = tally.run("seal", "s.db", "--key-file", "signer.key", "--actor", "ann")
        #expect(seal.code == 0, "\(seal.errors)")
    }

    /// Kills a run that has recorded what came, and waits for more.
    private func killRun() throws {
        let pipe = folder.file("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        let end = open(pipe, O_RDWR)
        defer { close(end) }
        let line = try Array(Data(contentsOf: URL(filePath: folder.file("day.ndjson"))))
        #expect(write(end, line, line.count) == line.count)
        let child = tally.start(["ingest", "s.db", "-", "--origin", "poll"], input: pipe)
        let isRecorded = Waiting.until {
            tally.run("query", "s.db", "SELECT 1 FROM deliveries WHERE origin = 'poll'", "--nl")
                .output.contains("1")
        }
        #expect(isRecorded)
        #expect(kill(child, SIGKILL) == 0)
        #expect(tally.wait(for: child) == -SIGKILL)
    }

    private func statements() throws -> [String] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let article = root.appending(path: "Sources/Tallystick/Documentation.docc/Questions.md")
        let text = try String(contentsOf: article, encoding: .utf8)
        return text.components(separatedBy: "```sql\n").dropFirst().map { block in
            block.components(separatedBy: "```")[0]
        }
    }

    @Test("Every statement runs in both, and gives the same rows")
    func bothReaders() throws {
        let statements = try statements()
        #expect(statements.count == 20)
        for sql in statements {
            let ours = tally.run("query", "s.db", sql, "--csv")
            #expect(ours.code == 0, "\(sql)\n\(ours.errors)")
            let process = Process()
            let pipe = Pipe()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = [
                "sqlite3", "-readonly", "-csv", "-header", folder.file("s.db"), sql,
            ]
            process.standardOutput = pipe
            try process.run()
            let theirs = try pipe.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(sql)")
            let rows = String(decoding: theirs, as: UTF8.self)
                .replacing("\r\n", with: "\n").split(separator: "\n")
            #expect(rows.count > 1, "\(sql)")
            #expect(rows.count == ours.output.split(separator: "\r\n").count, "\(sql)")
        }
    }

    @Test("The metadata for Datasette has the same statements, with parameters")
    func datasette() throws {
        let file = try Project.text("Examples/Datasette/metadata.json")
        let root = try JSONSerialization.jsonObject(with: Data(file.utf8)) as? [String: Any]
        let databases = root?["databases"] as? [String: [String: [String: [String: String]]]]
        let queries = try #require(databases?["events"]?["queries"]).values.compactMap { $0["sql"] }
        let parameters = [
            "'/payments'": ":source", "'evt-1'": ":event_id", "'realtime'": ":origin",
            "'ann'": ":actor", "'day.ndjson'": ":input", "'2999-01-01T00:00:00Z'": ":time",
        ]
        let expected = try statements().map { sql in
            parameters.reduce(sql) { $0.replacing($1.key, with: $1.value) }
                .trimmingCharacters(in: CharacterSet(charactersIn: ";\n"))
        }
        #expect(queries.sorted() == expected.sorted())
    }

    @Test("What an event looked like is told version by version")
    func before() throws {
        let sql = try #require(try statements().first { $0.contains("as appended") })
        let lines = tally.run("query", "s.db", sql, "--nl").output.split(separator: "\n")
        let data = lines.map { $0.components(separatedBy: "\"data\":").last ?? "" }
        #expect(data == [#"{"v":1}}"#, #"{"v":2}}"#, #"{"v":1}}"#])
    }
}
