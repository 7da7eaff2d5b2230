import Glibc
import TallystickCore

/// What one step of a replay came to.
enum ReplayStep {
    case moved
    case atEnd
    /// A decision changed history that was consumed: what was built from it is being built anew.
    case outdated
    case held(Int64)
    /// The breaker is open.
    case refused(BreakerClosure)
    /// An event, or a batch, cannot be applied.
    case failed(String)
    case stopped
}

/// A replay that goes on step by step, into a projection or to a sink.
protocol SteppingReplay: AnyObject {
    var setting: ReplayContext { get }
    var outcome: ReplayOutcome { get set }

    /// Changes whenever another connection commits.
    func storeVersion() throws -> Int64
    /// Consumes one batch.
    func step() throws -> ReplayStep
    /// Whether the replay's breaker lets no batch through now.
    func closure() throws -> BreakerClosure?
    /// Records that the replay waits, and waits until the store's version has changed, `isOver`, or the replay is
    /// stopped.
    func wait(
        since version: Int64,
        _ status: ReplayOutcome.Status,
        orUntil isOver: () throws -> Bool
    ) throws
}

extension SteppingReplay {
    /// Takes steps to the end of the log or, where the replay follows, until it is stopped.
    func loop() throws -> ReplayOutcome.Status {
        while !setting.stop.isSet {
            let version = try storeVersion()
            let status: ReplayOutcome.Status
            var isOver: () throws -> Bool = { false }
            switch try step() {
            case .moved, .outdated: continue
            case .stopped: return .paused
            case .failed(let reason):
                outcome.reason = reason
                return .halted
            case .atEnd:
                outcome.reason = nil
                status = .complete
            case .held(let position):
                outcome.reason =
                    "a conflict over the event at position \(position) is open, and its category holds replay"
                status = .halted
            case .refused(let closure):
                halt(closure)
                status = .halted
                isOver = { try self.closure() == nil }
            }
            guard setting.follows else { return status }
            try wait(since: version, status, orUntil: isOver)
        }
        return .paused
    }

    /// Looks every now and then whether there is more to do.
    func poll(since version: Int64, orUntil isOver: () throws -> Bool) throws {
        while try storeVersion() == version, !setting.stop.isSet, try !isOver() {
            usleep(ReplayLimits.pollMicroseconds)
        }
    }

    func halt(_ closure: BreakerClosure) {
        outcome.reason = closure.reason(forReplay: setting.definition.name)
        outcome.nextAttemptAt = closure.until.map { Timestamp(microseconds: $0) }
    }
}
