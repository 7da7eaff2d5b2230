/// Reads a policy of a settings file.
///
/// A step is an object with `use`, the name of a rule or of another policy; `tie_break`, if the rule can find
/// candidates equal; and the parameters of the rule: `pointer` for `highest` and `lowest`, `k` for `quorum`, `fields`
/// and `otherwise` for `field_merge`, `type` for `swift`.
struct PolicyDecoder {
    /// Other policies that the chain uses, with their places in the file.
    private(set) var references: [(name: String, place: SettingsReader)] = []

    mutating func decode(
        _ reader: SettingsReader,
        named name: String
    ) throws(SettingsError) -> PolicySettings {
        guard let chain = try reader.members(known: ["chain"]).first?.reader else {
            throw reader.fail("\(reader.path) must have a chain")
        }
        var steps: [PolicyStep] = []
        for element in try chain.elements() {
            if let last = steps.last, last.rule.alwaysDecides {
                throw element.fail(
                    "\(element.path) is never reached: '\(last.rule.name)' before it ends the chain"
                )
            }
            steps.append(try step(element))
        }
        guard !steps.isEmpty else { throw chain.fail("\(chain.path) must have a step") }
        return PolicySettings(name: name, chain: steps)
    }

    private mutating func step(_ reader: SettingsReader) throws(SettingsError) -> PolicyStep {
        guard let use = try reader.members().first(where: { $0.name == "use" })?.reader else {
            throw reader.fail("\(reader.path) must have 'use', the name of a policy")
        }
        let name = try use.text()
        let parameters = Self.parameters(of: name)
        var values: [String: SettingsReader] = [:]
        for (key, value) in try reader.members(known: ["use"] + parameters) { values[key] = value }
        let rule = try rule(name, use, values, reader)
        var tieBreak: TieBreak?
        if let reader = values["tie_break"] {
            tieBreak = try reader.choice(TieBreak.self)
            guard tieBreak?.rawValue != name else {
                throw reader.fail("\(reader.path): a rule cannot break its own ties")
            }
        }
        return PolicyStep(rule, tieBreak: tieBreak)
    }

    /// The members that a step may have besides `use`.
    private static func parameters(of name: String) -> [String] {
        switch name {
        case "highest", "lowest": ["pointer", "tie_break"]
        case "quorum": ["k", "tie_break"]
        case "field_merge": ["fields", "otherwise", "tie_break"]
        case "swift": ["type"]
        case "quarantine", "manual", "halt": []
        case _ where PolicyRule.builtInNames.contains(name): ["tie_break"]
        default: []
        }
    }

    private mutating func rule(
        _ name: String,
        _ use: SettingsReader,
        _ values: [String: SettingsReader],
        _ step: SettingsReader
    ) throws(SettingsError) -> PolicyRule {
        func required(_ key: String) throws(SettingsError) -> SettingsReader {
            guard let value = values[key] else {
                throw step.fail("\(step.path): '\(name)' needs '\(key)'")
            }
            return value
        }
        switch name {
        case "highest": return .highest(pointer: try required("pointer").pointer())
        case "lowest": return .lowest(pointer: try required("pointer").pointer())
        case "quorum": return .quorum(try required("k").integer(1...1000))
        case "swift": return .swift(try required("type").text())
        case "field_merge":
            if let otherwise = values["otherwise"] { _ = try otherwise.choice(["next"]) }
            return .fieldMerge(try fields(try required("fields")))
        default:
            if let rule = PolicyRule.plain(name) { return rule }
            references.append((name, use))
            return .policy(name)
        }
    }

    private func fields(_ reader: SettingsReader) throws(SettingsError) -> [FieldRule] {
        var fields: [FieldRule] = []
        for (pointer, value) in try reader.members() {
            guard SettingsReader.isPointer(pointer) else {
                throw value.failAtName(
                    "'\(pointer)' is not a JSON Pointer; write one such as \"/count\""
                )
            }
            fields.append(FieldRule(pointer, try fieldKind(value)))
        }
        guard !fields.isEmpty else { throw reader.fail("\(reader.path) must name a field") }
        return fields.sorted { $0.pointer.utf8.lexicographicallyPrecedes($1.pointer.utf8) }
    }

    private func fieldKind(_ reader: SettingsReader) throws(SettingsError) -> FieldRule.Kind {
        if reader.value.object != nil {
            guard let origin = try reader.members(known: ["take"]).first?.reader else {
                throw reader.fail("\(reader.path) must have 'take', the name of an origin")
            }
            return .take(try origin.text())
        }
        switch reader.value.string {
        case "max": return .max
        case "min": return .min
        case "union": return .union
        case "newest": return .newest
        default:
            throw reader.fail(
                "\(reader.path) must be max, min, union, newest or {\"take\": ORIGIN}"
            )
        }
    }
}
