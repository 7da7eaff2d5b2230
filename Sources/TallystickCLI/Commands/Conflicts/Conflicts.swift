import ArgumentParser
import Tallystick
import TallystickCore

struct Conflicts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See where copies disagree, and decide.",
        discussion: """
            EXAMPLES
              tally conflicts events.db
              tally conflicts review events.db
              tally conflicts diff events.db 1
              tally conflicts resolve events.db 1 --take websocket \\
                  --reason "the feed of record"
            """,
        subcommands: [
            List.self, Show.self, Diff.self, Review.self, Resolve.self, Reopen.self,
        ],
        defaultSubcommand: List.self
    )

    static func unknown(_ conflict: Int64) -> StoreError {
        StoreError(
            .notFound,
            during: "show the conflict",
            on: "conflict \(conflict)",
            "there is no such conflict",
            hint: "See 'tally conflicts list --all'"
        )
    }
}
