import ArgumentParser
import Tallystick
import TallystickCore

extension Breaker {
    struct Set: TallyCommand {
        static let title = "breaker set"
        static let configuration = CommandConfiguration(
            abstract: "Set a breaker: closed, open, forced_open or disabled.",
            discussion:
                "EXAMPLE\n  tally breaker set events.db websocket closed --reason \"feed is well again\""
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        // Nothing to offer, and a completion all the same: fish counts only arguments that have one.
        @Argument(help: "The origin's or replay's name.", completion: .list([]))
        var name: String
        @Argument(help: "closed, open, forced_open or disabled.")
        var state: BreakerSetting
        @Option(help: "What it guards: origin or replay.")
        var kind: BreakerTarget = .origin
        @OptionGroup var change: ChangeOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let (opened, changed) = try await OpenedStore.with(store, change.waiting.command()) {
                opened in
                let changed = try await opened.setBreaker(
                    kind.kind,
                    name,
                    to: state.state,
                    actor: change.actor,
                    reason: change.reason
                )
                return (opened, changed)
            }
            var result = Report("breaker set", on: opened, started: started)
            result.result = changed ? "done" : "unchanged"
            result.add("kind", .text(kind.rawValue))
            result.add("name", .text(name))
            result.add("state", .text(state.rawValue))
            try result.print(report) {
                [
                    "breaker of \(kind.rawValue) \(name) \(changed ? "is now" : "was already") \(state.rawValue)"
                ]
            }
            return Exit.done
        }
    }
}
