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
    ///   that it does not have; `badInput` for content that is not an event of its identity.
    func decide(
        _ request: ManualResolution,
        over current: CandidateSet,
        configuration version: Int64
    ) throws -> NewDecision {
        guard current.state.isOpen else {
            throw try alreadyDecided(request, current)
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
            guard let content = try canonical(bytes, for: conflict) else {
                throw refused(conflict, "it has no event")
            }
            decision.decision = .merge
            decision.content = content
        }
        return decision
    }

    /// Content that a person gives for a conflict's event, in canonical form; nil where the conflict has no event.
    private func canonical(_ bytes: [UInt8], for conflict: ConflictRecord) throws -> [UInt8]? {
        guard let source = conflict.source, let eventID = conflict.eventID,
            conflict.position != nil
        else { return nil }
        let identity = try StoreIdentity.read(from: connection)
        return try ManualContentValidator(deliveryAttributes: identity.deliveryAttributes)
            .validated(bytes, source: source, eventID: eventID)
    }

    // MARK: Repeated requests

    /// Says of a conflict that was decided who did it, and whether it was this very request.
    private func alreadyDecided(
        _ request: ManualResolution,
        _ current: CandidateSet
    ) throws -> StoreError {
        guard let id = current.state.resolutionID,
            let done = try DoneActRows(in: connection).decision(id)
        else { return Self.decided(request.conflictID, by: current.state.resolutionID) }
        let isSame = try done.act.actor == request.actor && isChoice(request.choice, done, current)
        return StoreError(
            .alreadyDecided,
            during: "resolve the conflict",
            on: "conflict \(request.conflictID)",
            isSame ? "this was already done \(done.text)" : "it was already decided \(done.text)",
            hint: isSame
                ? "There is nothing left to do"
                : "See why with 'tally audit list --conflict \(request.conflictID)'; "
                    + "'tally conflicts reopen' opens it again"
        )
    }

    private func isChoice(
        _ choice: ManualResolution.Choice,
        _ done: DoneDecision,
        _ current: CandidateSet
    ) throws -> Bool {
        switch choice {
        case .acceptMissing: return done.decision == Decision.acceptMissing.rawValue
        case .exclude: return done.decision == Decision.exclude.rawValue
        case .take(let origin):
            return done.decision == Decision.take.rawValue
                && done.winnerOrigin?.utf8.elementsEqual(origin.utf8) == true
        case .content(let bytes):
            guard done.decision == Decision.merge.rawValue,
                let content = try canonical(bytes, for: current.conflict)
            else { return false }
            return SHA256Digest(hashing: content).hex == done.contentDigest
        }
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
