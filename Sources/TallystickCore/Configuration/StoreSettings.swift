/// A store's settings: the requirements of each category, how copies are compared and conflicts resolved, how events
/// are classified, and when breakers open.
///
/// The settings in force are stored in full, in ``canonical`` form. A settings file contains only the differences
/// from the ``standard`` ones, unless it is to replace them.
public struct StoreSettings: Sendable, Equatable {
    /// The severity of a mismatch.
    public enum Severity: String, Sendable, CaseIterable {
        case critical, high, medium, low
    }

    /// The requirements of a category.
    public struct Category: Sendable, Equatable {
        /// The category's name.
        public let name: String
        /// Whether copies are compared at all. Storing never depends on it.
        public internal(set) var isEnabled = true
        /// Percentage of events whose copies are compared, chosen by identity: 0 to 100.
        public internal(set) var percentage = 100.0
        /// The delivery paths that should deliver each event; nil for all that are configured.
        public internal(set) var origins: [String]?
        /// The checksum that is stored if there is no key.
        public internal(set) var checksum = ChecksumAlgorithm.crc32
        /// Whether HMAC-SHA-256 replaces ``checksum`` once a key is registered.
        public internal(set) var usesKey = false
        /// The severity of a mismatch on its events.
        public internal(set) var severity = Severity.low
        /// Share of mismatches, 0 to 1, above which an origin is suspicious.
        public internal(set) var mismatchThreshold = 0.02
        /// How long after the first copy another one may arrive.
        package internal(set) var window = StoreSettings.standardWindow
        /// Whether replay waits while a conflict on an event of this category is open; otherwise the event is used as
        /// appended, and marked as disputed.
        public internal(set) var holdsWhileOpen = false
        /// A policy of the settings, or a built-in one that needs no parameters.
        public internal(set) var policy = PolicySettings.defaultName

        init(named name: String) { self.name = name }
    }

    /// The settings of a delivery path.
    public struct Origin: Sendable, Equatable {
        /// The delivery path's name.
        public let name: String
        /// 1 is trusted most; nil: after all paths that have a priority.
        public internal(set) var priority: Int?
        /// Replaces the category's threshold.
        public internal(set) var mismatchThreshold: Double?

        init(named name: String) { self.name = name }
    }

    /// The settings of a circuit breaker.
    public struct Breaker: Sendable, Equatable {
        /// The calls over which failures are counted.
        public enum Window: Sendable, Equatable {
            case count(Int)
            case time(SettingsDuration)
        }

        /// `default`, or the name of an origin or a replay.
        public let name: String
        /// Share of failures, 0 to 1, at which the breaker opens.
        public internal(set) var failureRate = 0.5
        /// The calls over which failures are counted; the last 100 unless set.
        public internal(set) var window = Window.count(100)
        /// Number of calls below which the breaker never opens.
        public internal(set) var minimumCalls = 100
        package internal(set) var waitOpen = StoreSettings.standardWait
        /// Number of trial calls that determine whether it may close again.
        public internal(set) var halfOpenCalls = 10

        init(named name: String) { self.name = name }
    }

    /// The category of events that no rule classifies.
    public internal(set) var defaultCategory = "system"
    package internal(set) var comparison = ComparisonRules()
    /// Configured delivery paths, sorted by name.
    public internal(set) var origins: [Origin] = []
    /// The built-in categories, then others sorted by name. The order, and therefore each index, is the same as in
    /// ``classification``.
    public internal(set) var categories: [Category] = []
    /// Sorted by name.
    package internal(set) var policies: [PolicySettings] = []
    /// Rules of the settings; built-in ones come after them.
    package internal(set) var rules = ClassificationRules()
    /// `default` first, then others sorted by name.
    public internal(set) var breakers = [Breaker(named: "default")]
    /// The delivery path that every decision chooses; normally nil.
    public internal(set) var overrideOrigin: String?
    /// How events are classified under these settings.
    package internal(set) var classification = Classification.standard

    /// Rules that decide an event's category, before the built-in ones.
    package struct ClassificationRules: Sendable, Equatable {
        /// By exact type, sorted by type.
        package internal(set) var types: [Rule] = []
        /// By a word in the type, in the order in which they are tried.
        package internal(set) var typeKeywords: [Rule] = []
        /// By the name of a member of the data, in the order in which they are tried.
        package internal(set) var dataKeys: [Rule] = []

        package struct Rule: Sendable, Equatable {
            package let match: String
            package let category: String
        }
    }

    static let standardWindow = SettingsDuration(minutes: 15)
    /// A breaker without any settings of its own.
    public static let standardBreaker = Breaker(named: "default")
    static let standardWait = SettingsDuration(minutes: 1)

    /// The settings of a store that was created without a settings file.
    public static let standard: StoreSettings = {
        var settings = StoreSettings()
        let values: [(String, ChecksumAlgorithm, Severity, Double)] = [
            ("critical", .sha256, .critical, 0.01),
            ("performance", .crc32, .high, 0.05),
            ("user_activity", .crc32, .medium, 0.03),
            ("system", .crc32, .low, 0.02),
            ("debug", .crc32, .low, 0.10),
        ]
        settings.categories = values.map { name, checksum, severity, threshold in
            var category = Category(named: name)
            category.checksum = checksum
            category.usesKey = name == "critical"
            category.severity = severity
            category.mismatchThreshold = threshold
            return category
        }
        settings.finish()
        return settings
    }()

    init() {}

    /// Reads a settings file.
    ///
    /// - parameter base: the settings that the file modifies. With nil the file is the complete configuration, as
    ///   with `--replace`, and for settings that a store keeps.
    /// - throws: `SettingsError`, with line and column, for anything that is not exactly right, including unknown
    ///   keys.
    public init(
        json: [UInt8],
        onto base: StoreSettings? = .standard
    ) throws(SettingsError) {
        self = base ?? StoreSettings()
        var decoder = try SettingsDecoder(json)
        try decoder.decode(into: &self)
        finish()
    }

    /// A category by its name.
    public subscript(category name: String) -> Category? { categories.first { $0.name == name } }

    /// The chain of rules of a policy, or of a built-in policy that needs no parameters.
    package func policy(named name: String) -> PolicySettings? {
        if let policy = policies.first(where: { $0.name == name }) { return policy }
        return PolicyRule.plain(name).map { PolicySettings(name: name, chain: [PolicyStep($0)]) }
    }

    /// Sorts lists, and computes derived values.
    private mutating func finish() {
        let builtIn = Classification.builtInCategories
        categories.sort { left, right in
            let (l, r) = (builtIn.firstIndex(of: left.name), builtIn.firstIndex(of: right.name))
            return (l ?? builtIn.count, left.name) < (r ?? builtIn.count, right.name)
        }
        origins.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        policies.sort { $0.name < $1.name }
        breakers.sort { left, right in
            let (l, r) = (left.name == "default", right.name == "default")
            return l != r ? l : left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
        }
        rules.types.sort { $0.match.utf8.lexicographicallyPrecedes($1.match.utf8) }
        classification = Classification(
            categories: categories.map(\.name),
            types: rules.types.map { ($0.match, $0.category) },
            typeKeywords: rules.typeKeywords.map { ($0.match, $0.category) },
            dataKeys: rules.dataKeys.map { ($0.match, $0.category) },
            defaultCategory: defaultCategory
        )
    }
}
