import ArgumentParser
import Tallystick
import TallystickCore

extension Config {
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
