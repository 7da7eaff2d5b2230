import TallystickCore
import TallystickSQLite

/// A person's decision over a conflict.
public struct ManualResolution: Sendable {
    /// What counts from now on.
    public enum Choice: Sendable {
        /// What an origin delivered.
        case take(origin: String)
        /// Other content: a CloudEvent (JSON) with the event's source and id.
        case content([UInt8])
        /// Nothing: the event is excluded.
        case exclude
        /// The event as it is: what did not arrive is not waited for. Only for conflicts over something
        /// missing.
        case acceptMissing
    }

    /// The conflict that is decided.
    public var conflictID: Int64
    /// What counts from now on.
    public var choice: Choice
    /// Who decides; not empty.
    public var actor: String
    /// Why; not empty.
    public var reason: String

    /// Decides one conflict.
    public init(conflictID: Int64, choice: Choice, actor: String, reason: String) {
        self.conflictID = conflictID
        self.choice = choice
        self.actor = actor
        self.reason = reason
    }
}

extension EventStore {
    /// Decides an open conflict. The decision is a row of the audit trail; replays follow it.
    ///
    /// - returns: the id of the resolution.
    /// - throws: `StoreError`: `notFound`; `alreadyDecided` when it is decided, by this request or another one;
    ///   `badInput` for content
    ///   that is not an event of that identity; `invalidArgument` for a choice that the conflict does not have.
    @discardableResult
    public func resolve(_ resolution: ManualResolution) async throws(StoreError) -> Int64 {
        try await owner.resolve(resolution)
    }

    /// Opens a resolved conflict again, for a person to decide. Until then the event counts as the newest
    /// resolution says.
    ///
    /// - throws: `StoreError`: `notFound`; `notDecided` when the conflict is open.
    public func reopen(
        conflict conflictID: Int64,
        actor: String,
        reason: String
    ) async throws(StoreError) {
        try await owner.reopen(conflict: conflictID, actor: actor, reason: reason)
    }
}

/// Commits decisions of people.
struct ManualResolver {
    private let store: StoreWriter
    private let candidates: CandidateReader

    init(_ store: StoreWriter) {
        self.store = store
        candidates = CandidateReader(store.conflicts, store.copies, store.reader)
    }

    func resolve(_ request: ManualResolution) throws -> Int64 {
        let operation = "resolve the conflict"
        try AuditText.validate(actor: request.actor, reason: request.reason, during: operation)
        return try store.transaction(operation) {
            guard let current = try candidates.read(request.conflictID) else {
                throw ResolutionWriter.unknown(request.conflictID)
            }
            let decider = ManualDecider(store.connection, candidates)
            return try commit(
                try decider.decide(
                    request,
                    over: current,
                    configuration: store.settings?.version ?? 1
                )
            )
        }
    }

    /// Decides the next conflicts that fit a filter, in one transaction.
    func resolve(_ bulk: BulkResolution, after last: Int64) throws -> [BulkDecision] {
        try store.transaction("resolve the conflicts") {
            let work = BulkResolutionPage(
                store.connection,
                candidates,
                bulk,
                configuration: store.settings?.version ?? 1
            )
            return try work.page(after: last) { try commit($0) }
        }
    }

    /// Commits a decision, in the transaction that is open.
    private func commit(_ decision: NewDecision) throws -> Int64 {
        let id = decision.conflictID
        switch try ResolutionWriter(store).commit(decision) {
        case .committed(let resolutionID): return resolutionID
        case .decidedByOther(let resolutionID): throw ManualDecider.decided(id, by: resolutionID)
        case .candidatesChanged:
            throw StoreError(
                .alreadyDecided,
                during: "resolve the conflict",
                on: "conflict \(id)",
                "its candidates changed while it was decided",
                hint: "See 'tally conflicts show', and decide again"
            )
        }
    }

    // MARK: Reopening

    func reopen(_ conflictID: Int64, actor: String, reason: String) throws {
        try AuditText.validate(actor: actor, reason: reason, during: "open the conflict again")
        try store.transaction("open the conflict again") {
            guard let record = try store.conflicts.record(of: conflictID),
                var state = try store.conflicts.states.state(of: conflictID)
            else { throw ResolutionWriter.unknown(conflictID) }
            guard !state.isOpen else {
                throw try notDecided(conflictID, state)
            }
            try store.addAudit(
                AuditRow(
                    kind: .conflictReopened,
                    recordedAt: store.clock(),
                    actor: actor,
                    reason: reason,
                    position: record.position,
                    conflictID: conflictID
                )
            )
            state.isOpen = true
            state.blockedBy = ConflictState.reopened
            try store.conflicts.states.set(state, of: conflictID)
        }
    }

    /// Says of a conflict that is open whether somebody opened it again before.
    private func notDecided(_ conflictID: Int64, _ state: ConflictState) throws -> StoreError {
        let earlier =
            state.blockedBy == ConflictState.reopened
            ? try DoneActRows(in: store.connection).reopening(of: conflictID) : nil
        return StoreError(
            .notDecided,
            during: "open the conflict again",
            on: "conflict \(conflictID)",
            earlier.map { "it was already reopened \($0.text)" }
                ?? "it is open, and was not decided yet",
            hint: "Decide it with 'tally conflicts resolve'"
        )
    }
}
