import ArgumentParser
import Tallystick
import TallystickCore

extension Conflicts {
    struct List: TallyCommand {
        static let title = "conflicts list"
        static let configuration = CommandConfiguration(
            abstract: "List open conflicts.",
            discussion: """
                EXAMPLES
                  tally conflicts list events.db --check
                  tally conflicts list events.db --kind payload_differs --origin realtime
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Flag(help: "List resolved conflicts too.")
        var all = false
        @Flag(help: "Exit 1 when a conflict is listed.")
        var check = false
        @OptionGroup var filter: ConflictFilterOptions
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            var filter = try filter.value()
            filter.includesResolved = all
            if !filter.origins.isEmpty {
                try await OpenedStore.with(store, .readOnly) { opened in
                    try await opened.checkOrigins(filter.origins, during: "list conflicts")
                }
            }
            let count = try await Lists.print(
                .conflicts(filter),
                of: store,
                rows,
                brief: [
                    "conflict_id", "state?", "kind", "severity?", "category?", "position?",
                    "event_id",
                    "type?", "origins?", "differs_in",
                ]
            )
            if count > 0, Terminal.outputIsTerminal, rows.output == nil {
                let path = ShellWord.quoted(store)
                Terminal.note("next: tally conflicts review \(path)")
            }
            return check && count > 0 ? Exit.differences : Exit.done
        }
    }
}
