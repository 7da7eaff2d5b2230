import Foundation
import TallystickTestSupport
import Testing

@Suite("Commands")
struct CommandTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
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
            tally.run("query", "s.db", "SELECT :x AS x", "-p", "x", "7").output == "{\"x\":\"7\"}\n"
        )
        #expect(
            tally.run("query", "s.db", "SELECT :x AS x", "-p", "x=hi").output == "{\"x\":\"hi\"}\n"
        )
    }
}
