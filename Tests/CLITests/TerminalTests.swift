import Foundation
import TallystickTestSupport
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

    /// What people and programs put on record besides events: names, actors, reasons, settings, replays.
    private func prepareMore() throws {
        let words = ["--actor", "a" + Self.hostile, "--reason", "r" + Self.hostile]
        try Data(
            #"{"origins":{"b\u001b[31m":{"priority":1}},"compare":{"ignore_data":["/x\u001b[31m"]}}"#
                .utf8
        ).write(to: URL(filePath: folder.file("settings.json")))
        try Data(
            """
            -- tally:projection seen
            -- tally:version 1
            -- tally:setup
            CREATE TABLE seen (id TEXT PRIMARY KEY, n INTEGER) STRICT;
            -- tally:on *
            INSERT INTO seen VALUES (:id, :data);

            """.utf8
        ).write(to: URL(filePath: folder.file("seen.sql")))
        let event = #"{"specversion":"1.0","id":"7","source":"/s","type":"t"}"#
        for command in [
            ["ingest", "s.db", "-", "--origin", Self.hostile],
            ["config", "apply", "s.db", "settings.json"] + words,
            ["breaker", "set", "s.db", Self.hostile, "forced_open"] + words,
            ["keys", "generate", "s.db", "--key-file", "ring.json"] + words,
            ["keys", "generate", "s.db", "--signing", "signer.key"] + words,
            ["seal", "s.db", "--key-file", "signer.key", "--output", "one.note"],
            ["prove", "event", "s.db", "1", "--output", "one.proof"],
            ["replay", "s.db", "seen.sql", "--on-poison", "park"],
            [
                "conflicts", "resolve", "s.db", "1", "--take", "b", "--key-file", "ring.json",
            ] + words, ["conflicts", "reopen", "s.db", "1"] + words,
            ["reconcile", "s.db", "--key-file", "ring.json"],
        ] {
            let result = tally.run(command, input: event)
            #expect([0, 1, 3].contains(result.code), "\(command): \(result.errors)")
        }
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

    @Test("Nothing of names, actors, reasons, settings and paths is obeyed either")
    func records() throws {
        try prepare()
        try prepareMore()
        let commands: [[String]] = [
            ["conflicts", "list", "s.db", "--all"], ["audit", "show", "s.db", "1"],
            ["audit", "list", "s.db"], ["audit", "verify", "s.db"],
            ["audit", "replay", "s.db", "--progress", "none"],
            ["breaker", "s.db"], ["config", "history", "s.db"], ["config", "show", "s.db"],
            ["config", "diff", "s.db", "--from", "1"], ["config", "validate", "settings.json"],
            ["keys", "list", "s.db"], ["keys", "retire", "s.db", Self.hostile, "--reason", "x"],
            ["keys", "generate", "s.db", "--id", Self.hostile, "--reason", "x"],
            ["replay", "list", "s.db"], ["replay", "status", "s.db"],
            ["replay", "parked", "s.db", "seen"], ["replay", "drop", "s.db", Self.hostile],
            ["reconcile", "status", "s.db"],
            ["reconcile", "s.db", "--origins", Self.hostile, "--progress", "none"],
            ["doctor", "s.db"], ["query", "s.db", "SELECT * FROM resolution_trail"],
            ["query", "s.db", "SELECT * FROM audit_trail"],
            ["query", "s.db", "SELECT * FROM effective_events"],
            ["verify", "s.db", "--against", Self.hostile, "--public-key", "x"],
            ["verify", "s.db", "--resume", Self.hostile],
            ["seal", "s.db", "--key-file", Self.hostile],
            ["prove", "event", "s.db", "--source", Self.hostile, "--id", Self.hostile],
            ["prove", "check", "one.proof", "--public-key", Self.hostile],
            ["backup", "s.db", "no/\(Self.hostile)"], ["init", "no/\(Self.hostile)"],
            ["quarantine", "release", "s.db", "1", "--reason", Self.hostile],
            ["breaker", "set", "s.db", Self.hostile, "open", "--reason", Self.hostile],
            ["replay", "s.db", "\(Self.hostile).sql"], ["upgrade", Self.hostile],
        ]
        for command in commands {
            let output = screen.run(command).output
            #expect(!output.isEmpty, "\(command)")
            #expect(isClean(output), "\(command): \(Array(output.utf8))")
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
