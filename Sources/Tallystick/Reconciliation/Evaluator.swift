import TallystickCore
import TallystickSQLite

/// Puts conflicts to their policies. It reads, and never writes.
final class Evaluator {
    /// The name in decisions over what was missing and came.
    static let latePolicy = "late_arrival"

    private let store: StoreWriter
    private let history: ConfigurationHistory
    private let asOf: Int64
    private let policies: PolicyRegistry
    /// Open breakers of origins, by name.
    private let openOrigins: Set<String>
    private let candidates: CandidateReader
    private let cases: ConflictCaseBuilder
    private let sequences: SequenceRows
    private let expected: MissingCopyDetector
    private let standing: Statement
    private var engine: (version: Int64, engine: PolicyEngine)?
    /// Conflicts over silences that are filled; nil before one was evaluated.
    private var filled: Set<Int64>?

    init(
        _ store: StoreWriter,
        _ history: ConfigurationHistory,
        asOf: Int64,
        policies: PolicyRegistry,
        openOrigins: Set<String>
    ) throws {
        self.store = store
        self.history = history
        self.asOf = asOf
        self.policies = policies
        self.openOrigins = openOrigins
        candidates = CandidateReader(store.conflicts, store.copies, store.reader)
        cases = ConflictCaseBuilder(candidates, asOf: asOf)
        sequences = try SequenceRows(in: store.connection)
        expected = try MissingCopyDetector(
            store,
            history,
            asOf: asOf,
            scope: RunScope(),
            statements: CoverageStatements(store)
        )
        standing = try store.connection.prepare(
            """
            SELECT policy, policy_version, decision, candidates_digest, coalesce(content_sha256, '')
            FROM resolutions
            WHERE resolution_id = ?1
            """
        )
    }

    /// Evaluates a conflict as it is stored; nil when there is none, or the scope leaves it out.
    func evaluate(_ conflictID: Int64, scope: RunScope) throws -> Evaluation? {
        guard let set = try candidates.read(conflictID) else { return nil }
        let delivered = set.state.origins.split(separator: ", ").map(String.init)
        guard scope.includes(set.conflict, origins: delivered) else { return nil }
        return try evaluate(set)
    }

    /// Evaluates a conflict that is not written yet.
    func evaluate(_ finding: DetectedConflict, openedAt: Int64) throws -> Evaluation {
        let stored = [finding.candidate].compactMap { $0 }
        var conflict = finding.conflict
        conflict.openedAt = openedAt
        return try evaluate(
            CandidateSet(
                conflict: conflict,
                state: finding.state,
                candidates: stored,
                digest: try candidates.digest(conflict.position, stored)
            )
        )
    }

    private func evaluate(_ set: CandidateSet) throws -> Evaluation {
        // A transaction has read them.
        let version = store.settings?.version ?? history.newest.version
        let settings = store.settings?.settings ?? history.newest.settings
        let category = set.conflict.category.flatMap { settings[category: $0] }
        var evaluation = Evaluation(
            set: set,
            verdict: .standing,
            policy: category?.policy ?? PolicySettings.defaultName,
            configurationVersion: version
        )
        if set.state.isOpen, set.state.blockedBy == ConflictState.reopened { return evaluation }
        let current = try self.standing(of: set)
        if let current, !set.state.isOpen {
            guard !set.isMeant(by: current.candidates, isDated: false) else { return evaluation }
            if current.policy == NewDecision.manualPolicy {
                evaluation.verdict = .flagged
                return evaluation
            }
        }
        evaluation.verdict = try verdict(set, settings, version)
        if let current, !set.state.isOpen, case .decided(let decision) = evaluation.verdict,
            current.says(decision)
        {
            evaluation.verdict = .standing
        }
        return evaluation
    }

    private func verdict(
        _ set: CandidateSet,
        _ settings: StoreSettings,
        _ version: Int64
    ) throws -> Evaluation.Verdict {
        let conflict = set.conflict
        if let late = try lateArrival(set) { return .late(late) }
        // Nobody vouches for anything here: only a person can decide.
        if conflict.kind == .originSilent || conflict.kind == .sequenceGap { return .open }
        if let position = conflict.position, let source = conflict.source,
            let eventID = conflict.eventID, !conflict.kind.isOverDamage,
            let category = history.settings(at: position)[category: conflict.category ?? ""],
            !Sampling.includes(source: source, id: eventID, in: category)
        {
            return .open
        }
        let engine = engine(settings, version)
        let policyCase = try cases.conflictCase(
            set,
            rules: settings.comparison,
            keepsContent: engine.readsContent(of: conflict.category ?? "")
        )
        let outcome = engine.decide(policyCase) { type, conflict in
            policies.ask(type, conflict)
        }
        switch outcome {
        case .open: return .open
        case .failed(_, let reason): return .failed(reason)
        case .halted: return .halted
        case .decided(var decision):
            decision.winner = try decision.winner.map { try whole($0, in: set) }
            guard let group = decision.backers.first(where: { $0.allSatisfy(openOrigins.contains) })
            else { return .decided(decision) }
            return .deferred(group.joined(separator: ", "))
        }
    }

    /// A candidate with its content.
    private func whole(_ winner: Candidate, in set: CandidateSet) throws -> Candidate {
        guard winner.content.isEmpty,
            let stored = set.candidates.first(where: { $0.candidate == Int64(winner.number) })
        else { return winner }
        return winner.with(content: try candidates.content(of: stored, in: set.conflict))
    }

    /// Decides for what came after all: the copy that was missing, all copies of a silent span, the numbers that
    /// were left out.
    private func lateArrival(_ set: CandidateSet) throws -> PolicyDecision? {
        let conflict = set.conflict
        switch conflict.kind {
        case .missingAtOrigin:
            guard let position = conflict.position, let origin = conflict.origin,
                try store.copies.deliveries(of: position).contains(where: {
                    $0.origin.utf8.elementsEqual(origin.utf8)
                })
            else { return nil }
        case .originSilent:
            guard conflict.conflictID > 0, try isFilled(silence: conflict.conflictID) else {
                return nil
            }
        case .sequenceGap:
            guard conflict.conflictID > 0, try !sequences.hasGap(under: conflict.conflictID) else {
                return nil
            }
        default: return nil
        }
        return PolicyDecision(
            decision: .acceptMissing,
            policy: Self.latePolicy,
            policyVersion: "1",
            rule: Self.latePolicy,
            winnerOrigin: conflict.origin,
            provenance: []
        )
    }

    private func isFilled(silence conflictID: Int64) throws -> Bool {
        let filled = try self.filled ?? expected.filledSilences()
        self.filled = filled
        return filled.contains(conflictID)
    }

    private func engine(_ settings: StoreSettings, _ version: Int64) -> PolicyEngine {
        if let engine, engine.version == version { return engine.engine }
        let new = PolicyEngine(settings)
        engine = (version, new)
        return new
    }

    // MARK: The decision that stands

    private struct Standing {
        var policy: String
        var policyVersion: String
        var decision: String
        var candidates: String
        var content: String

        /// Whether a new decision would say the same.
        func says(_ new: PolicyDecision) -> Bool {
            policy == new.policy && policyVersion == new.policyVersion
                && decision == new.decision.rawValue
                && (new.decision == .acceptMissing || content == new.contentDigest?.hex ?? "")
        }
    }

    private func standing(of set: CandidateSet) throws -> Standing? {
        guard let resolutionID = set.state.resolutionID else { return nil }
        try standing.bind(resolutionID, at: 1)
        return try standing.first { row in
            Standing(
                policy: row.text(at: 0),
                policyVersion: row.text(at: 1),
                decision: row.text(at: 2),
                candidates: row.text(at: 3),
                content: row.text(at: 4)
            )
        }
    }
}
