import Foundation
import TallystickTestSupport
import Testing

/// What people meet in daily use.
@Suite("Commands answer for every conflict, input and parameter")
struct DailyUseTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
    }

    private func lines(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    private func event(_ id: String, _ sequence: Int, _ value: Int = 1) -> String {
        #"{"specversion":"1.0","id":"\#(id)","source":"/s","type":"status","sequence":"\#(sequence)","data":{"v":\#(value)}}"#
            + "\n"
    }

    private func ingest(_ lines: String, from origin: String) {
        let result = tally.run("ingest", "s.db", "-", "--origin", origin, input: lines)
        #expect(result.code == 0, "\(result.errors)")
    }

    @Test("Conflicts without candidates are shown: silent origins, gaps and collisions of numbers")
    func withoutCandidates() throws {
        let settings = """
            {"origins": {"websocket": {"priority": 1}, "realtime": {"priority": 2}},
             "categories": {"system": {"window": "1ms"}}}
            """
        try Data(settings.utf8).write(to: URL(filePath: folder.file("c.json")))
        #expect(tally.run("init", "s.db", "--config", "c.json").code == 0)
        ingest(event("a", 1), from: "realtime")
        ingest(event("a", 1) + event("b", 2) + event("c", 5) + event("d", 5, 2), from: "websocket")
        #expect(tally.run("reconcile", "s.db").code == 1)
        let kinds = try lines(tally.run("conflicts", "s.db", "--nl").output).map {
            ($0["kind"] as? String ?? "", "\($0["conflict_id"] ?? "")")
        }
        #expect(
            kinds.map(\.0).sorted() == ["origin_silent", "sequence_collision", "sequence_gap"]
        )
        for (kind, id) in kinds {
            let show = tally.run("conflicts", "show", "s.db", id, "--nl")
            #expect(show.code == 0, "\(show.errors)")
            let shown = try #require(try lines(show.output).first)
            #expect(shown["kind"] as? String == kind)
            let diff = tally.run("conflicts", "diff", "s.db", id, "--nl")
            #expect(diff.code == 0, "\(diff.errors)")
            let table = try lines(diff.output)
            switch kind {
            case "origin_silent":
                #expect(shown["origin"] as? String == "realtime")
                #expect(shown["since"] is String)
                #expect(table.contains { $0["value"] as? String == "realtime" })
            case "sequence_gap":
                #expect(shown["first"] as? Int == 3 && shown["last"] as? Int == 4)
                #expect(
                    table.contains { $0["place"] as? String == "first" && $0["value"] as? Int == 3 }
                )
            default:
                #expect(shown["position"] as? Int == 4 && shown["other_position"] as? Int == 3)
                let place = try #require(table.first { $0["place"] as? String == "/data/v" })
                #expect(place["position 3"] as? String == "1")
                #expect(place["position 4"] as? String == "2")
            }
            for format in ["-t", "--csv", "--json"] {
                #expect(tally.run("conflicts", "show", "s.db", id, format).code == 0)
                #expect(tally.run("conflicts", "diff", "s.db", id, format).code == 0)
            }
        }
        for command in ["show", "diff"] {
            #expect(tally.run("conflicts", command, "s.db", "99").code == 66)
        }
    }

    @Test("A missing copy names the origin that lacks it")
    func missing() throws {
        try FileManager.default.copyItem(
            atPath: Project.file("fixtures/databases/accept-missing-0.1.db"),
            toPath: folder.file("s.db")
        )
        chmod(folder.file("s.db"), 0o600)
        let listed = try lines(tally.run("conflicts", "list", "s.db", "--all", "--nl").output)
        let missing = try #require(listed.first { $0["kind"] as? String == "missing_at_origin" })
        let id = "\(missing["conflict_id"] ?? "")"
        let shown = try lines(tally.run("conflicts", "show", "s.db", id, "--nl").output)
        #expect(shown.map { $0["missing_origin"] as? String } == ["realtime"])
        let table = try lines(tally.run("conflicts", "diff", "s.db", id, "--nl").output)
        #expect(table.contains { $0["1 websocket"] is String && $0["missing realtime"] is NSNull })
    }

    @Test("Quarantine says which file an input came from, and its leaf covers that")
    func quarantinePath() throws {
        #expect(tally.run("init", "s.db").code == 0)
        let first = Data((event("1", 1) + "not json\n").utf8)
        try first.write(to: URL(filePath: folder.file("first file.ndjson")))
        try Data("{\"no\":1}\n".utf8).write(to: URL(filePath: folder.file("second.ndjson")))
        let files = ["first file.ndjson", "./second.ndjson"]
        #expect(tally.run(["ingest", "s.db"] + files + ["--origin", "a"]).code == 0)
        ingest(event("2", 2) + "[1]\n", from: "b")
        let listed = try lines(tally.run("quarantine", "s.db", "--nl").output)
        #expect(listed.map { $0["path"] as? String } == files + ["-"])
        let stored = tally.run("query", "s.db", "SELECT path FROM quarantine ORDER BY 1", "--nl")
        #expect(try lines(stored.output).count == 3)
        #expect(
            try lines(tally.run("quarantine", "show", "s.db", "2", "--nl").output).first?["path"]
                as? String == "./second.ndjson"
        )
        #expect(tally.run("verify", "s.db").code == 0)
        let python = TallyCommand(in: folder.path, path: "/usr/bin/env")
        let program = Project.file("Tests/Independent/recompute.py")
        let recomputed = python.run("python3", program, "s.db")
        #expect(recomputed.code == 0, "\(recomputed.output)")
    }

    @Test(
        "A parameter of a query is text, and finds ids that look like numbers",
        arguments: ["007", "1e3", "12345678901234567890", "0x10", "1.50", "-0", "7"]
    )
    func parameters(_ id: String) throws {
        #expect(tally.run("init", "s.db").code == 0)
        ingest(event(id, 1), from: "a")
        func count(_ condition: String, _ words: String...) throws -> Int? {
            let sql = "SELECT count(*) AS n FROM event_log WHERE \(condition)"
            let result = tally.run(["query", "s.db", sql, "--nl"] + words)
            #expect(result.code == 0, "\(result.errors)")
            return try lines(result.output).first?["n"] as? Int
        }
        #expect(try count("event_id = :id", "-p", "id=\(id)") == 1)
        if !id.hasPrefix("-") { #expect(try count("event_id = :id", "-p", "id", id) == 1) }
        // A column of numbers takes the text for the number.
        #expect(try count("position = :p", "-p", "p", "1") == 1)
        #expect(try count("position > :p", "-p", "p", "0") == 1)
        #expect(try count("position < :p", "-p", "p", "10") == 1)
        // An expression does so on request.
        #expect(try count("copies + 0 = :n", "-p", "n:integer", "1") == 1)
        #expect(try count("copies * 1.5 = :n", "-p", "n:real=1.5") == 1)
        #expect(try count("copies + 0 = :n", "-p", "n", "1") == 0)
        #expect(tally.run("query", "s.db", "SELECT :n", "-p", "n:integer=x").code == 64)
        #expect(tally.run("query", "s.db", "SELECT :n", "-p", "n:number=1").code == 64)
    }
}
