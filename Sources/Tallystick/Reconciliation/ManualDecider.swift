import TallystickCore
import TallystickSQLite

/// Turns a person's choice into a decision over the candidates that there are.
struct ManualDecider {
    private let connection: Connection
    private let candidates: CandidateReader

    init(_ connection: Connection, _ candidates: CandidateReader) {
        self.connection = connection
        self.candidates = candidates
    }

    /// - throws: `StoreError`: `alreadyDecided` where the conflict is not open; `invalidArgument` for a choice
    ///   that it does not have; `badInput` for content that is no event of its identity.
    func decide(
        _ request: ManualResolution,
        over current: CandidateSet,
        configuration version: Int64
    ) throws -> NewDecision {
        guard current.state.isOpen else {
            throw Self.decided(request.conflictID, by: current.state.resolutionID)
        }
        var decision = NewDecision(
            conflictID: request.conflictID,
            decision: .acceptMissing,
            candidatesDigest: current.digest,
            supersedes: current.state.resolutionID,
            configurationVersion: version,
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
            let identity = try StoreIdentity.read(from: connection)
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
                on: "conflict \(current.conflict.conflictID)",
                matching.isEmpty
                    ? "no candidate came from '\(origin)'; there are \(known)"
                    : "'\(origin)' delivered \(matching.count) different contents",
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

    static func decided(_ conflictID: Int64, by resolutionID: Int64?) -> StoreError {
        StoreError(
            .alreadyDecided,
            during: "resolve the conflict",
            on: "conflict \(conflictID)",
            "it was decided by resolution \(resolutionID ?? 0)",
            hint: "See who decided and why with 'tally audit list --conflict \(conflictID)';"
                + " 'tally conflicts reopen' opens it again"
        )
    }
}
