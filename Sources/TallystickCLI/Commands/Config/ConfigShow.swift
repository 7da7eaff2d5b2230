import ArgumentParser
import Tallystick
import TallystickCore

extension Config {
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
            return try await OpenedStore.with(store, .command(.readOnly)) { opened in
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
                        .text(recorded.recordedAt.description),
                        .text(recorded.actor), recorded.reason.map { .text($0) } ?? .null,
                        .text(overrides.joined(separator: ", ")),
                        .text(String(decoding: shown.canonical, as: UTF8.self)),
                    ])
                }
                try writer.end()
                return Exit.done
            }
        }

        private static func heading(_ version: SettingsVersion, _ overrides: [String]) -> String {
            let by =
                "version \(version.version), \(version.recordedAt), \(version.actor)"
            return overrides.isEmpty
                ? by : "\(by), with \(overrides.joined(separator: ", ")) in place of its values"
        }
    }
}
