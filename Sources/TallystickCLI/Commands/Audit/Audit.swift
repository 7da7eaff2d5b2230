import ArgumentParser
import Tallystick
import TallystickCore

struct Audit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read, check and export the trail of decisions.",
        discussion: """
            EXAMPLES
              tally audit events.db
              tally audit list events.db --kind resolution --actor ann@host
              tally audit show events.db 12
              tally audit verify events.db
              tally audit export events.db --output trail.ndjson
            """,
        subcommands: [List.self, Show.self, Verify.self, Replay.self, Export.self],
        defaultSubcommand: List.self
    )
}
