import ArgumentParser
import Tallystick
import TallystickCore

/// What a breaker guards, as an argument.
enum BreakerTarget: String, CaseIterable, ExpressibleByArgument {
    case origin, replay

    var kind: BreakerKind { self == .origin ? .origin : .replay }
}

/// What a person can set a breaker to. Only the end of a wait leads to half-open.
enum BreakerSetting: String, CaseIterable, ExpressibleByArgument {
    case closed, open
    case forcedOpen = "forced_open"
    case disabled

    var state: CircuitBreaker.State {
        switch self {
        case .closed: .closed
        case .open: .open
        case .forcedOpen: .forcedOpen
        case .disabled: .disabled
        }
    }
}

struct Breaker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See circuit breakers, and set them by hand.",
        discussion: """
            EXAMPLES
              tally breaker events.db
              tally breaker set events.db websocket forced_open \\
                  --reason "feed under repair"
            """,
        subcommands: [List.self, Set.self],
        defaultSubcommand: List.self
    )

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
            let opened = try await EventStore.open(at: store, options: .command(.readOnly))
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
                    breaker.until.map { .text(RFC3339.string(microseconds: $0)) } ?? .null,
                ])
            }
            try writer.end()
            return Exit.done
        }
    }

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
