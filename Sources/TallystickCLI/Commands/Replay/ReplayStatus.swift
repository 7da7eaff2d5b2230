import ArgumentParser
import Tallystick
import TallystickCore

extension Replay {
    struct Status: TallyCommand {
        static let title = "replay status"
        static let configuration = CommandConfiguration(
            abstract: "Show where a replay stands.",
            discussion: "EXAMPLE\n  tally replay status events.db service_health"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The replay's name.")
        var replay: String
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            guard try await Lists.print(.replay(replay), of: store, rows) > 0 else {
                throw StoreError(
                    .notFound,
                    during: "show the replay",
                    on: "replay '\(replay)'",
                    "there is no such replay",
                    hint: "See 'tally replay list'"
                )
            }
            return Exit.done
        }
    }
}
