import TallystickCore
import TallystickSQLite

/// What ingest needs of a store's settings.
struct IngestConfiguration: Sendable {
    var classification: Classification
    /// By category, as in the classification.
    var checksums: [ChecksumAlgorithm]
    var severities: [String]
    var comparison: ComparisonRules
    var deliveryAttributes: Set<String>
    /// Names of delivery paths, which cannot be sources.
    var origins: Set<String>
    var breakers: [StoreSettings.Breaker]
    /// By delivery path: the share of mismatches in a batch above which it counts as a failed call.
    private var mismatchLimits: [String: Double]
    private var standardMismatchLimit: Double
    /// Categories whose open conflicts hold replay.
    var heldCategories: [String]

    /// The settings in force.
    init(_ identity: StoreIdentity, from connection: Connection) throws {
        let stored = try ConfigurationRows(in: connection).current()
        let settings: StoreSettings
        do throws(SettingsError) {
            if let stored {
                settings = try StoreSettings(json: stored.content, onto: nil)
            } else {
                settings = .standard
            }
        } catch {
            throw StoreError(
                .integrity,
                during: "read the settings",
                on: "configuration \(stored?.version ?? 0)",
                "they are not valid: \(error.message)",
                hint: "Run 'tally verify'"
            )
        }
        classification = settings.classification
        checksums = settings.categories.map(\.checksum)
        severities = settings.categories.map(\.severity.rawValue)
        comparison = settings.comparison
        breakers = settings.breakers
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

    /// The share of mismatches in a batch of a delivery path above which it counts as a failed call of its breaker: the
    /// origin's own threshold, else that of the default category.
    func mismatchLimit(of origin: String) -> Double {
        mismatchLimits[origin] ?? standardMismatchLimit
    }
}
