public import TallystickCore
import TallystickSQLite

extension EventStore {
    /// Compares copies, puts conflicts to their policies, and commits the decisions.
    ///
    /// What a run costs is in proportion to what is new. Each transaction is short; a run that was killed or stopped
    /// goes on with the next call, and decides the same. A cancelled task finishes its transaction and returns
    /// `paused`.
    ///
    /// - throws: `StoreError`: `invalidArgument` where an actor or a reason is missing; `busy` where another process
    ///   took the run over; `integrity` where a candidate, or a decision just made, is not what the audit trail says.
    public func reconcile(
        _ options: ReconcileOptions = ReconcileOptions()
    ) async throws(StoreError) -> ReconcileReport {
        try AuditText.validate(
            actor: options.actor,
            reason: options.reason ?? (options.overridesBreaker ? "" : "reconcile"),
            during: "reconcile"
        )
        if let origins = options.origins { try await checkOrigins(origins, during: "reconcile") }
        let (path, storeOptions) = (path, self.options)
        guard storeOptions.access == .readWrite else {
            throw StoreError(.closed, during: "reconcile", "the store was opened read-only")
        }
        let stop = StopFlag()
        return try await Self.attempt("reconcile", path) {
            try await withTaskCancellationHandler {
                try await runOnThread {
                    try ReconcileEngine(path, storeOptions, options, stop: stop).work()
                }
            } onCancel: {
                stop.set()
            }
        }
    }

    /// Where the newest run stands; nil before the first one.
    public func reconciliationStatus() async throws(StoreError) -> ReconcileReport? {
        return try await reading("read the reconciliation") { connection in
            guard try StoreSchema.version(of: connection) >= 2,
                let run = try RunRows(in: connection).last(includingDryRuns: true)
            else { return nil }
            return ReconcileReport(run, open: try PendingConflictRows(in: connection).open())
        }
    }

    /// A name that is neither configured nor known is a mistake.
    package func checkOrigins(
        _ origins: [String],
        during operation: String
    ) async throws(StoreError) {
        let unknown = try await reading(operation) { (connection: Connection) -> String? in
            let history = try ConfigurationHistory(in: connection)
            var known = Set(history.newest.settings.origins.map(\.name))
            let rows = try connection.prepare("SELECT name FROM origins")
            while try rows.step() { known.insert(rows.text(at: 0)) }
            // All that an origin delivered may be in quarantine.
            if try StoreSchema.version(of: connection) >= 2 {
                let breakers = try BreakerRows(in: connection).all()
                known.formUnion(breakers.filter { $0.0 == .origin }.map(\.1))
            }
            known.formUnion(try CoverageRows(in: connection).all().map(\.origin))
            return origins.first { !known.contains($0) }
        }
        guard let unknown else { return }
        throw StoreError(
            .notFound,
            during: operation,
            on: "origin '\(unknown)'",
            "nothing came from it, and no setting names it",
            hint: "See 'tally stats' for the origins that there are"
        )
    }

    /// A breaker, for people.
    public struct BreakerStatus: Sendable, Equatable {
        /// Whether it guards an origin or a replay.
        public var kind: BreakerKind
        /// The name of the origin or replay.
        public var name: String
        /// Closed, open or half-open.
        public var state: CircuitBreaker.State
        /// Calls in the breaker's window.
        public var calls: Int
        /// Calls in the window that failed.
        public var failures: Int
        /// 0 to 1; nil while fewer calls than the minimum are known.
        public var failureRate: Double?
        /// When something changes by itself.
        public var until: Timestamp?
    }

    /// The breakers of which calls are known.
    public func breakers() async throws(StoreError) -> [BreakerStatus] {
        let storeOptions = self.options
        return try await reading("read the breakers") { connection in
            guard try StoreSchema.version(of: connection) >= 2 else { return [] }
            let settings = try ConfigurationHistory(in: connection).newest.settings
            let now = SystemClock.breakerTime(wall: storeOptions.clock())
            return try BreakerRows(in: connection).all().map { kind, name, stored in
                let breaker = CircuitBreaker(
                    BreakerBook.settings(of: name, in: settings.breakers),
                    stored: stored
                )
                return BreakerStatus(
                    kind: kind,
                    name: name,
                    state: breaker.state,
                    calls: breaker.calls,
                    failures: breaker.failures,
                    failureRate: breaker.failureRate,
                    until: breaker.remaining(at: now).map {
                        Timestamp(microseconds: now.wall + $0)
                    }
                )
            }
        }
    }

    /// Sets a breaker by hand: `closed`, `open`, `forced_open` or `disabled`.
    ///
    /// - returns: false where it is in that state already.
    /// - throws: `StoreError`: `invalidArgument` for `half_open`, and for a missing actor or reason; `notFound` for an
    ///   origin from which nothing came, and which no setting names.
    @discardableResult
    public func setBreaker(
        _ kind: BreakerKind,
        _ name: String,
        to state: CircuitBreaker.State,
        actor: String,
        reason: String
    ) async throws(StoreError) -> Bool {
        try AuditText.validate(actor: actor, reason: reason, during: "set the breaker")
        guard state != .halfOpen else {
            throw StoreError(
                .invalidArgument,
                during: "set the breaker",
                on: "half_open",
                "only the end of a wait leads there",
                hint: "Choose closed, open, forced_open or disabled"
            )
        }
        if kind == .origin { try await checkOrigins([name], during: "set the breaker") }
        return try await owner.setBreaker(kind, name, to: state, actor: actor, reason: reason)
    }
}
