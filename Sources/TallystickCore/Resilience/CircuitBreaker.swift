/// A circuit breaker: stops relying on something that fails too often, and finds out by itself when it works again.
///
/// A pure state machine: every method is given the time. States, defaults and transitions are those documented by
/// resilience4j (resilience4j.readme.io/docs/circuitbreaker), with two differences: half-open is also limited in
/// time, so that it does not last for ever if the callers are gone, and the wait doubles each time the breaker opens
/// again out of half-open.
public struct CircuitBreaker: Sendable, Equatable {
    /// The raw values are those of `breakers.state`.
    public enum State: String, Sendable, CaseIterable {
        /// Calls are permitted and counted.
        case closed
        /// Calls are refused until the wait is over.
        case open
        /// Some calls are permitted as trials.
        case halfOpen = "half_open"
        /// Held open by hand.
        case forcedOpen = "forced_open"
        /// Switched off by hand: calls are permitted and not counted.
        case disabled
    }

    /// A change of state, for the audit trail.
    package struct Transition: Sendable, Equatable {
        package var from: State
        package var to: State
        /// `failure_rate`, `calls_succeeded`, `wait_over`, `half_open_time_over` or `set`.
        package var cause: String
    }

    /// The maximum number of times that the wait doubles.
    public static let doublings = 5

    /// When it opens, and for how long.
    public let settings: StoreSettings.Breaker
    /// The state as of the last call: time changes it only when the breaker is queried.
    public private(set) var state = State.closed
    /// How often it opened since it was last closed.
    public private(set) var openings = 0
    /// When open ends, or half-open.
    package private(set) var deadline: BreakerDeadline?
    /// Number of calls that half-open has permitted.
    public private(set) var permitted = 0
    private var window: BreakerWindow

    /// A closed breaker that has seen no calls.
    public init(_ settings: StoreSettings.Breaker) {
        self.settings = settings
        window = BreakerWindow(settings.window)
    }

    // MARK: Storing

    /// The stored part of a breaker.
    package struct Stored: Sendable, Equatable {
        package var state: State
        package var openings: Int
        package var permitted: Int
        package var deadline: BreakerDeadline?
        /// The calls that count.
        package var window: String

        package init(
            state: State,
            openings: Int,
            permitted: Int,
            deadline: BreakerDeadline?,
            window: String
        ) {
            self.state = state
            self.openings = openings
            self.permitted = permitted
            self.deadline = deadline
            self.window = window
        }
    }

    package var stored: Stored {
        Stored(
            state: state,
            openings: openings,
            permitted: permitted,
            deadline: deadline,
            window: window.text
        )
    }

    /// A breaker as it was stored, under settings that may have changed since.
    package init(_ settings: StoreSettings.Breaker, stored: Stored) {
        self.settings = settings
        state = stored.state
        openings = max(0, stored.openings)
        permitted = max(0, stored.permitted)
        deadline = stored.deadline
        window = BreakerWindow(
            state == .halfOpen ? .count(settings.halfOpenCalls) : settings.window,
            text: stored.window
        )
    }

    // MARK: Reading

    /// Number of calls that count now.
    public var calls: Int { window.calls }
    /// Number of failed calls in the window.
    public var failures: Int { window.failures }
    /// 0 to 1; nil while fewer calls than the minimum are known.
    public var failureRate: Double? { calls >= minimumCalls ? window.failureRate : nil }

    private var minimumCalls: Int {
        state == .halfOpen
            ? min(settings.minimumCalls, settings.halfOpenCalls) : settings.minimumCalls
    }

    /// How long the open state lasts this time, in microseconds.
    public var wait: Int64 {
        let factor = Int64(1) << min(max(0, openings - 1), Self.doublings)
        let (wait, overflow) = settings.waitOpen.microseconds.multipliedReportingOverflow(
            by: factor
        )
        return overflow ? Int64.max / 4 : wait
    }

    /// Microseconds until time alone changes the state; nil if it does not.
    package func remaining(at now: BreakerTime) -> Int64? {
        deadline.map { $0.remaining(at: now, wait: wait) }
    }

    /// Whether the guarded object must not be relied on now. Unlike ``permit(at:)``, this changes nothing.
    package func isOpen(at now: BreakerTime) -> Bool {
        switch state {
        case .forcedOpen: true
        case .open: (remaining(at: now) ?? 0) > 0
        case .closed, .halfOpen, .disabled: false
        }
    }

    // MARK: Calls

    /// Requests a call, and changes the state if time requires it.
    package mutating func permit(at now: BreakerTime) -> (isPermitted: Bool, changes: [Transition])
    {
        var changes: [Transition] = []
        if state == .halfOpen, (remaining(at: now) ?? 0) == 0 {
            changes.append(open(at: now, "half_open_time_over"))
        }
        if state == .open, (remaining(at: now) ?? 0) == 0 {
            changes.append(move(to: .halfOpen, "wait_over"))
            deadline = BreakerDeadline(after: wait, from: now)
            window = BreakerWindow(.count(settings.halfOpenCalls))
        }
        switch state {
        case .closed, .disabled: return (true, changes)
        case .open, .forcedOpen: return (false, changes)
        case .halfOpen:
            guard permitted < settings.halfOpenCalls else { return (false, changes) }
            permitted += 1
            return (true, changes)
        }
    }

    /// Takes in the outcome of a permitted call.
    package mutating func record(failed: Bool, at now: BreakerTime) -> Transition? {
        switch state {
        case .open, .forcedOpen, .disabled: return nil
        case .closed:
            window.add(failed: failed, at: now)
            guard let rate = failureRate, rate >= settings.failureRate else { return nil }
            return open(at: now, "failure_rate")
        case .halfOpen:
            window.add(failed: failed, at: now)
            guard let rate = failureRate else { return nil }
            if rate >= settings.failureRate { return open(at: now, "failure_rate") }
            return close("calls_succeeded")
        }
    }

    /// A person's override.
    ///
    /// - returns: nil if it is already in that state, or for `half_open`, which only a wait leads to.
    package mutating func set(_ new: State, at now: BreakerTime) -> Transition? {
        guard new != state, new != .halfOpen else { return nil }
        switch new {
        case .open: return open(at: now, "set")
        case .closed: return close("set")
        case .forcedOpen, .disabled, .halfOpen:
            deadline = nil
            window = BreakerWindow(settings.window)
            return move(to: new, "set")
        }
    }

    private mutating func open(at now: BreakerTime, _ cause: String) -> Transition {
        let change = move(to: .open, cause)
        openings += 1
        deadline = BreakerDeadline(after: wait, from: now)
        window = BreakerWindow(settings.window)
        return change
    }

    private mutating func close(_ cause: String) -> Transition {
        let change = move(to: .closed, cause)
        openings = 0
        deadline = nil
        window = BreakerWindow(settings.window)
        return change
    }

    private mutating func move(to new: State, _ cause: String) -> Transition {
        let change = Transition(from: state, to: new, cause: cause)
        state = new
        permitted = 0
        return change
    }
}
