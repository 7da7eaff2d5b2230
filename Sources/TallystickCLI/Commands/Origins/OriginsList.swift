import ArgumentParser
import Tallystick

extension Origins {
    struct List: TallyCommand {
        static let title = "origins list"
        static let configuration = CommandConfiguration(
            abstract: "List the origins, and what each states to have delivered completely.",
            discussion: "EXAMPLE\n  tally origins list events.db"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            let brief = ["statement", "origin", "complete_from", "complete_through", "state"]
            _ = try await Lists.print(.origins, of: store, rows, brief: brief)
            return Exit.done
        }
    }
}
