import Foundation
import TallystickTestSupport
import Testing

/// What Tallystick says of deliveries, beside programs that share no code with it.
@Suite("Independent programs about deliveries")
struct IndependentProgramTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand
    private static let feeds = ["websocket", "realtime"]

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path, under: Waiting.command)
        for feed in Self.feeds + ["malformed"] {
            try FileManager.default.copyItem(
                atPath: Project.file("fixtures/events/\(feed).ndjson"),
                toPath: folder.file("\(feed).ndjson")
            )
        }
        #expect(tally.run("init", "s.db").code == 0)
        for feed in Self.feeds {
            let done = tally.run(
                "ingest",
                "s.db",
                "\(feed).ndjson",
                "malformed.ndjson",
                "--origin",
                feed
            )
            #expect(done.code == 0, "\(done.errors)")
        }
    }

    private func python(_ program: String, _ arguments: String...) -> TallyCommand.Result {
        TallyCommand(in: folder.path, path: "/usr/bin/env")
            .run(["python3", Project.file("Tests/Independent/\(program)")] + arguments)
    }

    @Test("Each delivery is the record of the file that it names, and a change is found")
    func deliveries() throws {
        let done = python("deliveries.py", "s.db", ".")
        #expect(done.code == 0, "\(done.output)\(done.errors)")
        #expect(done.output.contains("checked "))
        try "\n{}\n".write(
            toFile: folder.file("malformed.ndjson"),
            atomically: true,
            encoding: .utf8
        )
        #expect(python("deliveries.py", "s.db", ".").code == 2)
    }

    @Test("A comparison of origins counts what a comparison of their files counts")
    func comparison() throws {
        let fresh = tally.run("init", "t.db")
        #expect(fresh.code == 0)
        for feed in Self.feeds {
            let done = tally.run("ingest", "t.db", "\(feed).ndjson", "--origin", feed)
            #expect(done.code == 0, "\(done.errors)")
        }
        let counts = python("compare_files.py", "websocket.ndjson", "realtime.ndjson").output
        let expected = counts.split(whereSeparator: \.isWhitespace).joined(separator: ",")
        #expect(expected.split(separator: ",").count == 4)
        let ours = tally.run("compare", "t.db", "websocket", "realtime", "--csv")
        #expect(
            ours.output.contains("websocket,realtime,\(expected),"),
            "\(ours.output) \(expected)"
        )
        let file = tally.run("compare", "t.db", "websocket", "--expect", "realtime.ndjson", "--csv")
        #expect(file.output.contains("websocket,realtime.ndjson,\(expected),"), "\(file.output)")
    }
}
