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
}
