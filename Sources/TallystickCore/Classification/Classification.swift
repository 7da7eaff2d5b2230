/// Determines the category of an event: by its exact type, else by a keyword in the type, else by a member of its
/// data, else the default. Case matters in exact types and members, not in keywords.
package struct Classification: Sendable, Equatable {
    /// Names of categories; events hold indices into it.
    package private(set) var categories: [String]
    private var types: [[UInt8]: Int32] = [:]
    private var keywords: [(word: [UInt8], category: Int32)] = []
    private var dataKeys: [(key: [UInt8], category: Int32)] = []
    private var defaultCategory: Int32 = 0

    /// Rules in the order in which they are tried. A user's rules come before the built-in ones, which count only if
    /// their category is among `categories`.
    package init(
        categories: [String],
        types: [(type: String, category: String)],
        typeKeywords: [(word: String, category: String)],
        dataKeys: [(key: String, category: String)],
        defaultCategory: String
    ) {
        self.categories = categories
        let builtIn: ([(String, String)]) -> [(String, String)] = { rules in
            rules.filter { categories.contains($0.1) }
        }
        for (type, category) in types + builtIn(Self.builtInTypes)
        where self.types[Array(type.utf8)] == nil {
            self.types[Array(type.utf8)] = index(of: category)
        }
        for (word, category) in typeKeywords + builtIn(Self.builtInKeywords) {
            keywords.append((Array(word.lowercased().utf8), index(of: category)))
        }
        for (key, category) in dataKeys + builtIn(Self.builtInDataKeys) {
            self.dataKeys.append((Array(key.utf8), index(of: category)))
        }
        self.defaultCategory = index(of: defaultCategory)
    }

    /// Only the five built-in categories and the built-in rules.
    package static let standard = Classification(
        categories: builtInCategories,
        types: [],
        typeKeywords: [],
        dataKeys: [],
        defaultCategory: "system"
    )

    package static let builtInCategories = [
        "critical", "performance", "user_activity", "system", "debug",
    ]

    /// The index of a category's name; a new one is added.
    package mutating func index(of category: String) -> Int32 {
        if let index = categories.firstIndex(of: category) { return Int32(index) }
        categories.append(category)
        return Int32(categories.count - 1)
    }

    /// The category by type alone, if the type decides.
    package func category(ofType type: UnsafeRawBufferPointer) -> Int32? {
        if let category = types[[UInt8](type)] { return category }
        let lowered = type.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }
        for (word, category) in keywords where Self.contains(lowered, word) { return category }
        return nil
    }

    /// The category of an event whose type does not decide, by the names of its data's members.
    package func category(hasMember: (UnsafeRawBufferPointer) -> Bool) -> Int32 {
        for (key, category) in dataKeys where key.withUnsafeBytes(hasMember) { return category }
        return defaultCategory
    }

    private static func contains(_ text: [UInt8], _ word: [UInt8]) -> Bool {
        guard !word.isEmpty, word.count <= text.count else { return false }
        for start in 0...(text.count - word.count)
        where text[start..<start + word.count].elementsEqual(word) {
            return true
        }
        return false
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.categories == right.categories && left.types == right.types
            && left.keywords.elementsEqual(right.keywords, by: ==)
            && left.dataKeys.elementsEqual(right.dataKeys, by: ==)
            && left.defaultCategory == right.defaultCategory
    }

    private static let builtInTypes: [(type: String, category: String)] =
        ["health_check", "circuit_breaker_open", "circuit_breaker_close", "error", "failure"]
        .map { ($0, "critical") }
        + ["cache_metrics", "semaphore_metrics", "response_time", "latency"]
        .map { ($0, "performance") }
        + ["session_metrics", "user_activity", "session_start", "session_end"]
        .map { ($0, "user_activity") }
        + ["connection_status", "websocket_health", "initial_stats", "stats", "export_complete"]
        .map { ($0, "system") }
        + ["test_event", "debug"].map { ($0, "debug") }

    private static let builtInKeywords: [(word: String, category: String)] =
        ["error", "fail", "critical", "alert", "timeout", "exception"].map { ($0, "critical") }
        + ["cache", "metric", "performance", "latency"].map { ($0, "performance") }
        + ["session", "user", "activity"].map { ($0, "user_activity") }
        + ["test", "debug", "dev"].map { ($0, "debug") }

    private static let builtInDataKeys: [(key: String, category: String)] =
        ["error", "exception"].map { ($0, "critical") }
        + ["metrics", "performance"].map { ($0, "performance") }
}
