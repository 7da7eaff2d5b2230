import TallystickCore
import TallystickSQLite

/// Writes what evaluations say, in the transaction that is open.
final class DecisionCommitter {
    /// What became of an evaluation.
    enum Outcome {
        case decided
        case deferred
        /// Nothing was decided.
        case left
        /// The candidates changed: evaluate again.
        case stale
    }

    private let store: StoreWriter
    private let writer: ResolutionWriter
    private let waiting: PendingConflictRows
    private let findings: DetectedConflictWriter
    private let run: (number: Int64, asOf: Int64)
    private let actor: String

    init(_ store: StoreWriter, run: (number: Int64, asOf: Int64), actor: String) throws {
        self.store = store
        self.run = run
        self.actor = actor
        writer = ResolutionWriter(store)
        waiting = try PendingConflictRows(in: store.connection)
        findings = try DetectedConflictWriter(store, waiting)
    }

    func commit(_ evaluation: Evaluation) throws -> Outcome {
        let conflictID = evaluation.set.conflict.conflictID
        switch evaluation.verdict {
        case .decided(let decision): return try decide(evaluation, decision)
        case .late(let decision):
            let outcome = try decide(evaluation, decision)
            if case .decided = outcome, evaluation.set.conflict.kind.isEndedByLateArrival {
                try recordLateArrival(evaluation, decision)
            }
            return outcome
        case .deferred(let origins):
            try note(evaluation, blockedBy: "breaker")
            try waiting.defer(conflictID, by: "breaker: \(origins)")
            return .deferred
        case .failed(let reason):
            try note(evaluation, blockedBy: "policy_failed")
            try waiting.defer(conflictID, by: "policy_failed: \(reason)")
            return .left
        case .halted: return .left
        case .open:
            try note(evaluation, blockedBy: nil)
            try waiting.remove(conflictID)
            return .left
        case .standing:
            try clearFlag(evaluation)
            try waiting.remove(conflictID)
            return .left
        case .flagged:
            try store.conflicts.states.markNewEvidence(on: conflictID)
            try waiting.remove(conflictID)
            return .left
        }
    }

    private func decide(
        _ evaluation: Evaluation,
        _ decision: PolicyDecision
    ) throws -> Outcome {
        let conflictID = evaluation.set.conflict.conflictID
        switch try writer.commit(newDecision(evaluation, decision)) {
        case .committed:
            try waiting.remove(conflictID)
            return .decided
        case .candidatesChanged: return .stale
        case .decidedByOther(let resolutionID):
            // A person's decision, or another run's, which has seen what there was to see.
            if resolutionID == evaluation.set.state.resolutionID { try waiting.remove(conflictID) }
            return resolutionID == evaluation.set.state.resolutionID ? .left : .stale
        }
    }

    private func newDecision(
        _ evaluation: Evaluation,
        _ decision: PolicyDecision
    ) -> NewDecision {
        let set = evaluation.set
        var new = NewDecision(
            conflictID: set.conflict.conflictID,
            decision: decision.decision,
            candidatesDigest: set.digest,
            supersedes: set.state.resolutionID,
            configurationVersion: evaluation.configurationVersion,
            actor: actor,
            reason: "rule \(decision.rule)"
        )
        new.policy = decision.policy
        new.policyVersion = decision.policyVersion
        new.tieBreak = decision.tieBreak
        new.winnerOrigin = decision.winnerOrigin
        if !decision.provenance.isEmpty {
            new.provenance = String(decoding: decision.provenanceJSON, as: UTF8.self)
        }
        new.run = run
        if let winner = decision.winner {
            new.winner = set.candidates.first { $0.candidate == Int64(winner.number) }
            // The event as appended needs no second copy of itself.
            if new.winner?.copyID != nil, decision.decision == .take {
                new.content = winner.content
            }
        } else {
            new.content = decision.content
        }
        return new
    }

    /// A copy that was missing came, or all of a silent span: a conflict of its own says so, decided at once.
    private func recordLateArrival(_ evaluation: Evaluation, _ decision: PolicyDecision) throws {
        var conflict = evaluation.set.conflict
        conflict.kind = .lateArrival
        conflict.detail = "{\"missing_conflict\":\(conflict.conflictID)}"
        let finding = DetectedConflict(
            conflict: conflict,
            candidate: evaluation.set.candidates.first
        )
        guard let conflictID = try findings.write(finding, actor: actor, waits: false) else {
            return
        }
        var new = newDecision(evaluation, decision)
        new.conflictID = conflictID
        new.supersedes = nil
        _ = try writer.commit(new)
    }

    /// Says of an open conflict which policy it waits under, and what keeps it open.
    private func note(_ evaluation: Evaluation, blockedBy: String?) throws {
        let conflictID = evaluation.set.conflict.conflictID
        guard var state = try store.conflicts.states.state(of: conflictID), state.isOpen,
            state.blockedBy != ConflictState.reopened
        else { return }
        guard state.policy != evaluation.policy || state.blockedBy != blockedBy else { return }
        state.policy = evaluation.policy
        state.blockedBy = blockedBy
        try store.conflicts.states.set(state, of: conflictID)
    }

    /// New evidence has been seen, and changes nothing.
    private func clearFlag(_ evaluation: Evaluation) throws {
        let conflictID = evaluation.set.conflict.conflictID
        guard var state = try store.conflicts.states.state(of: conflictID), !state.isOpen,
            state.blockedBy != nil, state.resolutionID == evaluation.set.state.resolutionID
        else { return }
        state.blockedBy = nil
        try store.conflicts.states.set(state, of: conflictID)
    }
}
