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
