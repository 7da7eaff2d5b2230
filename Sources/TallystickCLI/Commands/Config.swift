import ArgumentParser
import Tallystick
import TallystickCore

struct Config: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See settings, and judge a settings file.",
        discussion: """
            EXAMPLES
              tally config show events.db
              tally config validate settings.json
            """,
        subcommands: [Show.self, Validate.self]
    )

    struct Show: TallyCommand {
        static let title = "config show"
        static let configuration = CommandConfiguration(
            abstract: "Show the settings in force.",
            discussion: "EXAMPLE\n  tally config show events.db"
        )
        @Argument(help: "The store.")
        var store: String
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            _ = try await Lists.print(.configuration, of: store, rows)
            return Exit.done
        }
    }

    struct Validate: TallyCommand {
        static let title = "config validate"
        static let configuration = CommandConfiguration(
            abstract: "Judge a settings file.",
            discussion: "EXAMPLE\n  tally config validate settings.json"
        )
        @Argument(help: "The settings file.")
        var file: String

        func execute() async throws -> Int32 {
            _ = try SettingsFile.read(file)
            Terminal.note("\(file) is valid")
            return Exit.done
        }
    }
}
