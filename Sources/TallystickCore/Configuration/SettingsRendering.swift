extension StoreSettings {
    /// The complete settings as canonical JSON, in the form kept in a store. Read with `onto: nil`, it yields the
    /// same settings.
    public var canonical: [UInt8] { json.canonical }

    /// The complete settings as a JSON value.
    public var json: JSONValue {
        .make([
            ("tallystick_config", .make(1)),
            ("default_category", .make(defaultCategory)),
            (
                "compare",
                .make([
                    ("ignore_attributes", .make(comparison.ignoredAttributes)),
                    ("ignore_data", .make(comparison.ignoredData)),
                ])
            ),
            ("origins", .make(origins.map { ($0.name, $0.json) })),
            ("categories", .make(categories.map { ($0.name, $0.json) })),
            ("policies", .make(policies.map { ($0.name, $0.json) })),
            ("classification", rules.json),
            ("breakers", .make(breakers.map { ($0.name, $0.json) })),
            ("override_origin", overrideOrigin.map { .make($0) } ?? JSONValue(.null)),
        ])
    }

    /// Every setting by its JSON Pointer, as canonical JSON, sorted by pointer. Lists are whole.
    public var entries: [(pointer: String, value: String)] {
        var entries: [(pointer: String, value: String)] = []
        Self.collect(json, at: "", into: &entries)
        return entries.sorted { $0.pointer.utf8.lexicographicallyPrecedes($1.pointer.utf8) }
    }

    private static func collect(
        _ value: JSONValue,
        at pointer: String,
        into entries: inout [(pointer: String, value: String)]
    ) {
        guard let members = value.object, !members.isEmpty else {
            entries.append((pointer, String(decoding: value.canonical, as: UTF8.self)))
            return
        }
        for (name, member) in members {
            collect(member, at: pointer + "/" + escaped(name), into: &entries)
        }
    }

    /// A difference between two versions of the settings.
    public struct Change: Sendable, Equatable {
        /// A JSON Pointer (RFC 6901) into the settings.
        public let pointer: String
        /// Canonical JSON; nil if the setting did not exist.
        public let old: String?
        /// Canonical JSON; nil if the setting no longer exists.
        public let new: String?
    }

    /// The changes from these settings to others, sorted by pointer. Lists are compared as a whole.
    public func changes(to other: StoreSettings) -> [Change] {
        var changes: [Change] = []
        Self.compare(json, other.json, at: "", into: &changes)
        return changes.sorted { $0.pointer.utf8.lexicographicallyPrecedes($1.pointer.utf8) }
    }

    private static func compare(
        _ old: JSONValue?,
        _ new: JSONValue?,
        at pointer: String,
        into changes: inout [Change]
    ) {
        if let oldMembers = old?.object, let newMembers = new?.object {
            for (name, value) in oldMembers {
                let other = newMembers.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
                compare(value, other, at: pointer + "/" + escaped(name), into: &changes)
            }
            for (name, value) in newMembers
            where !oldMembers.contains(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
                compare(nil, value, at: pointer + "/" + escaped(name), into: &changes)
            }
            return
        }
        let (before, after) = (text(old), text(new))
        guard before != after else { return }
        changes.append(Change(pointer: pointer, old: before, new: after))
    }

    private static func text(_ value: JSONValue?) -> String? {
        value.map { String(decoding: $0.canonical, as: UTF8.self) }
    }

    private static func escaped(_ name: String) -> String {
        var text = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "~": text += "~0"
            case "/": text += "~1"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

extension StoreSettings.Origin {
    var json: JSONValue {
        var members: [(String, JSONValue)] = []
        if let priority { members.append(("priority", .make(priority))) }
        if let mismatchThreshold {
            members.append(("mismatch_threshold", .make(mismatchThreshold)))
        }
        return .make(members)
    }
}

extension StoreSettings.Category {
    var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("enabled", JSONValue(.boolean(isEnabled))),
            ("percentage", .make(percentage)),
            ("checksum", .make((usesKey ? ChecksumAlgorithm.hmacSHA256 : checksum).rawValue)),
            ("severity", .make(severity.rawValue)),
            ("mismatch_threshold", .make(mismatchThreshold)),
            ("window", .make(window.text)),
            ("while_open", .make(holdsWhileOpen ? "hold" : "dispute")),
            ("policy", .make(policy)),
        ]
        if let origins { members.append(("origins", .make(origins))) }
        return .make(members)
    }
}

extension StoreSettings.ClassificationRules {
    var json: JSONValue {
        func pairs(_ rules: [Rule]) -> JSONValue {
            JSONValue(.array(rules.map { .make([$0.match, $0.category]) }))
        }
        return .make([
            ("types", .make(types.map { ($0.match, .make($0.category)) })),
            ("type_keywords", pairs(typeKeywords)),
            ("data_keys", pairs(dataKeys)),
        ])
    }
}

extension StoreSettings.Breaker {
    var json: JSONValue {
        let size: (String, JSONValue) =
            switch window {
            case .count(let count): ("count", .make(count))
            case .time(let time): ("time", .make(time.text))
            }
        return .make([
            ("failure_rate", .make(failureRate)),
            ("window", .make([size])),
            ("minimum_calls", .make(minimumCalls)),
            ("wait_open", .make(waitOpen.text)),
            ("half_open_calls", .make(halfOpenCalls)),
        ])
    }
}

extension PolicySettings {
    var json: JSONValue { .make([("chain", JSONValue(.array(chain.map(\.json))))]) }
}

extension PolicyStep {
    var json: JSONValue {
        var members: [(String, JSONValue)] = [("use", .make(rule.name))]
        switch rule {
        case .highest(let pointer), .lowest(let pointer):
            members.append(("pointer", .make(pointer)))
        case .quorum(let count): members.append(("k", .make(count)))
        case .swift(let type): members.append(("type", .make(type)))
        case .fieldMerge(let fields):
            members.append(("fields", .make(fields.map { ($0.pointer, $0.kind.json) })))
            members.append(("otherwise", .make("next")))
        default: break
        }
        if let tieBreak { members.append(("tie_break", .make(tieBreak.rawValue))) }
        return .make(members)
    }
}

extension FieldRule.Kind {
    var json: JSONValue {
        switch self {
        case .take(let origin): .make([("take", .make(origin))])
        case .max: .make("max")
        case .min: .make("min")
        case .union: .make("union")
        case .newest: .make("newest")
        }
    }
}
