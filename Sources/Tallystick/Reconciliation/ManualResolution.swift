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

    public var conflictID: Int64
    public var choice: Choice
    /// Who decides; not empty.
    public var actor: String
    /// Why; not empty.
    public var reason: String

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
    /// - throws: `StoreError`: `notFound`; `alreadyDecided` when somebody else did; `badInput` for content
    ///   that is no event of that identity; `invalidArgument` for a choice that the conflict does not have.
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
        try AuditText.judge(
            actor: request.actor,
            reason: request.reason,
            during: "resolve the conflict"
        )
        return try store.transaction("resolve the conflict") {
            try resolveInTransaction(request, madeFrom: nil)
        }
    }

    /// Decides a conflict in the transaction that is open.
    ///
    /// - parameter digest: of the candidates that the person saw; nil: those that there are now.
    func resolveInTransaction(
        _ request: ManualResolution,
        madeFrom digest: SHA256Digest?
    ) throws -> Int64 {
        let id = request.conflictID
        guard let current = try candidates.read(id) else { throw ResolutionWriter.unknown(id) }
        guard current.state.isOpen else { throw decided(id, by: current.state.resolutionID) }
        var decision = try decision(request, current)
        if let digest { decision.candidatesDigest = digest }
        switch try ResolutionWriter(store).commit(decision) {
        case .committed(let resolutionID): return resolutionID
        case .decidedByOther(let resolutionID): throw decided(id, by: resolutionID)
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

    private func decided(_ conflictID: Int64, by resolutionID: Int64?) -> StoreError {
        StoreError(
            .alreadyDecided,
            during: "resolve the conflict",
            on: "conflict \(conflictID)",
            "it was decided by resolution \(resolutionID ?? 0)",
            hint: "See who decided and why with 'tally audit list --conflict \(conflictID)';"
                + " 'tally conflicts reopen' opens it again"
        )
    }

    private func decision(
        _ request: ManualResolution,
        _ current: CandidateSet
    ) throws -> NewDecision {
        var decision = NewDecision(
            conflictID: request.conflictID,
            decision: .acceptMissing,
            candidatesDigest: current.digest,
            supersedes: current.state.resolutionID,
            configurationVersion: try store.configurations.current()?.version ?? 1,
            actor: request.actor,
            reason: request.reason
        )
        let conflict = current.conflict
        switch request.choice {
        case .acceptMissing:
            guard conflict.kind.isOverAbsence else {
                throw refused(conflict, "nothing is missing: its kind is \(conflict.kind.rawValue)")
            }
        case .exclude:
            guard conflict.position != nil else { throw refused(conflict, "it has no event") }
            decision.decision = .exclude
        case .take(let origin):
            let winner = try winner(origin, current)
            decision.decision = .take
            decision.winner = winner
            let content = try candidates.content(of: winner, in: conflict)
            // The event as appended needs no second copy of itself.
            if winner.copyID != nil { decision.content = content }
        case .content(let bytes):
            guard let source = conflict.source, let eventID = conflict.eventID,
                conflict.position != nil
            else { throw refused(conflict, "it has no event") }
            let identity = try StoreIdentity.read(from: store.connection)
            let judge = DecidedContent(deliveryAttributes: identity.deliveryAttributes)
            decision.decision = .merge
            decision.content = try judge.judged(bytes, source: source, eventID: eventID)
        }
        return decision
    }

    private func winner(_ origin: String, _ current: CandidateSet) throws -> StoredCandidate {
        let matching = current.candidates.filter { $0.origin.utf8.elementsEqual(origin.utf8) }
        guard matching.count == 1, let winner = matching.first else {
            let known = current.candidates.map(\.origin).joined(separator: ", ")
            throw StoreError(
                .invalidArgument,
                during: "resolve the conflict",
                on: "origin '\(origin)'",
                matching.isEmpty
                    ? "no candidate came from it; there are \(known)"
                    : "it delivered \(matching.count) different contents",
                hint: "Give the content with --content"
            )
        }
        return winner
    }

    private func refused(_ conflict: ConflictRecord, _ reason: String) -> StoreError {
        StoreError(
            .invalidArgument,
            during: "resolve the conflict",
            on: "conflict \(conflict.conflictID)",
            reason,
            hint: "See 'tally conflicts show \(conflict.conflictID)'"
        )
    }

    // MARK: Reopening

    func reopen(_ conflictID: Int64, actor: String, reason: String) throws {
        try AuditText.judge(actor: actor, reason: reason, during: "open the conflict again")
        try store.transaction("open the conflict again") {
            guard let record = try store.conflicts.record(of: conflictID),
                var state = try store.conflicts.state(of: conflictID)
            else { throw ResolutionWriter.unknown(conflictID) }
            guard !state.isOpen else {
                throw StoreError(
                    .notDecided,
                    during: "open the conflict again",
                    on: "conflict \(conflictID)",
                    "it is open"
                )
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
            try store.conflicts.setState(state, of: conflictID)
        }
    }
}
