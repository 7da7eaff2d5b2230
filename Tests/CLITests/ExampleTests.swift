import Foundation
import TallystickTestSupport
import Testing

@Suite("Documented commands")
struct ExampleTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
    }

    // MARK: The README

    @Test("The README's commands run as they are written")
    func readme() throws {
        let lines = try Project.text("README.md").split(separator: "\n").filter {
            ($0.hasPrefix("tally ") && !$0.contains("COMMAND")) || $0.hasPrefix("python3 ")
        }
        #expect(lines.count >= 10)
        for entry in ["fixtures", "Tests"] {
            try FileManager.default.createSymbolicLink(
                atPath: folder.file(entry),
                withDestinationPath: Project.file(entry)
            )
        }
        for line in lines {
            let result = try shell(String(line))
            #expect(result.code == 0, "\(line): \(result.errors)")
        }
    }

    /// Runs a line as a person types it.
    private func shell(_ line: String) throws -> (code: Int32, output: String, errors: String) {
        let process = Process()
        let (output, errors) = (folder.file(".output"), folder.file(".errors"))
        let programs = URL(filePath: tally.path).deletingLastPathComponent().path
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "-C", folder.path, "PATH=\(programs):/usr/local/bin:/usr/bin:/bin", "COLUMNS=80",
            "timeout", "-k", "5", "600", "bash", "-c", "{ \(line)\n} >\(output) 2>\(errors)",
        ]
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return (process.terminationStatus, TallyCommand.text(output), TallyCommand.text(errors))
    }

    // MARK: Help

    /// Every command and subcommand that help names.
    private func commands(of parent: [String] = []) -> [[String]] {
        let help = tally.run(parent + ["--help"]).output
        guard let list = help.components(separatedBy: "SUBCOMMANDS:\n").dropFirst().first else {
            return [parent]
        }
        let names = list.split(separator: "\n", omittingEmptySubsequences: false)
            .prefix { $0.hasPrefix("  ") }.compactMap { line in
                line.dropFirst(2).hasPrefix(" ")
                    ? nil : line.split(whereSeparator: { " ,".contains($0) }).first
            }
        return [parent]
            + names.filter { $0 != "help" }.flatMap { commands(of: parent + [String($0)]) }
    }

    /// The lines of help that are commands to type, as a terminal of 80 columns shows them.
    private func examples(of command: [String]) throws -> [String] {
        let help = try shell((["tally"] + command + ["--help"]).joined(separator: " ")).output
        return help.replacing(/\\\n +/, with: "")
            .split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { $0.hasPrefix("tally ") || $0.hasPrefix("cat ") }
    }

    @Test("Every command has help with an example")
    func everyCommandHasAnExample() throws {
        let all = commands()
        #expect(all.count > 30, "found \(all.count)")
        for command in all {
            let help = tally.run(command + ["--help"])
            #expect(help.code == 0, "\(command)")
            #expect(help.output.contains("EXAMPLE"), "\(command)")
            #expect(try !examples(of: command).isEmpty, "\(command)")
        }
    }

    /// Commands whose examples answer a question about the store of ``prepare()``, and exit 1 where the answer is so.
    private static let questions = ["--check"]
    /// What only an earlier run of another command gives: such an example is read, and not run.
    private static let needs = ["$CURSOR", ".note", ".pub"]
    /// Commands that run until they are stopped.
    private static let endless = ["--follow"]
    /// What the store of ``prepare()`` is made for: here an example has to succeed.
    private static let succeeding: Set<String> = [
        "init", "ingest", "append", "read", "export", "verify", "conflicts", "quarantine",
        "query",
        "stats", "doctor", "backup", "upgrade", "completions",
    ]

    private func prepare() throws {
        func write(_ name: String, _ text: String) throws {
            try text.write(toFile: folder.file(name), atomically: true, encoding: .utf8)
        }
        func lines(_ feed: String) throws -> String {
            let all = try Project.text("fixtures/events/\(feed).ndjson").split(separator: "\n")
            return all[1000..<1200].joined(separator: "\n") + "\n"
        }
        try write("batch.ndjson", lines("websocket"))
        let record =
            #"{"event_type":"stats","timestamp":"2026-03-01T10:00:00Z","source":"agent","data":{},"#
            + #""metadata":{"event_id":"m1"},"uuid":"u1","kind":"invoice"}"#
        try write("other.ndjson", lines("realtime") + record + "\n")
        try write("log.ndjson", record.replacing("m1", with: "m2") + "\n")
        try write("service_health.sql", Project.text("fixtures/projections/service_health.sql"))
        try write("settings.json", #"{"tallystick_config":1,"default_category":"system"}"#)
        try write(
            "placed.json",
            #"{"specversion":"1.0","id":"p1","source":"/shop","type":"order.placed","data":{"total":1}}"#
        )
        try write(
            "paid.ndjson",
            #"{"specversion":"1.0","id":"p2","source":"/shop","type":"order.paid","data":{"total":1}}"#
        )
    }

    /// A store with both feeds, to be copied for each command.
    private func fill() throws {
        for line in [
            "tally init events.db", "tally ingest events.db batch.ndjson --origin websocket",
            "tally ingest events.db other.ndjson --origin realtime",
            "tally replay events.db service_health.sql", "tally backup events.db filled.db",
        ] { #expect(try shell(line).code == 0, "\(line)") }
    }

    /// Other content for the event of a conflict.
    private func writeDecision(on conflict: Int) throws {
        let sql =
            "SELECT event_id AS id, source, type FROM open_conflicts WHERE conflict_id = \(conflict)"
        let row = tally.run("query", "events.db", sql, "--nl").output
        let event = row.replacing(
            "{\"id\"",
            with: #"{"specversion":"1.0","data":{"fixed":true},"id""#
        )
        try event.write(toFile: folder.file("fixed.json"), atomically: true, encoding: .utf8)
    }

    private func beginAnew(with template: String?) throws {
        for suffix in ["", "-wal", "-shm"] { unlink(folder.file("events.db" + suffix)) }
        guard let template else { return }
        try FileManager.default.copyItem(
            atPath: folder.file(template),
            toPath: folder.file("events.db")
        )
    }

    @Test("Every example in help is a command line that the tool accepts, as 80 columns show it")
    func examplesParse() throws {
        for command in commands() {
            for example in try examples(of: command) {
                // It needs no store, and runs for long.
                if command == ["demo"] || example == "tally demo" { continue }
                // Without its store a command is refused only once its words were understood.
                let isRedirected = example.contains(" > ") && !example.contains("copies > :n")
                let words = isRedirected ? String(example.prefix { $0 != ">" }) : example
                let result = try shell(words.replacing("events.db", with: "missing/events.db"))
                #expect(
                    ![2, 64, 70, 126, 127].contains(result.code),
                    "\(example): \(result.code) \(result.errors)"
                )
            }
        }
    }

    @Test("The examples in help run as they are written")
    func examplesRun() throws {
        try prepare()
        try fill()
        try writeDecision(on: 2)
        for command in commands() {
            try beginAnew(with: command.first == "init" ? nil : "filled.db")
            if command == ["conflicts", "reopen"] {
                let decided = try shell(
                    "tally conflicts resolve events.db 1 --take realtime --reason decided"
                )
                #expect(decided.code == 0, "\(decided.errors)")
            }
            for example in try examples(of: command) {
                if command.first == "init" || command.isEmpty && example.contains(" init ") {
                    try beginAnew(with: nil)
                }
                if Self.needs.contains(where: example.contains) { continue }
                unlink(folder.file("events-2026-03-01.db"))
                var line = example.replacing("/var/lib/node_exporter/", with: "./").replacing(
                    "/etc/bash_completion.d/",
                    with: "./"
                )
                .replacing("/tmp/tally-demo", with: "./kept-demo")
                if Self.endless.contains(where: example.contains) {
                    line = "timeout -s INT 1 \(line)"
                }
                let result = try shell(line)
                let isQuestion = Self.questions.contains(where: example.contains)
                #expect(result.code != 64, "\(example): \(result.errors)")
                #expect(result.code != 70, "\(example): \(result.errors)")
                if let name = command.first, Self.succeeding.contains(name) {
                    #expect(
                        result.code == 0 || (isQuestion && result.code == 1)
                            || Self.endless.contains(where: example.contains),
                        "\(example): \(result.code) \(result.errors)"
                    )
                }
            }
        }
    }
}
