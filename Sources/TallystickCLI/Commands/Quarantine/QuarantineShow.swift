import ArgumentParser
import Tallystick
import TallystickCore

extension Quarantine {
    struct Show: TallyCommand {
        static let title = "quarantine show"
        static let configuration = CommandConfiguration(
            abstract: "Show a quarantined input as it was received.",
            discussion: "EXAMPLE\n  tally quarantine show events.db 1"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The input's id.")
        var id: Int64
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            guard try await Lists.print(.quarantined(id), of: store, rows) > 0 else {
                throw StoreError(
                    .notFound,
                    during: "show the input",
                    on: "input \(id)",
                    "there is no such input",
                    hint: "See 'tally quarantine list'"
                )
            }
            return Exit.done
        }
    }
}
