import ArgumentParser
import Tallystick
import TallystickCore

extension Replay {
    struct Drop: TallyCommand {
        static let title = "replay drop"
        static let configuration = CommandConfiguration(
            abstract: "Remove a replay with its tables and checkpoint.",
            discussion: "EXAMPLE\n  tally replay drop events.db service_health"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The replay's name.")
        var replay: String
        @OptionGroup var waiting: WaitOptions

        func execute() async throws -> Int32 {
            return try await OpenedStore.with(store, waiting.applied()) { opened in
                try await opened.dropReplay(replay)
                return Exit.done
            }
        }
    }
}
