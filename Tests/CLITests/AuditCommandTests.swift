import Foundation
import TallystickTestSupport
import Testing

@Suite("Audit and stats commands")
struct AuditCommandTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        #expect(tally.run("init", "s.db").code == 0)
        for (origin, value) in [("left", 1), ("right", 2)] {
            let line =
                #"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"v":\#(value)}}"#
            #expect(tally.run("ingest", "s.db", "-", "--origin", origin, input: line).code == 0)
        }
        let words = ["conflicts", "resolve", "s.db", "1", "--take", "right", "--reason", "why"]
        #expect(tally.run(words + ["--actor", "ann"]).code == 0)
    }

    private func object(_ text: some StringProtocol) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test("The trail is filtered, shown and exported with hashes that others can check")
    func trail() throws {
        let listed = tally.run("audit", "list", "s.db", "--kind", "resolution", "--actor", "ann")
        let row = try object(listed.output)
        #expect(row["summary"] as? String == "manual take right")
        let sequence = try #require(row["audit_sequence"] as? Int)
        let shown = try object(tally.run("audit", "show", "s.db", "\(sequence)").output)
        let leaf = try #require(shown["leaf"] as? [String: Any])
        let details = try #require(leaf["rows"] as? [String: [[String: Any]]])
        #expect(details["resolutions"]?.first?["winner_origin"] as? String == "right")
        #expect(tally.run("audit", "show", "s.db", "99").code == 66)
        #expect(tally.run("audit", "list", "s.db", "--since", "now").code == 64)

        let lines = tally.run("audit", "export", "s.db").output.split(separator: "\n")
        let tree = try object(lines.last ?? "")
        let last = try #require(tree["tree"] as? [String: Any])
        #expect(last["size"] as? Int == lines.count - 1)
        for line in lines.dropLast() {
            // The leaf is canonical: its bytes are those between the two members' names.
            let start = try #require(line.range(of: "{\"leaf\":")).upperBound
            let end = try #require(line.range(of: ",\"leaf_hash\":", options: .backwards))
                .lowerBound
            let hash = try hashOfLeaf(String(line[start..<end]))
            #expect(try object(line)["leaf_hash"] as? String == hash)
        }
    }

    /// By another program than the one under test.
    private func hashOfLeaf(_ leaf: String) throws -> String {
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["sha256sum"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data([0] + Array(leaf.utf8)))
        try input.fileHandleForWriting.close()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: text.prefix(64), as: UTF8.self)
    }

    private func sqlite(_ sql: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["sqlite3", folder.file("s.db"), sql]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test("A row edited by sqlite3 is named, with exit 2; a guard that was dropped too")
    func tampering() throws {
        let name = "resolutions_refuse_update"
        let guardSQL = try #require(
            try object(
                tally.run("query", "s.db", "SELECT sql FROM sqlite_schema WHERE name = '\(name)'")
                    .output
            )["sql"] as? String
        )
        #expect(tally.run("audit", "verify", "s.db").code == 0)
        try sqlite("DROP TRIGGER \(name); UPDATE resolutions SET actor = 'eve'")
        let dropped = tally.run("audit", "verify", "s.db")
        #expect(dropped.code == 2)
        #expect((dropped.output + dropped.errors).contains(name))
        try sqlite(guardSQL)
        let edited = tally.run("audit", "verify", "s.db", "--json")
        #expect(edited.code == 2)
        #expect(edited.output.contains("\"record\":\"audit_trail "))
        #expect(tally.run("audit", "export", "s.db").code == 2)
    }

    @Test("Counts print as a table, JSON and OpenMetrics")
    func stats() throws {
        let json = try object(tally.run("stats", "s.db", "--json").output)
        let rates = try #require(json["mismatch_rates"] as? [[String: Any]])
        #expect(rates.count == 2)
        #expect(rates.last?["origin"] as? String == "right")
        #expect(rates.last?["rate"] as? Double == 1)
        #expect(rates.last?["exceeded"] as? Bool == true)
        #expect((json["mismatches"] as? [String: Int])?["copy"] == 1)
        let table = tally.run("stats", "s.db", "-t").output
        #expect(table.contains("right system"))
        #expect(table.contains("above its threshold"))
        let metrics = tally.run("stats", "s.db", "--format", "openmetrics").output
        #expect(metrics.hasSuffix("# EOF\n"))
        #expect(
            metrics.contains("tallystick_mismatch_ratio{origin=\"right\",category=\"system\"} 1\n")
        )
        #expect(tally.run("stats", "s.db", "--window", "1").code == 64)
        #expect(tally.run("stats", "s.db", "--json", "--format", "openmetrics").code == 64)
    }

    @Test("The content digest is counted on request only, and never over an edited row")
    func contentDigest() throws {
        let plain = try object(tally.run("stats", "s.db", "--json").output)
        #expect(plain["content_digest"] == nil)
        let json = try object(tally.run("stats", "s.db", "--json", "--content-digest").output)
        let digest = try #require(json["content_digest"] as? [String: Any])
        let hex = try #require(digest["sha256"] as? String)
        #expect(hex.count == 64)
        for (name, count) in [
            ("events", 1), ("disputed", 0), ("position", 1), ("resolution", 1),
            ("configuration_version", 1),
        ] { #expect(digest[name] as? Int == count, "\(name)") }
        #expect(digest.count == 6)
        let table = tally.run("stats", "s.db", "-t", "--content-digest").output
        #expect(table.contains("\ncontent_digest\n") && table.contains(hex))
        let metrics = ["stats", "s.db", "--format", "openmetrics", "--content-digest"]
        #expect(tally.run(metrics).code == 64)

        let sql = "SELECT sql FROM sqlite_schema WHERE name = 'events_refuse_update'"
        let row = try object(tally.run("query", "s.db", sql).output)
        let guardSQL = try #require(row["sql"] as? String)
        try sqlite("DROP TRIGGER events_refuse_update; UPDATE events SET data = '{}'; \(guardSQL)")
        let edited = tally.run("stats", "s.db", "--content-digest")
        #expect(edited.code == 2 && edited.output.isEmpty)
        #expect(edited.errors.contains("position 1"))
        #expect(tally.run("stats", "s.db").code == 0)
    }
}
