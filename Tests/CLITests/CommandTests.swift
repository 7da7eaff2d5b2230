import Foundation
import TallystickTestKit
import Testing

@Suite("Commands")
struct CommandTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
    }

    private static let commands = [
        "init", "ingest", "append", "read", "export", "verify", "replay", "replay run",
        "replay list",
        "replay status", "replay parked", "replay retry", "replay drop", "replay rebuild",
        "conflicts list",
        "conflicts show", "conflicts diff", "conflicts resolve", "conflicts reopen",
        "quarantine list",
        "quarantine show",
        "quarantine release", "audit list", "audit show", "audit verify", "audit replay",
        "reconcile", "reconcile run", "reconcile status", "breaker list", "breaker set",
        "config show", "config validate", "config apply", "config diff", "config history", "query",
        "stats", "doctor", "backup", "upgrade", "demo", "completions",
        "keys generate", "keys list", "keys rotate", "keys retire", "keys reseal", "seal",
        "prove event", "prove consistency", "prove check",
    ]

    @Test("Every command has help with an example", arguments: commands)
    func help(_ command: String) {
        let result = tally.run(command.split(separator: " ").map(String.init) + ["--help"])
        #expect(result.code == 0)
        #expect(result.output.contains("EXAMPLE"), "\(command)")
        #expect(result.output.contains("tally "), "\(command)")
    }

    @Test("Reports have the members that the contract names")
    func reports() throws {
        #expect(tally.run("init", "s.db").code == 0)
        let line = #"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":1}}"#
        let ingest = try object(
            tally.run("ingest", "s.db", "-", "--origin", "a", "--json", input: line).output
        )
        for name in [
            "command", "report_version", "store_id", "result", "exit", "duration_seconds", "origin",
            "inputs", "outcomes",
            "conflicts_opened", "positions", "quarantine", "quarantine_truncated", "resume",
        ] {
            #expect(ingest[name] != nil, "\(name)")
        }
        let verify = try object(tally.run("verify", "s.db", "--json").output)
        for name in ["checked", "not_checked", "findings", "tree", "cursor"] {
            #expect(verify[name] != nil, "\(name)")
        }
        #expect(verify["exit"] as? Int == 0)
    }

    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test("Rows print in four formats")
    func formats() {
        #expect(tally.run("init", "s.db").code == 0)
        let sql = "SELECT 1 AS a, 'x,\"y' AS b, NULL AS c, 1.5 AS d"
        #expect(
            tally.run("query", "s.db", sql, "--nl").output
                == "{\"a\":1,\"b\":\"x,\\\"y\",\"c\":null,\"d\":1.5}\n"
        )
        #expect(
            tally.run("query", "s.db", sql, "--csv").output == "a,b,c,d\r\n1,\"x,\"\"y\",,1.5\r\n"
        )
        let json = tally.run("query", "s.db", sql, "--json").output
        #expect((try? JSONSerialization.jsonObject(with: Data(json.utf8))) is [Any])
        #expect(tally.run("query", "s.db", sql, "-t").output.contains("a  b     c    d"))
        #expect(
            tally.run("query", "s.db", "SELECT :x AS x", "-p", "x", "7").output == "{\"x\":7}\n"
        )
        #expect(
            tally.run("query", "s.db", "SELECT :x AS x", "-p", "x=hi").output == "{\"x\":\"hi\"}\n"
        )
    }

    @Test("The README's commands run as they are written")
    func readme() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        let lines = text.split(separator: "\n").filter {
            $0.hasPrefix("tally ") && !$0.contains("COMMAND")
        }
        #expect(lines.count >= 9)
        for line in lines {
            var words = line.split(separator: "\"", omittingEmptySubsequences: false)
            let sql = words.count == 3 ? String(words[1]) : nil
            words = words[0].split(separator: " ")
            var arguments = words.dropFirst().map { word in
                word.hasPrefix("fixtures/") ? root.appending(path: String(word)).path : String(word)
            }
            if let sql { arguments.append(sql) }
            let result = tally.run(arguments)
            #expect(result.code == 0, "\(line): \(result.errors)")
        }
    }
}
