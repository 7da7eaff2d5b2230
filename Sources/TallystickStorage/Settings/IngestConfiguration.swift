package import TallystickCore
package import TallystickSQLite

/// The part of a store's settings that ingest needs.
package struct IngestConfiguration: Sendable {
    /// The version in `configurations`; 0 if overrides have not been recorded yet.
    package var version: Int64
    package var classification: Classification
    /// By category, as in the classification.
    package var checksums: [ChecksumAlgorithm]
    /// Whether a category gets an HMAC once a key is registered.
    private var demandsKey: [Bool]
    /// The keys that this process was given.
    package let checksummer: Checksummer
    /// The key that makes new HMACs, if this process has it.
    package let keyID: String?
    package var severities: [String]
    package var comparison: ComparisonRules
    package var deliveryAttributes: Set<String>
    /// Names of delivery paths, which cannot be sources.
    package var origins: Set<String>
    /// By delivery path: the share of mismatches in a batch above which it counts as a failed call.
    private var mismatchLimits: [String: Double]
    private var standardMismatchLimit: Double
    /// Categories whose open conflicts hold back replay.
    package var heldCategories: [String]

    package init(
        _ inForce: SettingsInForce,
        _ identity: StoreIdentity,
        _ checksummer: Checksummer,
        from connection: Connection
    ) throws {
        let settings = inForce.settings
        self.checksummer = checksummer
        let keyID = try KeyRows(in: connection).read().usable(in: checksummer.ring)?.id
        self.keyID = keyID
        demandsKey = settings.categories.map(\.usesKey)
        version = inForce.version
        classification = settings.classification
        checksums = settings.categories.map { category in
            category.usesKey && keyID != nil ? .hmacSHA256 : category.checksum
        }
        severities = settings.categories.map(\.severity.rawValue)
        comparison = settings.comparison
        mismatchLimits = [:]
        for origin in settings.origins { mismatchLimits[origin.name] = origin.mismatchThreshold }
        standardMismatchLimit =
            settings[category: settings.defaultCategory]?.mismatchThreshold ?? 0
        heldCategories = settings.categories.filter(\.holdsWhileOpen).map(\.name)
        deliveryAttributes = identity.deliveryAttributes
        var names = Set(settings.origins.map(\.name))
        let rows = try connection.prepare("SELECT name FROM origins WHERE name <> 'local'")
        while try rows.step() { names.insert(rows.text(at: 0)) }
        origins = names
    }

    /// The share of mismatches in a batch of a delivery path above which it counts as a failed call of its
    /// breaker: the origin's own threshold, or else that of the default category.
    package func mismatchLimit(of origin: String) -> Double {
        mismatchLimits[origin] ?? standardMismatchLimit
    }

    /// Whether events of a category get an HMAC once a key is registered.
    package func demandsHMAC(_ category: String) -> Bool {
        classification.categories.firstIndex(of: category).map { demandsKey[$0] } ?? false
    }

    /// The severity of a mismatch of an event of a category.
    package func severity(of category: String) -> String {
        classification.categories.firstIndex(of: category).map { severities[$0] }
            ?? StoreSettings.Severity.low.rawValue
    }

    /// The parameters of a decoder; `origin` is the path of its inputs.
    package func decoderSettings(mapping: EventMapping? = nil, origin: String? = nil)
        -> EventDecoderSettings
    {
        var settings = EventDecoderSettings(
            deliveryAttributes: deliveryAttributes,
            classification: classification,
            checksums: checksums,
            mapping: mapping,
            origins: origins.union(origin.map { [$0] } ?? [])
        )
        settings.checksummer = checksummer
        settings.keyID = keyID
        return settings
    }
}
