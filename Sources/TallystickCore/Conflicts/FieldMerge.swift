/// Merges contents of an event field by field.
///
/// The result depends on the contents, their supporters and times, never on the order of arrival (but where a
/// `tie_break` asks for it). For `max`, `min`, `union`, and `newest` where times differ, merging the result with any of
/// the contents gives the result again.
struct FieldMerge {
    /// What a merge gives: content that is still to be judged.
    struct Result {
        var content: [UInt8]
        var provenance: [FieldProvenance]
        /// What told candidates apart that a field's rule found equal.
        var tieBreak: String?
    }

    let fields: [FieldRule]
    let comparison: ComparisonRules
    let ranking: CandidateRanking
    let tieBreak: TieBreak?

    /// A field's value in one candidate.
    private struct Value {
        var candidate: Candidate
        /// nil where the field is missing.
        var token: [UInt8]?
        var kind: JSONKind?
    }

    /// - returns: nil where the rule does not apply: other fields differ too, or a field's values are not what
    ///   its rule merges.
    func merge(_ candidates: [Candidate]) -> Result? {
        guard candidates.count > 1, restAgrees(candidates) else { return nil }
        // The newest, so that the result is as new as what it is made from.
        let latest = CandidateRanking.latest(candidates)
        let (base, baseTie) = ranking.preferred(among: latest, by: tieBreak)
        guard let document = try? JSONDocument(base.content) else { return nil }
        var root = document.root
        var result = Result(content: [], provenance: [], tieBreak: nil)
        for field in fields {
            guard let pointer = JSONPointer(field.pointer) else { return nil }
            let path = ["data"] + pointer.tokens
            guard let values = values(of: candidates, at: path) else { return nil }
            if values.allSatisfy({ $0.token == values[0].token }) { continue }
            guard let chosen = choose(field.kind, values),
                let changed = root.replacing(path[...], with: chosen.value)
            else { return nil }
            root = changed
            if let tie = chosen.tieBreak { result.tieBreak = tie }
            result.provenance.append(
                FieldProvenance(
                    pointer: "/data" + field.pointer,
                    rule: field.kind.name,
                    origins: chosen.origins
                )
            )
        }
        // The base counts only for what rules of comparison ignore; say so where it made a difference.
        if result.provenance.isEmpty { result.tieBreak = baseTie }
        result.provenance.append(
            FieldProvenance(
                pointer: "",
                rule: "rest",
                origins: Candidate.sorted(Set(candidates.flatMap(\.supporters)))
            )
        )
        result.content = root.canonical
        return result
    }

    /// Whether nothing differs that counts, but the fields of the rule.
    private func restAgrees(_ candidates: [Candidate]) -> Bool {
        var rules = comparison
        rules.ignoredData.formUnion(fields.map(\.pointer))
        var comparison = ContentComparison(rules: rules)
        return candidates.dropFirst().allSatisfy { candidate in
            candidates[0].content.withUnsafeBytes { first in
                candidate.content.withUnsafeBytes { other in
                    (try? comparison.difference(first, other))?.agrees ?? false
                }
            }
        }
    }

    private func values(of candidates: [Candidate], at path: [String]) -> [Value]? {
        let pointer = JSONPointer(tokens: path)
        var tape = JSONTape()
        var values: [Value] = []
        for candidate in candidates {
            let isRead = candidate.content.withUnsafeBytes { bytes in
                guard (try? tape.parse(bytes)) != nil else { return false }
                let node = tape.node(at: pointer, from: 0, in: bytes)
                values.append(
                    Value(
                        candidate: candidate,
                        token: node.map { [UInt8](tape.token($0, bytes)) },
                        kind: node.map { tape.nodes[$0].kind }
                    )
                )
                return true
            }
            guard isRead else { return nil }
        }
        return values
    }

    private struct Choice {
        /// nil: the field is taken out.
        var value: JSONValue?
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
        return some.first { $0.candidate.number == best.number }.flatMap { choice($0, all, tie) }
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
        return best.flatMap { choice($0, values, nil) }
    }

    /// All elements, each once, in order of their canonical bytes.
    private func union(_ values: [Value]) -> Choice? {
        var elements: Set<[UInt8]> = []
        var origins: Set<String> = []
        for value in values {
            guard let token = value.token else { continue }
            guard value.kind == .array, let array = try? JSONDocument(token).root.array else {
                return nil
            }
            for element in array { elements.insert(element.canonical) }
            origins.formUnion(value.candidate.supporters)
        }
        let sorted = elements.sorted { $0.lexicographicallyPrecedes($1) }
        let joined = [0x5B] + Array(sorted.joined(separator: [0x2C])) + [0x5D]
        guard let union = try? JSONDocument(joined).root else { return nil }
        return Choice(value: union, origins: Candidate.sorted(origins), tieBreak: nil)
    }

    private func choice(_ value: Value, _ all: [Value], _ tieBreak: String?) -> Choice? {
        let origins = all.filter { $0.token == value.token }.flatMap(\.candidate.supporters)
        var chosen = Choice(value: nil, origins: Candidate.sorted(Set(origins)), tieBreak: tieBreak)
        if let token = value.token {
            guard let document = try? JSONDocument(token) else { return nil }
            chosen.value = document.root
        }
        return chosen
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
