import Foundation
import TallystickTestKit
import Testing

/// What people see on a terminal, which `script` (util-linux) plays.
@Suite("On a terminal")
struct TerminalTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand
    private let screen: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        screen = TallyCommand(
            in: folder.path,
            under: [
                "env", "TERM=xterm", "NO_COLOR=1", "bash", "-c",
                "printf -v line '%q ' \"$@\"; script -qec \"$line\" /dev/null", "screen",
            ]
        )
    }

    /// Each would change a terminal's colours, title, cursor or direction, or hide text.
    private static let hostile =
        "\u{1B}]0;owned\u{7}\u{1B}[31m\u{9B}2J\u{7F}\u{8}\u{202E}\u{200B}\u{2066}"

    private func isClean(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0x0A, 0x0D: true
            case 0...0x1F, 0x7F...0x9F, 0x200B, 0x202E, 0x2066: false
            default: true
            }
        }
    }

    private func prepare() throws {
        let escaped =
            "\\u001b]0;owned\\u0007\\u001b[31m\\u009b2J\\u007f\\u0008\\u202e\\u200b\\u2066"
        func line(_ id: String, _ data: String) -> String {
            #"{"specversion":"1.0","id":"\#(id)\#(escaped)","source":"/s\#(escaped)","type":"error\#(escaped)","#
                + #""subject":"x\#(escaped)","dataschema":"d\#(escaped)","ext":"e\#(escaped)","data":{"k\#(escaped)":"\#(data)\#(escaped)"}}"#
        }
        #expect(tally.run("init", "s.db").code == 0)
        let first = line("1", "a") + "\n" + "bad \(Self.hostile)\n"
        #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: first).code == 0)
        #expect(tally.run("ingest", "s.db", "-", "--origin", "b", input: line("1", "b")).code == 0)
    }

    @Test("Nothing of an event is obeyed by a terminal, in any format of any command")
    func escapes() throws {
        try prepare()
        let commands: [[String]] = [
            ["read", "s.db"], ["export", "s.db"], ["stats", "s.db"], ["audit", "s.db"],
            ["verify", "s.db", "--progress", "none"],
            ["conflicts", "s.db"], ["conflicts", "show", "s.db", "1"],
            ["conflicts", "diff", "s.db", "1"],
            ["quarantine", "s.db"], ["quarantine", "show", "s.db", "1"],
            ["query", "s.db", "SELECT * FROM event_log"],
            ["query", "s.db", "SELECT * FROM open_conflicts"],
            ["query", "s.db", "SELECT 1 AS \"\(Self.hostile)\""],
            ["query", "s.db", "SELECT '\(Self.hostile)' AS x"],
            ["query", "s.db", "SELECT \"\(Self.hostile)\""],
            ["ingest", "s.db", "\(Self.hostile).ndjson", "--origin", "a"],
            ["stats", "\(Self.hostile).db"],
            [
                "conflicts", "resolve", "s.db", "1", "--take", Self.hostile, "--reason",
                Self.hostile,
            ],
            ["append", "s.db", Self.hostile, "missing.json"], [Self.hostile],
            ["read", "s.db", "--\(Self.hostile)"],
        ]
        for command in commands {
            let isRows = ["read", "audit", "query", "conflicts", "quarantine"].contains(command[0])
            for format in isRows ? [[], ["-t"], ["--csv"], ["--nl"], ["--json"]] : [[]] {
                let result = screen.run(command + format)
                #expect(!result.output.isEmpty, "\(command) \(format)")
                #expect(
                    isClean(result.output),
                    "\(command) \(format): \(Array(result.output.utf8))"
                )
            }
        }
    }

    @Test("In a pipe JSON and CSV keep every character")
    func pipe() throws {
        try prepare()
        let rows = tally.run("query", "s.db", "SELECT subject FROM event_log", "--csv").output
        #expect(rows.contains("x" + Self.hostile))
        let exported = tally.run("export", "s.db").output
        #expect(exported.contains("\u{9B}2J\u{7F}"), "RFC 8785 writes them as they are")
    }
}
