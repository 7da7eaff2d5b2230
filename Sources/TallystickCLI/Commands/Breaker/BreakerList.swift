import ArgumentParser
import Tallystick
import TallystickCore

extension Breaker {
    struct List: TallyCommand {
        static let title = "breaker list"
        static let configuration = CommandConfiguration(
            abstract: "List the breakers of which calls are known.",
            discussion: "EXAMPLE\n  tally breaker list events.db"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            return try await OpenedStore.with(store, .command(.readOnly)) { opened in
                let writer = try rows.writer()
                try writer.begin([
                    "kind", "name", "state", "calls", "failures", "failure_rate", "until",
                ])
                for breaker in try await opened.breakers() {
                    try writer.add([
                        .text(breaker.kind.rawValue), .text(breaker.name),
                        .text(breaker.state.rawValue), .integer(Int64(breaker.calls)),
                        .integer(Int64(breaker.failures)),
                        breaker.failureRate.map { .real($0) } ?? .null,
                        breaker.until.map { .text($0.description) } ?? .null,
                    ])
                }
                try writer.end()
                return Exit.done
            }
        }
    }
}
