import ArgumentParser
import Tallystick
import TallystickCore

struct Config: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show settings, check a settings file, and apply it.",
        discussion: """
            EXAMPLES
              tally config show events.db
              tally config validate settings.json
              tally config apply events.db settings.json \\
                  --reason "the new feed counts less"
              tally config diff events.db --from 1
              tally config history events.db
            """,
        subcommands: [Show.self, Validate.self, Apply.self, Diff.self, History.self]
    )

    struct Show: TallyCommand {
        static let title = "config show"
        static let configuration = CommandConfiguration(
            abstract: "Show the settings in force, overrides by environment variables included.",
            discussion: """
                EXAMPLES
                  tally config show events.db
                  tally config show events.db --version 1 --settings > settings.json
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Option(help: "Show this version, as it was recorded.")
        var version: Int64?
        @Flag(help: "Print the settings alone, as a file for 'tally config apply --replace'.")
        var settings = false
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            let opened = try await EventStore.open(at: store, options: .command(.readOnly))
            let recorded = try await opened.settings(version: version)
            let shown = version == nil ? opened.settingsInForce : recorded.settings
            let overrides = version == nil ? opened.settingsOverrides : []
            if settings {
                let file = try OutputFile(path: rows.output)
                try file.write(shown.canonical + [0x0A])
                try file.finish()
                return Exit.done
            }
            let writer = try rows.writer()
            if rows.chosen == .table {
                Terminal.note(Self.heading(recorded, overrides))
                try writer.begin(["setting", "value"])
                for (pointer, value) in shown.entries {
                    try writer.add([.text(pointer), .text(value)])
                }
            } else {
                try writer.begin([
                    "version", "recorded_at", "actor", "reason", "overrides", "content",
                ])
                try writer.add([
                    .integer(recorded.version),
                    .text(RFC3339.string(microseconds: recorded.recordedAt)),
                    .text(recorded.actor), recorded.reason.map { .text($0) } ?? .null,
                    .text(overrides.joined(separator: ", ")),
                    .text(String(decoding: shown.canonical, as: UTF8.self)),
                ])
            }
            try writer.end()
            return Exit.done
        }

        private static func heading(_ version: SettingsVersion, _ overrides: [String]) -> String {
            let by =
                "version \(version.version), \(RFC3339.string(microseconds: version.recordedAt)), \(version.actor)"
            return overrides.isEmpty
                ? by : "\(by), with \(overrides.joined(separator: ", ")) in place of its values"
        }
    }

    struct Validate: TallyCommand {
        static let title = "config validate"
        static let configuration = CommandConfiguration(
            abstract: "Check a settings file.",
            discussion: """
                EXAMPLES
                  tally config validate settings.json
                  tally config validate settings.json --store events.db
                """
        )
        @Argument(help: "The settings file; - for standard input.", completion: .file())
        var file: String
        @Option(
            help: "Check it as a change of this store's settings instead of the defaults.",
            completion: .file()
        )
        var store: String?

        func execute() async throws -> Int32 {
            if let store {
                let opened = try await EventStore.open(at: store, options: .command(.readOnly))
                let bytes = try SmallFile.read(file)
                try await SettingsFile.naming(file) {
                    _ = try await opened.changes(applying: bytes)
                }
            } else {
                _ = try SettingsFile.read(file)
            }
            let output = try OutputFile(path: nil)
            try output.write(Terminal.escaped("\(file) is valid") + "\n")
            try output.finish()
            return Exit.done
        }
    }

    struct Apply: TallyCommand {
        static let title = "config apply"
        static let configuration = CommandConfiguration(
            abstract: "Apply a settings file: a new version, with who and why.",
            discussion: """
                The file says what changes; everything else stays. With --replace it is all there is. Settings that \
                change nothing add no version.

                EXAMPLES
                  tally config apply events.db settings.json \\
                      --reason "the new feed counts less"
                  tally config apply events.db whole.json --replace \\
                      --reason "back to the agreed ones"
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The settings file; - for standard input.", completion: .file())
        var file: String
        @Flag(help: "The file is all there is.")
        var replace = false
        @OptionGroup var change: ChangeOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let bytes = try SmallFile.read(file)
            let (opened, applied) = try await OpenedStore.with(store, change.waiting.command()) {
                opened in
                let applied = try await SettingsFile.naming(file) {
                    try await opened.apply(
                        settings: bytes,
                        replacing: replace,
                        actor: change.actor,
                        reason: change.reason
                    )
                }
                return (opened, applied)
            }
            var result = Report("config apply", on: opened, started: started)
            result.result = applied.changes.isEmpty ? "unchanged" : "done"
            result.add("version", .number(applied.version))
            result.add("changes", .list(applied.changes.map(SettingsChange.json)))
            try result.print(report) {
                applied.changes.isEmpty
                    ? ["nothing changes: version \(applied.version) stays in force"]
                    : ["version \(applied.version) is in force"]
                        + applied.changes.map(SettingsChange.line)
            }
            return Exit.done
        }
    }

    struct Diff: TallyCommand {
        static let title = "config diff"
        static let configuration = CommandConfiguration(
            abstract:
                "Show what differs between versions of the settings, or what a file would change.",
            discussion: """
                EXAMPLES
                  tally config diff events.db
                  tally config diff events.db --from 1 --to 3
                  tally config diff events.db --file settings.json
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Option(help: "The older version; the one before the newer one without.")
        var from: Int64?
        @Option(help: "The newer version; the one in force without.")
        var to: Int64?
        @Option(help: "A settings file: what it would change.", completion: .file())
        var file: String?
        @Flag(help: "The file is all there is.")
        var replace = false
        @OptionGroup var rows: RowOptions

        func validate() throws {
            guard file != nil else {
                if replace { throw ValidationError("--replace goes with --file") }
                return
            }
            if from != nil || to != nil {
                throw ValidationError("give either --file, or --from and --to")
            }
        }

        func execute() async throws -> Int32 {
            let opened = try await EventStore.open(at: store, options: .command(.readOnly))
            let changes = try await changes(opened)
            let writer = try rows.writer()
            try writer.begin(["setting", "old", "new"])
            for change in changes {
                try writer.add([
                    .text(change.pointer), change.old.map { .text($0) } ?? .null,
                    change.new.map { .text($0) } ?? .null,
                ])
            }
            try writer.end()
            return Exit.done
        }

        private func changes(_ opened: EventStore) async throws -> [StoreSettings.Change] {
            if let file {
                let bytes = try SmallFile.read(file)
                return try await SettingsFile.naming(file) {
                    try await opened.changes(applying: bytes, replacing: replace)
                }
            }
            let newer = try await opened.settings(version: to)
            let older = try await opened.settings(version: from ?? max(1, newer.version - 1))
            return older.settings.changes(to: newer.settings)
        }
    }

    struct History: TallyCommand {
        static let title = "config history"
        static let configuration = CommandConfiguration(
            abstract: "List the versions of the settings: when, who and why.",
            discussion: "EXAMPLE\n  tally config history events.db"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            _ = try await Lists.print(
                .configurations,
                of: store,
                rows,
                brief: ["version", "recorded_at", "actor", "reason"]
            )
            return Exit.done
        }
    }
}

/// A change of a setting, for people and for programs.
enum SettingsChange {
    static func json(_ change: StoreSettings.Change) -> JSONValue {
        .object([
            ("setting", .text(change.pointer)), ("old", value(change.old)),
            ("new", value(change.new)),
        ])
    }

    static func line(_ change: StoreSettings.Change) -> String {
        "  \(change.pointer): \(change.old ?? "nothing") → \(change.new ?? "nothing")"
    }

    private static func value(_ text: String?) -> JSONValue {
        guard let text else { return .null }
        do {
            return try JSONDocument(Array(text.utf8)).root
        } catch {
            return .text(text)
        }
    }
}
