/// Merges contents of an event field by field.
///
/// The result depends on the contents, their supporters and times, never on the order of arrival (unless a
/// `tie_break` depends on it). For `max`, `min`, `union`, and for `newest` if times differ, merging the result with
/// any of the contents yields the result again.
struct FieldMerge: Sendable {
    /// The result of a merge: content that still has to be validated.
    struct MergeResult {
        var content: [UInt8]
        var provenance: [FieldProvenance]
        /// The tie-break used if a field's rule found candidates equal.
        var tieBreak: String?
        /// Whether every change only replaced a value.
        var isInPlace = false
    }

    /// A field of the rule.
    private struct Field {
        var kind: FieldRule.Kind
        /// Its place in the event, as named in provenance.
        var pointer: String
        /// In the event.
        var path: JSONPointer
    }

    private let fields: [Field]
    /// What may differ: anything that the settings ignore, and the fields of the rule.
    private let ignored: IgnoredMembers
    private let ranking: CandidateRanking
    private let tieBreak: TieBreak?

    /// - returns: nil if a field's pointer is not valid.
    init?(
        fields: [FieldRule],
        comparison: ComparisonRules,
        ranking: CandidateRanking,
        tieBreak: TieBreak?
    ) {
        var read: [Field] = []
        for field in fields {
            guard let pointer = JSONPointer(field.pointer) else { return nil }
            let path = JSONPointer(tokens: ["data"] + pointer.tokens)
            read.append(Field(kind: field.kind, pointer: "/data" + field.pointer, path: path))
        }
        self.fields = read
        var rules = comparison
        rules.ignoredData += fields.map(\.pointer)
        ignored = IgnoredMembers(rules)
        self.ranking = ranking
        self.tieBreak = tieBreak
    }

    /// A field's value in one candidate.
    private struct Value {
        /// The candidate's index among all candidates.
        var index: Int
        /// Where it is; nil if the field is missing.
        var node: Int?
        /// Canonical JSON; nil if the field is missing.
        var token: ArraySlice<UInt8>?
    }

    /// - returns: nil if the rule does not apply: other fields differ too, or the rule of a field cannot merge its
    ///   values.
    func merge(_ candidates: [Candidate]) -> MergeResult? {
        guard candidates.count > 1, restAgrees(candidates) else { return nil }
        // The newest, so that the result is as new as its sources.
        let latest = CandidateRanking.latest(candidates)
        let (base, baseTie) = ranking.preferred(among: latest, by: tieBreak)
        guard let index = candidates.firstIndex(where: { $0.number == base.number }) else {
            return nil
        }
        var edit = ContentEdit(candidates[index].content)
        var result = MergeResult(content: [], provenance: [], tieBreak: nil)
        for field in fields {
            let values = values(of: candidates, at: field.path)
            if Self.areSame(values) { continue }
            guard let chosen = choose(field.kind, values, candidates) else { return nil }
            edit.replace(field.path, at: values[index].token?.indices, with: chosen.token)
            if let tie = chosen.tieBreak { result.tieBreak = tie }
            result.provenance.append(
                FieldProvenance(
                    pointer: field.pointer,
                    rule: field.kind.name,
                    origins: chosen.origins
                )
            )
        }
        // The base matters only for parts that the comparison rules ignore; record it if it made a difference.
        if result.provenance.isEmpty { result.tieBreak = baseTie }
        result.provenance.append(
            FieldProvenance(
                pointer: "",
                rule: "rest",
                origins: Candidate.supporters(of: candidates)
            )
        )
        guard let content = edit.content else { return nil }
        (result.content, result.isInPlace) = (content, edit.isInPlace)
        return result
    }

    /// Whether no place differs, except ignored ones and the fields of the rule.
    private func restAgrees(_ candidates: [Candidate]) -> Bool {
        let first = candidates[0]
        for other in candidates.dropFirst() {
            var comparison = ContentComparison(ignored, first.tape, other.tape)
            let agrees = first.content.withUnsafeBytes { a in
                other.content.withUnsafeBytes { comparison.agrees(a, $0) }
            }
            guard agrees else { return false }
        }
        return true
    }

    private func values(of candidates: [Candidate], at path: JSONPointer) -> [Value] {
        candidates.indices.map { index in
            let (content, tape) = (candidates[index].content, candidates[index].tape)
            let node = content.withUnsafeBytes { tape.node(at: path, from: 0, in: $0) }
            return Value(index: index, node: node, token: node.map { content[tape.range($0)] })
        }
    }

    private static func areSame(_ values: [Value]) -> Bool {
        values.dropFirst().allSatisfy { $0.token == values[0].token }
    }

    private struct Choice {
        /// Canonical JSON; nil: the field is removed.
        var token: ArraySlice<UInt8>?
        var origins: [String]
        var tieBreak: String?
    }

    private func choose(
        _ kind: FieldRule.Kind,
        _ values: [Value],
        _ candidates: [Candidate]
    ) -> Choice? {
        switch kind {
        case .take(let origin):
            return choose(
                among: values.filter { candidates[$0.index].supporters.contains(origin) },
                of: values,
                candidates
            )
        case .newest:
            guard let newest = candidates.compactMap(\.time).max() else { return nil }
            return choose(
                among: values.filter { candidates[$0.index].time == newest },
                of: values,
                candidates
            )
        case .max, .min: return extreme(kind == .max, values, candidates)
        case .union: return union(values, candidates)
        }
    }

    /// Chooses one of the candidates' values; nil if there is no candidate.
    private func choose(
        among some: [Value],
        of all: [Value],
        _ candidates: [Candidate]
    ) -> Choice? {
        guard let first = some.first else { return nil }
        if Self.areSame(some) { return choice(first, all, candidates, nil) }
        let (best, tie) = ranking.preferred(among: some.map { candidates[$0.index] }, by: tieBreak)
        return some.first { candidates[$0.index].number == best.number }
            .map { choice($0, all, candidates, tie) }
    }

    private func extreme(
        _ wantsHighest: Bool,
        _ values: [Value],
        _ candidates: [Candidate]
    ) -> Choice? {
        var best: Value?
        for value in values {
            guard let node = value.node, let token = value.token else { continue }
            guard candidates[value.index].tape.nodes[node].kind == .number else { return nil }
            guard let held = best?.token else {
                best = value
                continue
            }
            let order = token.withUnsafeBytes { a in
                held.withUnsafeBytes { CanonicalNumber.compare(a, $0) }
            }
            if wantsHighest ? order > 0 : order < 0 { best = value }
        }
        return best.map { choice($0, values, candidates, nil) }
    }

    /// All elements, each once, in order of their canonical bytes.
    private func union(_ values: [Value], _ candidates: [Candidate]) -> Choice? {
        var elements: [ArraySlice<UInt8>] = []
        var brought: [Int] = []
        for value in values {
            guard let node = value.node else { continue }
            let (content, tape) = (candidates[value.index].content, candidates[value.index].tape)
            guard tape.nodes[node].kind == .array else { return nil }
            var element = node + 1
            for _ in 0..<Int(tape.nodes[node].count) {
                elements.append(content[tape.range(element)])
                element = Int(tape.nodes[element].next)
            }
            brought.append(value.index)
        }
        elements.sort { $0.lexicographicallyPrecedes($1) }
        var joined: [UInt8] = [0x5B]
        for (index, element) in elements.enumerated() {
            if index > 0 {
                if element == elements[index - 1] { continue }
                joined.append(0x2C)
            }
            joined.append(contentsOf: element)
        }
        joined.append(0x5D)
        let origins = Candidate.supporters(of: brought.lazy.map { candidates[$0] })
        return Choice(token: joined[...], origins: origins, tieBreak: nil)
    }

    private func choice(
        _ value: Value,
        _ all: [Value],
        _ candidates: [Candidate],
        _ tieBreak: String?
    ) -> Choice {
        let same = all.lazy.filter { $0.token == value.token }.map { candidates[$0.index] }
        return Choice(
            token: value.token,
            origins: Candidate.supporters(of: same),
            tieBreak: tieBreak
        )
    }
}

extension FieldRule.Kind {
    var name: String {
        switch self {
        case .take: "take"
        case .max: "max"
        case .min: "min"
        case .union: "union"
        case .newest: "newest"
        }
    }
}
