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
}
