public import TallystickCore
import TallystickSQLite

extension EventStore {
    /// Every statement about the completeness of an origin, in the order in which they were made.
    ///
    /// - throws: `StoreError`, if the store cannot be read.
    public func originCoverage() async throws(StoreError) -> [OriginCoverage] {
        try await reading("read what is complete") { connection in
            try CoverageRows(in: connection).all().map(OriginCoverage.init)
        }
    }

    /// States that an origin has delivered everything of a span of the events' own times, both ends included.
    ///
    /// The next reconciliation opens a conflict `missing_at_origin` for each event in the span that another origin
    /// delivered and this one did not. The origin need not have delivered anything yet.
    ///
    /// - parameters:
    ///   - origin: the delivery path.
    ///   - through: the end of the span.
    ///   - from: its beginning; nil for all times before its end.
    ///   - category: the category whose events are complete; nil for all.
    ///   - source: the source whose events are complete; nil for all.
    ///   - actor: who states it, for the audit trail.
    ///   - reason: why, for the audit trail.
    /// - returns: the audit row of the statement.
    /// - throws: `StoreError` with `invalidArgument` for a span that ends before it begins, a name that is empty or too
    ///   long, and an empty actor or reason.
    @discardableResult
    public func stateComplete(
        _ origin: String,
        through: Timestamp,
        from: Timestamp? = nil,
        category: String? = nil,
        source: String? = nil,
        actor: String,
        reason: String
    ) async throws(StoreError) -> Int64 {
        let operation = "state that an origin is complete"
        try AuditText.validate(actor: actor, reason: reason, during: operation)
        for (what, name) in [("origin", origin), ("category", category), ("source", source)] {
            guard let name else { continue }
            try AuditText.validate(name: name, of: what, during: operation)
        }
        guard (from ?? through) <= through else {
            throw StoreError(
                .invalidArgument,
                during: operation,
                on: "origin \(origin)",
                "the span ends (\(through)) before it begins (\(from ?? through))",
                hint: "Exchange the two times"
            )
        }
        return try await owner.stateComplete(
            origin,
            (from?.microseconds ?? .min)...through.microseconds,
            category: category,
            source: source,
            actor: actor,
            reason: reason,
            during: operation
        )
    }

    /// Withdraws a statement about the completeness of an origin. Conflicts that it opened stay as they are.
    ///
    /// - parameters:
    ///   - statement: the audit row of the statement.
    ///   - actor: who withdraws it, for the audit trail.
    ///   - reason: why, for the audit trail.
    /// - throws: `StoreError` with `notFound` if there is no such statement, `alreadyDecided` if it was withdrawn
    ///   before.
    public func withdrawCoverage(
        _ statement: Int64,
        actor: String,
        reason: String
    ) async throws(StoreError) {
        let operation = "withdraw a statement"
        try AuditText.validate(actor: actor, reason: reason, during: operation)
        try await owner.withdrawCoverage(
            statement,
            actor: actor,
            reason: reason,
            during: operation
        )
    }
}
