import TallystickCore

extension StoreOwner {
    func resolve(_ request: ManualResolution) throws(StoreError) -> Int64 {
        try withWriter("resolve the conflict") { try ManualResolver($0).resolve(request) }
    }

    func resolve(_ bulk: BulkResolution, after last: Int64) throws(StoreError) -> [BulkDecision] {
        try withWriter("resolve the conflicts") {
            try ManualResolver($0).resolve(bulk, after: last)
        }
    }

    func reopen(
        conflict conflictID: Int64,
        actor: String,
        reason: String
    ) throws(StoreError) {
        try withWriter("open the conflict again") { writer in
            try ManualResolver(writer).reopen(conflictID, actor: actor, reason: reason)
        }
    }

    func setBreaker(
        _ kind: BreakerKind,
        _ name: String,
        to state: CircuitBreaker.State,
        actor: String,
        reason: String
    ) throws(StoreError) -> Bool {
        try withWriter("set the breaker") { writer in
            try writer.transaction("set the breaker") {
                try BreakerBook(writer).set(
                    kind,
                    name,
                    to: state,
                    actor: actor,
                    reason: reason
                )
            }
        }
    }

    func stateComplete(
        _ origin: String,
        _ span: ClosedRange<Int64>,
        category: String?,
        source: String?,
        actor: String,
        reason: String,
        during operation: String
    ) throws(StoreError) -> Int64 {
        try withWriter(operation) { writer in
            try writer.transaction(operation) {
                try writer.addCoverage(
                    of: origin,
                    span,
                    category: category,
                    source: source,
                    actor: actor,
                    reason: reason
                ).sequence
            }
        }
    }

    func withdrawCoverage(
        _ statement: Int64,
        actor: String,
        reason: String,
        during operation: String
    ) throws(StoreError) {
        try withWriter(operation) { writer in
            try writer.transaction(operation) {
                let known = try CoverageRows(in: writer.connection).all()
                    .first { $0.sequence == statement }
                guard let known else {
                    throw StoreError(
                        .notFound,
                        during: operation,
                        on: "audit row \(statement)",
                        "it is not a statement that an origin is complete",
                        hint: "See 'tally origins list'"
                    )
                }
                if let earlier = known.withdrawnBy {
                    let done = try DoneActRows(in: writer.connection).act(earlier)
                    throw StoreError(
                        .alreadyDecided,
                        during: operation,
                        on: "audit row \(statement)",
                        "this was already done" + (done.map { " \($0.text)" } ?? "")
                    )
                }
                try writer.withdrawCoverage(statement, actor: actor, reason: reason)
            }
        }
    }
}
