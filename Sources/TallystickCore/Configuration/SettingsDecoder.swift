/// Reads a settings file into settings, member by member, then checks that every name it uses exists.
struct SettingsDecoder {
    private let root: SettingsReader
    /// Names of categories and policies that the file uses, with their places.
    private var categoryReferences: [(name: String, place: SettingsReader)] = []
    private var policyReferences: [(name: String, place: SettingsReader)] = []

    init(_ json: [UInt8]) throws(SettingsError) { root = try SettingsReader(json) }

    mutating func decode(into settings: inout StoreSettings) throws(SettingsError) {
        let known = [
            "tallystick_config", "default_category", "compare", "origins", "categories", "policies",
            "classification", "breakers", "override_origin",
        ]
        for (name, reader) in try root.members(known: known) {
            switch name {
            case "tallystick_config": try checkVersion(reader)
            case "default_category":
                settings.defaultCategory = try reader.text()
                categoryReferences.append((settings.defaultCategory, reader))
            case "compare": try decodeComparison(reader, into: &settings.comparison)
            case "origins": try decodeOrigins(reader, into: &settings)
            case "categories": try decodeCategories(reader, into: &settings)
            case "policies": try decodePolicies(reader, into: &settings)
            case "classification": try decodeRules(reader, into: &settings.rules)
            case "breakers": try decodeBreakers(reader, into: &settings)
            default:
                settings.overrideOrigin =
                    reader.value.content == .null ? nil : try reader.text()
            }
        }
        try checkCategories(settings)
        try checkPolicies(settings)
    }

    private func checkVersion(_ reader: SettingsReader) throws(SettingsError) {
        guard case .number("1") = reader.value.content else {
            throw reader.fail("tallystick_config must be 1, the only version")
        }
    }

    // MARK: Sections

    private func decodeComparison(
        _ reader: SettingsReader,
        into rules: inout ComparisonRules
    ) throws(SettingsError) {
        for (name, list) in try reader.members(known: ["ignore_attributes", "ignore_data"]) {
            var values: [String] = []
            for element in try list.elements() {
                let value = name == "ignore_data" ? try element.pointer() : try attribute(element)
                guard !values.contains(where: { $0.utf8.elementsEqual(value.utf8) }) else {
                    continue
                }
                values.append(value)
            }
            values.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            if name == "ignore_data" {
                rules.ignoredData = values
            } else {
                rules.ignoredAttributes = values
            }
        }
    }

    /// The name of a context attribute: lower-case letters and digits (CloudEvents 1.0, section 3.1).
    private func attribute(_ reader: SettingsReader) throws(SettingsError) -> String {
        let name = try reader.text()
        guard name.utf8.allSatisfy({ $0 &- 0x30 <= 9 || $0 &- 0x61 < 26 }) else {
            throw reader.fail(
                "'\(name)' is not the name of an attribute: it has lower-case letters and digits"
            )
        }
        guard name != "data", name != "id", name != "source" else {
            throw reader.fail(
                name == "data"
                    ? "to ignore data, name its parts in compare.ignore_data"
                    : "'\(name)' tells events apart and cannot be ignored"
            )
        }
        return name
    }

    private func decodeOrigins(
        _ reader: SettingsReader,
        into settings: inout StoreSettings
    ) throws(SettingsError) {
        for (name, reader) in try reader.members() {
            guard !name.isEmpty else { throw reader.failAtName("an origin must have a name") }
            let index = settings.origins.firstIndex { $0.name.utf8.elementsEqual(name.utf8) }
            var origin = index.map { settings.origins[$0] } ?? StoreSettings.Origin(named: name)
            for (key, value) in try reader.members(known: ["priority", "mismatch_threshold"]) {
                if key == "priority" {
                    origin.priority = try value.integer(1...1_000_000)
                } else {
                    origin.mismatchThreshold = try value.number(0...1)
                }
            }
            if let index {
                settings.origins[index] = origin
            } else {
                settings.origins.append(origin)
            }
        }
    }

    private mutating func decodeCategories(
        _ reader: SettingsReader,
        into settings: inout StoreSettings
    ) throws(SettingsError) {
        for (name, reader) in try reader.members() {
            try reader.checkName(name, of: "category")
            let index = settings.categories.firstIndex { $0.name == name }
            var category =
                index.map { settings.categories[$0] } ?? StoreSettings.Category(named: name)
            try decode(reader, into: &category)
            if let index {
                settings.categories[index] = category
            } else {
                settings.categories.append(category)
            }
        }
    }

    private mutating func decode(
        _ reader: SettingsReader,
        into category: inout StoreSettings.Category
    ) throws(SettingsError) {
        let known = [
            "enabled", "percentage", "origins", "checksum", "severity", "mismatch_threshold",
            "window", "while_open", "policy",
        ]
        for (name, value) in try reader.members(known: known) {
            switch name {
            case "enabled": category.isEnabled = try value.boolean()
            case "percentage": category.percentage = try value.number(0...100)
            case "origins": category.origins = try origins(value)
            case "checksum":
                let algorithm = try value.choice(ChecksumAlgorithm.self)
                category.usesKey = algorithm == .hmacSHA256
                category.checksum = algorithm == .hmacSHA256 ? .sha256 : algorithm
            case "severity": category.severity = try value.choice(StoreSettings.Severity.self)
            case "mismatch_threshold": category.mismatchThreshold = try value.number(0...1)
            case "window": category.window = try value.duration()
            case "while_open":
                category.holdsWhileOpen = try value.choice(["dispute", "hold"]) == "hold"
            default:
                category.policy = try value.text()
                policyReferences.append((category.policy, value))
            }
        }
    }

    private func origins(_ reader: SettingsReader) throws(SettingsError) -> [String] {
        var names: [String] = []
        for element in try reader.elements() {
            let name = try element.text()
            guard !names.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else {
                throw element.fail("'\(name)' is listed twice")
            }
            names.append(name)
        }
        guard !names.isEmpty else {
            throw reader.fail("\(reader.path) must name an origin; leave it out for all of them")
        }
        return names
    }

    private mutating func decodeRules(
        _ reader: SettingsReader,
        into rules: inout StoreSettings.ClassificationRules
    ) throws(SettingsError) {
        for (name, value) in try reader.members(known: ["types", "type_keywords", "data_keys"]) {
            switch name {
            case "types":
                for (type, category) in try value.members() {
                    guard !type.isEmpty else {
                        throw category.failAtName("a type must be a non-empty string")
                    }
                    rules.types.removeAll { $0.match.utf8.elementsEqual(type.utf8) }
                    rules.types.append(.init(match: type, category: try self.category(category)))
                }
            case "type_keywords": rules.typeKeywords = try pairs(value)
            default: rules.dataKeys = try pairs(value)
            }
        }
    }

    private mutating func pairs(
        _ reader: SettingsReader
    ) throws(SettingsError) -> [StoreSettings.ClassificationRules.Rule] {
        var rules: [StoreSettings.ClassificationRules.Rule] = []
        for element in try reader.elements() {
            let pair = try element.elements()
            guard pair.count == 2 else {
                throw element.fail(
                    "\(element.path) must be a pair of a search text and a category"
                )
            }
            rules.append(.init(match: try pair[0].text(), category: try category(pair[1])))
        }
        return rules
    }

    private mutating func category(_ reader: SettingsReader) throws(SettingsError) -> String {
        let name = try reader.text()
        categoryReferences.append((name, reader))
        return name
    }

    private func decodeBreakers(
        _ reader: SettingsReader,
        into settings: inout StoreSettings
    ) throws(SettingsError) {
        // `default` first: the others start from it.
        let members = try reader.members()
        for (name, reader) in members.filter({ $0.name == "default" })
            + members.filter({ $0.name != "default" })
        {
            guard !name.isEmpty else { throw reader.failAtName("a breaker must have a name") }
            let index = settings.breakers.firstIndex { $0.name.utf8.elementsEqual(name.utf8) }
            var breaker = StoreSettings.Breaker(named: name)
            if let start = index.map({ settings.breakers[$0] })
                ?? settings.breakers.first(where: { $0.name == "default" })
            {
                breaker.failureRate = start.failureRate
                breaker.window = start.window
                breaker.minimumCalls = start.minimumCalls
                breaker.waitOpen = start.waitOpen
                breaker.halfOpenCalls = start.halfOpenCalls
            }
            try decode(reader, into: &breaker)
            if let index {
                settings.breakers[index] = breaker
            } else {
                settings.breakers.append(breaker)
            }
        }
    }

    private func decode(
        _ reader: SettingsReader,
        into breaker: inout StoreSettings.Breaker
    ) throws(SettingsError) {
        let known = ["failure_rate", "window", "minimum_calls", "wait_open", "half_open_calls"]
        for (name, value) in try reader.members(known: known) {
            switch name {
            case "failure_rate":
                breaker.failureRate = try value.number(0...1)
                guard breaker.failureRate > 0 else {
                    throw value.fail(
                        "\(value.path) must be more than 0, or the breaker would never close"
                    )
                }
            case "window":
                let members = try value.members(known: ["count", "time"])
                guard members.count == 1, let (kind, size) = members.first else {
                    throw value.fail("\(value.path) must have either count or time")
                }
                breaker.window =
                    kind == "count"
                    ? .count(try size.integer(1...1_000_000)) : .time(try size.duration())
            case "minimum_calls": breaker.minimumCalls = try value.integer(1...1_000_000)
            case "wait_open": breaker.waitOpen = try value.duration()
            default: breaker.halfOpenCalls = try value.integer(1...1_000_000)
            }
        }
        if case .count(let count) = breaker.window, breaker.minimumCalls > count {
            throw reader.fail(
                "\(reader.path) would never open: minimum_calls, \(breaker.minimumCalls), is more than "
                    + "the \(count) calls of its window"
            )
        }
    }

    private mutating func decodePolicies(
        _ reader: SettingsReader,
        into settings: inout StoreSettings
    ) throws(SettingsError) {
        for (name, reader) in try reader.members() {
            try reader.checkName(name, of: "policy")
            guard !PolicyRule.builtInNames.contains(name) else {
                throw reader.failAtName("'\(name)' is a built-in policy; choose another name")
            }
            var decoder = PolicyDecoder()
            let policy = try decoder.decode(reader, named: name)
            policyReferences += decoder.references
            settings.policies.removeAll { $0.name == name }
            settings.policies.append(policy)
        }
    }

    // MARK: Names

    private func checkCategories(_ settings: StoreSettings) throws(SettingsError) {
        let known = settings.categories.map(\.name)
        for (name, place) in categoryReferences where !known.contains(name) {
            throw place.fail(
                "\(place.path): unknown category '\(name)'; expected one of \(known.sorted().joined(separator: ", "))"
            )
        }
        guard known.contains(settings.defaultCategory) else {
            throw root.fail("default_category: unknown category '\(settings.defaultCategory)'")
        }
    }

    private func checkPolicies(_ settings: StoreSettings) throws(SettingsError) {
        for (name, place) in policyReferences where settings.policy(named: name) == nil {
            throw place.fail(
                PolicyRule.builtInNames.contains(name)
                    ? "\(place.path): '\(name)' needs parameters; define a policy that uses it"
                    : "\(place.path): unknown policy '\(name)'"
            )
        }
        for policy in settings.policies {
            if let cycle = Self.cycle(from: policy, settings) {
                let place = policyReferences.first { $0.name == policy.name }?.place ?? root
                throw place.fail(
                    "policies must not use each other in a circle: \(cycle.joined(separator: " → "))"
                )
            }
        }
    }

    /// The names on a path from a policy back to itself.
    private static func cycle(
        from start: PolicySettings,
        _ settings: StoreSettings
    ) -> [String]? {
        var visited: Set<String> = []
        var ways = [[start.name]]
        while let way = ways.popLast(), let last = way.last {
            guard let policy = settings.policies.first(where: { $0.name == last }) else { continue }
            for case .policy(let next) in policy.chain.map(\.rule) {
                if next == start.name { return way + [next] }
                if visited.insert(next).inserted { ways.append(way + [next]) }
            }
        }
        return nil
    }
}
