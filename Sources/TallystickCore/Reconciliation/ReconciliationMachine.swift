/// Where a run of reconciliation stands, and where it can go from there.
///
/// ```
/// idle → collecting → comparing → resolving → verifying → completed
/// ```
/// Work can pause and go on where it was; it can fail; it can be cancelled. A pure function of state and event.
public struct ReconciliationMachine: Sendable, Equatable {
    /// The raw values are those of `reconciliations.state`.
    public enum State: String, Sendable, CaseIterable {
        case idle, collecting, comparing, resolving, verifying
        case completed, paused, failed, cancelled

        /// Whether this state is final.
        public var isFinal: Bool { self == .completed || self == .failed || self == .cancelled }
        /// Whether a run in this state does work.
        public var isWorking: Bool {
            switch self {
            case .collecting, .comparing, .resolving, .verifying: true
            default: false
            }
        }
    }

    /// The raw values are those of `reconciliation_transitions.event`.
    package enum Event: String, Sendable, CaseIterable {
        /// The run begins.
        case start
        /// New events and copies were taken in.
        case collected
        /// Everything due was compared.
        case compared
        /// The policy was applied to every open conflict.
        case resolved
        /// The decisions were read back.
        case verified
        /// On request, because time is up, or because a breaker is open.
        case pause
        case resume
        case fail
        case cancel
    }

    /// The current state of the run.
    public private(set) var state: State
    /// Where a paused run resumes.
    public private(set) var pausedIn: State?

    /// A run that has not begun.
    public init() { state = .idle }

    /// A run as it was stored; nil for a state that no run is ever in.
    public init?(state: State, pausedIn: State?) {
        guard (state == .paused) == (pausedIn != nil), pausedIn?.isWorking ?? true else {
            return nil
        }
        self.state = state
        self.pausedIn = pausedIn
    }

    /// Moves to the state that an event leads to; returns nil, and stays, if the event cannot happen.
    @discardableResult
    package mutating func apply(_ event: Event) -> State? {
        switch (state, event) {
        case (.idle, .start): state = .collecting
        case (.collecting, .collected): state = .comparing
        case (.comparing, .compared): state = .resolving
        case (.resolving, .resolved): state = .verifying
        case (.verifying, .verified): state = .completed
        case (_, .pause) where state.isWorking:
            pausedIn = state
            state = .paused
        case (.paused, .resume):
            guard let resumed = pausedIn else { return nil }
            state = resumed
            pausedIn = nil
        case (_, .fail) where !state.isFinal: end(.failed)
        case (_, .cancel) where !state.isFinal: end(.cancelled)
        default: return nil
        }
        return state
    }

    private mutating func end(_ final: State) {
        state = final
        pausedIn = nil
    }
}
