/// Merges contents of an event field by field.
///
/// The result depends on the contents, their supporters and times, never on the order of arrival (but where a
/// `tie_break` asks for it). For `max`, `min`, `union`, and `newest` where times differ, merging the result with any of
/// the contents gives the result again.
struct FieldMerge: Sendable {
    /// What a merge gives: content that is still to be judged.
    struct Result {
        var content: [UInt8]
        var provenance: [FieldProvenance]
        /// What told candidates apart that a field's rule found equal.
        var tieBreak: String?
    }

    /// A field of the rule.
    private struct Field {
        var kind: FieldRule.Kind
        /// In the event, as provenance names it.
        var pointer: String
        /// In the event.
        var path: JSONPointer
    }

    private let fields: [Field]
    /// What may differ: what the settings ignore, and the fields of the rule.
    private let rules: ComparisonRules
    private let ranking: CandidateRanking
    private let tieBreak: TieBreak?

    /// - returns: nil where a field's pointer is none.
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
        rules.ignoredData.formUnion(fields.map(\.pointer))
        self.rules = rules
        self.ranking = ranking
        self.tieBreak = tieBreak
    }

    /// A field's value in one candidate.
    private struct Value {
        var candidate: Candidate
        /// Canonical JSON; nil where the field is missing.
        var token: ArraySlice<UInt8>?
        var kind: JSONKind?
    }

    /// - returns: nil where the rule does not apply: other fields differ too, or a field's values are not what
    ///   its rule merges.
    func merge(_ candidates: [Candidate]) -> Result? {
        guard candidates.count > 1, let tapes = parsed(candidates), restAgrees(candidates, tapes)
        else { return nil }
        // The newest, so that the result is as new as what it is made from.
        let latest = CandidateRanking.latest(candidates)
        let (base, baseTie) = ranking.preferred(among: latest, by: tieBreak)
        guard let index = candidates.firstIndex(where: { $0.number == base.number }) else {
            return nil
        }
        var edit = ContentEdit(base.content, tapes[index])
        var result = Result(content: [], provenance: [], tieBreak: nil)
        for field in fields {
            let values = values(of: candidates, tapes, at: field.path)
            if values.allSatisfy({ $0.token == values[0].token }) { continue }
            guard let chosen = choose(field.kind, values) else { return nil }
            edit.replace(field.path, with: chosen.token)
            if let tie = chosen.tieBreak { result.tieBreak = tie }
            result.provenance.append(
                FieldProvenance(
                    pointer: field.pointer,
                    rule: field.kind.name,
                    origins: chosen.origins
                )
            )
        }
        // The base counts only for what rules of comparison ignore; say so where it made a difference.
        if result.provenance.isEmpty { result.tieBreak = baseTie }
        result.provenance.append(
            FieldProvenance(pointer: "", rule: "rest", origins: Self.supporters(of: candidates))
        )
        guard let content = edit.content else { return nil }
        result.content = content
        return result
    }

    /// Each candidate's content, parsed once.
    private func parsed(_ candidates: [Candidate]) -> [JSONTape]? {
        var tapes: [JSONTape] = []
        tapes.reserveCapacity(candidates.count)
        for candidate in candidates {
            var tape = JSONTape()
            let isRead = candidate.content.withUnsafeBytes { (try? tape.parse($0)) != nil }
            guard isRead else { return nil }
            tapes.append(tape)
        }
        return tapes
    }

    /// Whether nothing differs that counts, but the fields of the rule.
    private func restAgrees(_ candidates: [Candidate], _ tapes: [JSONTape]) -> Bool {
        let first = candidates[0].content
        for index in candidates.indices.dropFirst() {
            var comparison = ContentComparison(rules: rules, tapes[0], tapes[index])
            let agrees = first.withUnsafeBytes { first in
                candidates[index].content.withUnsafeBytes { comparison.agrees(first, $0) }
            }
            guard agrees else { return false }
        }
        return true
    }

    private func values(
        of candidates: [Candidate],
        _ tapes: [JSONTape],
        at path: JSONPointer
    ) -> [Value] {
        candidates.indices.map { index in
            let content = candidates[index].content
            let node = content.withUnsafeBytes { tapes[index].node(at: path, from: 0, in: $0) }
            return Value(
                candidate: candidates[index],
                token: node.map { content[tapes[index].range($0)] },
                kind: node.map { tapes[index].nodes[$0].kind }
            )
        }
    }

    private struct Choice {
        /// Canonical JSON; nil: the field is taken out.
        var token: ArraySlice<UInt8>?
        var origins: [String]
        var tieBreak: String?
    }

    private func choose(_ kind: FieldRule.Kind, _ values: [Value]) -> Choice? {
        switch kind {
        case .take(let origin):
            return choose(
                among: values.filter { $0.candidate.supporters.contains(origin) },
                of: values
            )
        case .newest:
            guard let newest = values.compactMap(\.candidate.time).max() else { return nil }
            return choose(among: values.filter { $0.candidate.time == newest }, of: values)
        case .max, .min: return extreme(kind == .max, values)
        case .union: return union(values)
        }
    }

    /// One of some candidates' values; nil where there is no candidate.
    private func choose(among some: [Value], of all: [Value]) -> Choice? {
        guard let first = some.first else { return nil }
        if some.allSatisfy({ $0.token == first.token }) { return choice(first, all, nil) }
        let (best, tie) = ranking.preferred(among: some.map(\.candidate), by: tieBreak)
        return some.first { $0.candidate.number == best.number }.map { choice($0, all, tie) }
    }

    private func extreme(_ wantsHighest: Bool, _ values: [Value]) -> Choice? {
        var best: Value?
        for value in values {
            guard let token = value.token else { continue }
            guard value.kind == .number else { return nil }
            guard let held = best?.token else {
                best = value
                continue
            }
            let order = token.withUnsafeBytes { a in
                held.withUnsafeBytes { CanonicalNumber.compare(a, $0) }
            }
            if wantsHighest ? order > 0 : order < 0 { best = value }
        }
        return best.map { choice($0, values, nil) }
    }

    /// All elements, each once, in order of their canonical bytes.
    private func union(_ values: [Value]) -> Choice? {
        var elements: [ArraySlice<UInt8>] = []
        var brought: [Candidate] = []
        var tape = JSONTape()
        for value in values {
            guard let token = value.token else { continue }
            guard value.kind == .array,
                token.withUnsafeBytes({ (try? tape.parse($0)) != nil })
            else { return nil }
            var node = 1
            for _ in 0..<Int(tape.nodes[0].count) {
                let range = tape.range(node)
                let start = token.startIndex
                elements.append(token[start + range.lowerBound..<start + range.upperBound])
                node = Int(tape.nodes[node].next)
            }
            brought.append(value.candidate)
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
        return Choice(token: joined[...], origins: Self.supporters(of: brought), tieBreak: nil)
    }

    private func choice(_ value: Value, _ all: [Value], _ tieBreak: String?) -> Choice {
        let same = all.filter { $0.token == value.token }.map(\.candidate)
        return Choice(token: value.token, origins: Self.supporters(of: same), tieBreak: tieBreak)
    }

    /// Everybody who vouches for one of some candidates.
    private static func supporters(of candidates: [Candidate]) -> [String] {
        if candidates.count == 1 { return candidates[0].supporters }
        return Candidate.sorted(Set(candidates.flatMap(\.supporters)))
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
