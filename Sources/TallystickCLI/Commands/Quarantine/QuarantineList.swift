import ArgumentParser
import Tallystick
import TallystickCore

extension Quarantine {
    struct List: TallyCommand {
        static let title = "quarantine list"
        static let configuration = CommandConfiguration(
            abstract: "List quarantined inputs.",
            discussion: "EXAMPLE\n  tally quarantine list events.db"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            _ = try await Lists.print(
                .quarantine,
                of: store,
                rows,
                brief: ["quarantine_id", "state?", "origin", "path?", "line", "code", "message"]
            )
            return Exit.done
        }
    }
}
