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
        #expect(statements.count == 7)
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

    @Test("What an event looked like is told version by version")
    func before() throws {
        let sql = try #require(try statements().first { $0.contains("as appended") })
        let lines = tally.run("query", "s.db", sql, "--nl").output.split(separator: "\n")
        let data = lines.map { $0.components(separatedBy: "\"data\":").last ?? "" }
        #expect(data == [#"{"v":1}}"#, #"{"v":2}}"#, #"{"v":1}}"#])
    }
}
