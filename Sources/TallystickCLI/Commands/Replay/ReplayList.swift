import ArgumentParser
import Tallystick
import TallystickCore

extension Replay {
    struct List: TallyCommand {
        static let title = "replay list"
        static let configuration = CommandConfiguration(
            abstract: "List replays.",
            discussion: "EXAMPLE\n  tally replay list events.db"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var rows: RowOptions

        /// What a narrow table shows.
        private static let brief = [
            "replay", "projection_version?", "target?", "status", "position", "head", "behind?",
            "parked",
            "last_error",
        ]

        func execute() async throws -> Int32 {
            _ = try await Lists.print(.replays, of: store, rows, brief: Self.brief)
            return Exit.done
        }
    }
}
