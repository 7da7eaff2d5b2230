import TallystickCore

/// What is to be done with a conflict, made outside any transaction from a set of candidates that is known by
/// its digest.
struct Evaluation {
    enum Verdict {
        /// A policy decided.
        case decided(PolicyDecision)
        /// What was missing came.
        case late(PolicyDecision)
        /// A policy decided for an origin whose breaker is open; the reason names it.
        case deferred(String)
        /// A person decides.
        case open
        /// Nothing is to be done: the standing decision still is what the policy says, or the conflict waits for a
        /// person.
        case standing
        /// A person's decision stands, and there is evidence that the person did not see.
        case flagged
        /// A program's policy failed.
        case failed(String)
        /// The policy stops the run.
        case halted
    }

    var set: CandidateSet
    var verdict: Verdict
    /// The policy that the category names.
    var policy: String?
    var configurationVersion: Int64

    /// What the digest of decisions takes in.
    var records: [DecisionsDigest.Record] {
        let conflict = set.conflict
        func record(_ kind: ConflictKind, _ decision: PolicyDecision) -> DecisionsDigest.Record {
            .init(
                kind: kind,
                source: conflict.source,
                eventID: conflict.eventID,
                origin: kind.isOverAbsence ? conflict.origin : nil,
                candidates: set.digest.hex,
                decision: decision
            )
        }
        switch verdict {
        case .decided(let decision): return [record(conflict.kind, decision)]
        case .late(let decision):
            return conflict.kind.isEndedByLateArrival
                ? [record(conflict.kind, decision), record(.lateArrival, decision)]
                : [record(conflict.kind, decision)]
        default: return []
        }
    }
}
