import ArgumentParser
import Tallystick
import TallystickCore

extension Replay {
    struct Parked: TallyCommand {
        static let title = "replay parked"
        static let configuration = CommandConfiguration(
            abstract: "List events that a replay set aside.",
            discussion: "EXAMPLE\n  tally replay parked events.db service_health"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The replay's name.")
        var replay: String
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            return try await OpenedStore.with(store, .readOnly) { opened in
                let parked = try await opened.parkedEvents(of: replay)
                let writer = try rows.writer()
                try writer.begin([
                    "position", "resolution_id", "source", "event_id", "stream", "type", "error",
                    "attempts", "parked_at",
                ])
                for event in parked {
                    try writer.add([
                        .integer(event.position.rawValue),
                        event.resolutionID.map { .integer($0) } ?? .null, .text(event.source),
                        .text(event.id), .text(event.stream), .text(event.type), .text(event.error),
                        .integer(event.attempts),
                        .text(event.parkedAt.description),
                    ])
                }
                try writer.end()
                return Exit.done
            }
        }
    }
}
