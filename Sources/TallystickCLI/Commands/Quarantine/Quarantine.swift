import ArgumentParser
import Tallystick
import TallystickCore

struct Quarantine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See input that could not become an event, and release it.",
        discussion: """
            EXAMPLES
              tally quarantine events.db
              tally quarantine show events.db 1
              tally quarantine release events.db 1 --reason "map added" --map monitoring
            """,
        subcommands: [List.self, Show.self, Release.self],
        defaultSubcommand: List.self
    )
}
