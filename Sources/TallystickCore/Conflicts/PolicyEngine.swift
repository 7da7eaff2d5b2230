/// Turns conflicts into decisions, under one version of the settings.
///
/// The same case gives the same outcome on every machine. All rules except `first_write_wins`, and `last_write_wins`
/// if times are equal, give it regardless of the order in which copies arrived.
package struct PolicyEngine: Sendable {
    /// The policy name of decisions made by the setting `override_origin`.
    package static let overrideName = "override_origin"

    private let settings: StoreSettings
    private let ranking: CandidateRanking
    private let versions: [String: String]
    /// By policy, and by position in its chain.
    private let merges: [String: [Int: FieldMerge]]

    package init(_ settings: StoreSettings) {
        self.settings = settings
        ranking = CandidateRanking(settings.origins)
        var versions: [String: String] = [:]
        var merges: [String: [Int: FieldMerge]] = [:]
        for policy in settings.policies {
            for (index, step) in policy.chain.enumerated() {
                guard case .fieldMerge(let fields) = step.rule else { continue }
                merges[policy.name, default: [:]][index] = FieldMerge(
                    fields: fields,
                    comparison: settings.comparison,
                    ranking: ranking,
                    tieBreak: step.tieBreak
                )
            }
            var text: [UInt8] = []
            Self.writeDefinition(policy, settings, to: &text)
            versions[policy.name] = "1-" + String(SHA256Digest(hashing: text).hex.prefix(12))
        }
        self.versions = versions
        self.merges = merges
    }

    /// Decides a conflict.
    ///
    /// - parameter ask: calls a policy that the program registered; used only for the rule `swift`.
    package func decide(
        _ conflict: ConflictCase,
        asking ask: (_ type: String, _ conflict: ConflictCase) -> PolicyReply = { type, _ in
            .failed("no policy is registered under '\(type)'")
        }
    ) -> PolicyOutcome {
        if let decision = override(conflict) { return .decided(finish(decision, conflict)) }
        let name = settings[category: conflict.category]?.policy ?? PolicySettings.defaultName
        guard let policy = settings.policy(named: name) else { return .open(policy: name) }
        switch run(policy, conflict, ask) {
        case .decided(var decision):
            decision.policy = name
            let version = versions[name] ?? "1"
            decision.policyVersion =
                decision.policyVersion.isEmpty ? version : version + "+" + decision.policyVersion
            return .decided(finish(decision, conflict))
        case .passes, .open: return .open(policy: name)
        case .failed(let reason): return .failed(policy: name, reason: reason)
        case .halted: return .halted(policy: name)
        }
    }

    /// Whether the policy of a category has a rule that reads the contents of candidates. Other rules decide by the
    /// candidates' origins, arrival order, digests and times.
    package func readsContent(of category: String) -> Bool {
        let name = settings[category: category]?.policy ?? PolicySettings.defaultName
        return readsContent(settings.policy(named: name))
    }

    private func readsContent(_ policy: PolicySettings?) -> Bool {
        policy?.chain.contains { step in
            switch step.rule {
            case .fieldMerge, .swift, .highest, .lowest: true
            case .policy(let name): readsContent(settings.policy(named: name))
            default: false
            }
        } ?? false
    }

    private enum Step {
        case decided(PolicyDecision)
        case passes
        case open
        case failed(String)
        case halted
    }

    private func run(
        _ policy: PolicySettings,
        _ conflict: ConflictCase,
        _ ask: (String, ConflictCase) -> PolicyReply
    ) -> Step {
        for (index, step) in policy.chain.enumerated() {
            let result: Step
            switch step.rule {
            case .manual: return .open
            case .halt: return .halted
            case .quarantine:
                return .decided(exclusion(step.rule))
            case .policy(let name):
                guard let other = settings.policy(named: name) else { continue }
                result = run(other, conflict, ask)
            case .swift(let type): result = answer(ask(type, conflict), step.rule, conflict)
            case .fieldMerge: result = merge(merges[policy.name]?[index], step.rule, conflict)
            default: result = choose(step, conflict)
            }
            if case .passes = result { continue }
            return result
        }
        return .passes
    }

    // MARK: Rules that choose a candidate

    private func choose(_ step: PolicyStep, _ conflict: ConflictCase) -> Step {
        let candidates = conflict.candidates
        guard !candidates.isEmpty else { return .passes }
        switch step.rule {
        case .firstWriteWins:
            return taking(candidates[0], step.rule, preferring: candidates[0].origin)
        case .lastWriteWins:
            let latest = CandidateRanking.latest(candidates)
            let (winner, tie) =
                step.tieBreak == nil && latest.count > 1
                ? (latest[latest.count - 1], CandidateRanking.byArrival)
                : ranking.preferred(among: latest, by: step.tieBreak)
            return taking(winner, step.rule, tieBreak: tie, preferring: winner.origin)
        case .originPriority:
            return preferred(among: ranking.highestPriority(candidates), step)
        case .highest(let pointer): return extreme(pointer, wantsHighest: true, step, candidates)
        case .lowest(let pointer): return extreme(pointer, wantsHighest: false, step, candidates)
        case .majority: return majority(step, conflict)
        case .quorum(let count): return quorum(count, step, candidates)
        default: return .passes
        }
    }

    private func preferred(among candidates: [Candidate], _ step: PolicyStep) -> Step {
        guard !candidates.isEmpty else { return .passes }
        let (winner, tie) = ranking.preferred(among: candidates, by: step.tieBreak)
        return taking(winner, step.rule, tieBreak: tie)
    }

    private func extreme(
        _ pointer: String,
        wantsHighest: Bool,
        _ step: PolicyStep,
        _ candidates: [Candidate]
    ) -> Step {
        guard let pointer = JSONPointer(pointer) else { return .passes }
        var best: [Candidate] = []
        var bestNumber: [UInt8] = []
        for candidate in candidates {
            guard let number = Self.number(at: pointer, of: candidate) else { continue }
            let order =
                best.isEmpty
                ? 1
                : number.withUnsafeBytes { a in
                    bestNumber.withUnsafeBytes { CanonicalNumber.compare(a, $0) }
                }
            if best.isEmpty || (wantsHighest ? order > 0 : order < 0) {
                best = [candidate]
                bestNumber = number
            } else if order == 0 {
                best.append(candidate)
            }
        }
        return preferred(among: best, step)
    }

    /// The number at a pointer into the data; nil if there is none.
    private static func number(at pointer: JSONPointer, of candidate: Candidate) -> [UInt8]? {
        let tape = candidate.tape
        return candidate.content.withUnsafeBytes { bytes in
            guard let data = tape.member("data", of: 0, in: bytes),
                let node = tape.node(at: pointer, from: data, in: bytes),
                tape.nodes[node].kind == .number
            else { return nil }
            return [UInt8](tape.token(node, bytes))
        }
    }

    /// The voters for each candidate: its supporters, except those that support another one as well.
    private static func votes(_ candidates: [Candidate]) -> [Int] {
        var supported: [String: Int] = [:]
        for name in candidates.flatMap(\.supporters) { supported[name, default: 0] += 1 }
        return candidates.map { $0.supporters.count { supported[$0] == 1 } }
    }

    /// More than half of the origins that could have delivered a copy: a missing copy counts against.
    private func majority(_ step: PolicyStep, _ conflict: ConflictCase) -> Step {
        let voters = Set(conflict.candidates.flatMap(\.supporters)).union(conflict.missingOrigins)
        let votes = Self.votes(conflict.candidates)
        guard let index = votes.firstIndex(where: { $0 * 2 > voters.count }) else { return .passes }
        return taking(conflict.candidates[index], step.rule)
    }

    private func quorum(_ count: Int, _ step: PolicyStep, _ candidates: [Candidate]) -> Step {
        let votes = Self.votes(candidates)
        guard let most = votes.max(), most >= count else { return .passes }
        return preferred(
            among: candidates.indices.filter { votes[$0] == most }.map { candidates[$0] },
            step
        )
    }

    private func override(_ conflict: ConflictCase) -> PolicyDecision? {
        guard let origin = settings.overrideOrigin else { return nil }
        let candidates = conflict.candidates.filter { $0.supporters.contains(origin) }
        guard candidates.count == 1, let winner = candidates.first else { return nil }
        return PolicyDecision(
            decision: .take,
            policy: Self.overrideName,
            policyVersion: "1",
            rule: Self.overrideName,
            winner: winner,
            winnerOrigin: origin,
            contentDigest: winner.digest,
            provenance: []
        )
    }

    // MARK: Decisions

    private func taking(
        _ winner: Candidate,
        _ rule: PolicyRule,
        tieBreak: String? = nil,
        preferring origin: String? = nil
    ) -> Step {
        .decided(
            PolicyDecision(
                decision: .take,
                policy: "",
                policyVersion: "",
                rule: rule.name,
                winner: winner,
                winnerOrigin: origin ?? ranking.voucher(of: winner),
                tieBreak: tieBreak,
                contentDigest: winner.digest,
                provenance: []
            )
        )
    }

    private func exclusion(_ rule: PolicyRule) -> PolicyDecision {
        PolicyDecision(
            decision: .exclude,
            policy: "",
            policyVersion: "",
            rule: rule.name,
            provenance: []
        )
    }

    private func merge(
        _ merge: FieldMerge?,
        _ rule: PolicyRule,
        _ conflict: ConflictCase
    ) -> Step {
        guard let result = merge?.merge(conflict.candidates),
            let content = Self.validated(result, conflict)
        else { return .passes }
        return .decided(merged(content, rule, result.provenance, result.tieBreak))
    }

    /// Validates merged content as ingest would; nil if it is not an event with the conflict's identity.
    ///
    /// Replacing values keeps the content an event, so only form, size and identity have to be checked.
    private static func validated(
        _ result: FieldMerge.MergeResult,
        _ conflict: ConflictCase
    ) -> EventContent.Validated? {
        guard result.isInPlace else {
            return try? EventContent.validate(
                result.content,
                source: conflict.source,
                id: conflict.eventID
            )
        }
        var tape = JSONTape()
        let isIt = result.content.withUnsafeBytes { bytes in
            guard (try? tape.parse(bytes)) != nil else { return false }
            func holds(_ name: String, _ text: String) -> Bool {
                guard let node = tape.member(name, of: 0, in: bytes) else { return false }
                return JSONString.isText(text, tape.nodes[node], in: bytes)
            }
            return holds("source", conflict.source) && holds("id", conflict.eventID)
        }
        guard isIt else { return nil }
        return EventContent.Validated(
            content: result.content,
            digest: SHA256Digest(hashing: result.content)
        )
    }

    private func merged(
        _ content: EventContent.Validated,
        _ rule: PolicyRule,
        _ provenance: [FieldProvenance],
        _ tieBreak: String?
    ) -> PolicyDecision {
        PolicyDecision(
            decision: .merge,
            policy: "",
            policyVersion: "",
            rule: rule.name,
            tieBreak: tieBreak,
            content: content.content,
            contentDigest: content.digest,
            provenance: provenance
        )
    }

    private func answer(
        _ reply: PolicyReply,
        _ rule: PolicyRule,
        _ conflict: ConflictCase
    ) -> Step {
        let (answer, version): (PolicyAnswer, String)
        switch reply {
        case .passed: return .passes
        case .failed(let reason): return .failed(reason)
        case .answered(let given, let of): (answer, version) = (given, of)
        }
        var step: Step
        switch answer {
        case .take(let number):
            guard let winner = conflict.candidates.first(where: { $0.number == number }) else {
                return .failed("it took candidate \(number), which there is not")
            }
            step = taking(winner, rule)
        case .exclude: step = .decided(exclusion(rule))
        case .merge(let json):
            do throws(EventRejection) {
                let content = try EventContent.validate(
                    json,
                    source: conflict.source,
                    id: conflict.eventID
                )
                let whole = FieldProvenance(pointer: "", rule: rule.name, origins: [])
                step = .decided(merged(content, rule, [whole], nil))
            } catch {
                return .failed("it gave no event: \(error.message) (\(error.code))")
            }
        }
        if case .decided(var decision) = step {
            decision.policyVersion = version
            step = .decided(decision)
        }
        return step
    }

    /// The consequences of a decision, whoever made it.
    private func finish(_ decision: PolicyDecision, _ conflict: ConflictCase) -> PolicyDecision {
        var decision = decision
        if conflict.kind == .missingAtOrigin, decision.decision == .take {
            decision.decision = .acceptMissing
        }
        if let winner = decision.winner {
            decision.provenance = [
                FieldProvenance(pointer: "", rule: decision.rule, origins: winner.supporters)
            ]
        }
        return decision
    }

    /// A policy's chain as canonical JSON, and the chains of the policies that it uses.
    private static func writeDefinition(
        _ policy: PolicySettings,
        _ settings: StoreSettings,
        to text: inout [UInt8]
    ) {
        policy.json.write(to: &text)
        for case .policy(let name) in policy.chain.map(\.rule) {
            guard let other = settings.policy(named: name) else { continue }
            writeDefinition(other, settings, to: &text)
        }
    }
}
