/// A store's settings: what each category asks for, how copies are compared, how events are classified.
public struct StoreSettings: Sendable, Equatable {
    /// What a category asks for.
    public struct Category: Sendable, Equatable {
        public var name: String
        public var checksum: ChecksumAlgorithm
        public var severity: String
        /// Share of mismatches, 0 to 1, above which an origin is suspicious.
        public var mismatchThreshold: Double
        /// Whether replay waits while a conflict over an event of this category is open.
        public var holdsWhileOpen: Bool
        public var policy: String
    }

    public var categories: [Category]
    public var classification: Classification
    public var comparison: ComparisonRules
    /// Names of configured origins.
    public var origins: [String]
    /// The settings as they were given, in canonical form: what the store keeps.
    public let canonical: [UInt8]

    /// Reads a settings file; what it does not say is as by default.
    ///
    /// - throws: `SettingsError` with line and column.
    public init(json: [UInt8]) throws(SettingsError) {
        let document: JSONDocument
        do throws(JSONError) {
            document = try JSONDocument(json)
        } catch {
            throw SettingsError(error.message, line: error.line, column: error.column)
        }
        try SettingsSchema.check(document)
        let root = document.root
        categories = Self.defaults
        for (name, value) in root["categories"]?.object ?? [] {
            var category =
                categories.first { $0.name == name }
                ?? Category(
                    name: name, checksum: .crc32, severity: "low", mismatchThreshold: 0.02,
                    holdsWhileOpen: false, policy: "manual")
            category.apply(value)
            if let index = categories.firstIndex(where: { $0.name == name }) {
                categories[index] = category
            } else {
                categories.append(category)
            }
        }
        let rules = root["classification"]
        classification = Classification(
            categories: categories.map(\.name),
            types: (rules?["types"]?.object ?? []).map { ($0.name, $0.value.string ?? "") },
            typeKeywords: Self.pairs(rules?["type_keywords"]),
            dataKeys: Self.pairs(rules?["data_keys"]),
            defaultCategory: root["default_category"]?.string ?? "system")
        comparison = ComparisonRules(
            ignoredAttributes: Self.strings(root["compare"]?["ignore_attributes"]),
            ignoredData: Self.strings(root["compare"]?["ignore_data"]))
        origins = (root["origins"]?.object ?? []).map(\.name)
        canonical = root.canonical
        try checkCategories(document)
    }

    private static let defaults: [Category] = [
        .init(
            name: "critical", checksum: .sha256, severity: "critical", mismatchThreshold: 0.01,
            holdsWhileOpen: false, policy: "manual"),
        .init(
            name: "performance", checksum: .crc32, severity: "high", mismatchThreshold: 0.05,
            holdsWhileOpen: false, policy: "manual"),
        .init(
            name: "user_activity", checksum: .crc32, severity: "medium", mismatchThreshold: 0.03,
            holdsWhileOpen: false, policy: "manual"),
        .init(
            name: "system", checksum: .crc32, severity: "low", mismatchThreshold: 0.02,
            holdsWhileOpen: false, policy: "manual"),
        .init(
            name: "debug", checksum: .crc32, severity: "low", mismatchThreshold: 0.10,
            holdsWhileOpen: false, policy: "manual"),
    ]

    private static func strings(_ value: JSONValue?) -> Set<String> {
        Set((value?.array ?? []).compactMap(\.string))
    }

    private static func pairs(_ value: JSONValue?) -> [(String, String)] {
        (value?.array ?? []).compactMap { pair in
            guard let items = pair.array, items.count == 2, let key = items[0].string,
                let category = items[1].string
            else { return nil }
            return (key, category)
        }
    }

    /// Every category that a rule names must exist.
    private func checkCategories(_ document: JSONDocument) throws(SettingsError) {
        let known = Set(categories.map(\.name))
        var named: [JSONValue] = []
        if let value = document.root["default_category"] { named.append(value) }
        let rules = document.root["classification"]
        named += (rules?["types"]?.object ?? []).map(\.value)
        for list in ["type_keywords", "data_keys"] {
            named += (rules?[list]?.array ?? []).compactMap { $0.array?.last }
        }
        for value in named {
            guard let name = value.string, !known.contains(name) else { continue }
            throw SettingsError("there is no category '\(name)'", at: value, in: document)
        }
    }
}

extension StoreSettings.Category {
    mutating func apply(_ value: JSONValue) {
        // HMAC takes effect once a key is registered; until then SHA-256 protects.
        if let name = value["checksum"]?.string, let algorithm = ChecksumAlgorithm(rawValue: name) {
            checksum = algorithm == .hmacSHA256 ? .sha256 : algorithm
        }
        if let severity = value["severity"]?.string { self.severity = severity }
        if let threshold = value["mismatch_threshold"]?.double { mismatchThreshold = threshold }
        if let held = value["while_open"]?.string { holdsWhileOpen = held == "hold" }
        if let policy = value["policy"]?.string { self.policy = policy }
    }
}

/// What is wrong with a settings file, and where.
public struct SettingsError: Error, Sendable, Equatable {
    public let message: String
    /// 1-based.
    public let line: Int
    /// 1-based, in bytes.
    public let column: Int

    init(_ message: String, line: Int, column: Int) {
        self.message = message
        self.line = line
        self.column = column
    }

    init(_ message: String, at value: JSONValue, in document: JSONDocument) {
        let place = document.place(of: value)
        self.init(message, line: place.line, column: place.column)
    }
}
