import TallystickCore
package import TallystickSQLite

/// What the categories demanded of the checksums of events, and of decisions on them, when they were recorded, by
/// the keys and settings of that time.
///
/// Errs on the side of the store: if several settings may have applied, because processes had their own overrides,
/// only the demands that all of them share count.
package struct ChecksumDemands: Sendable {
    /// The demand after a place, up to the next entry's place.
    private struct Span {
        var after: Int64
        var categories: Set<String>
    }

    /// Settings, and when they took effect.
    private struct Version {
        /// The last event before they took effect.
        var position: Int64
        /// Its row of the audit trail.
        var sequence: Int64
        var isOverride: Bool
        var categories: Set<String>
    }

    /// By positions, for events.
    private var events: [Span] = []
    /// By audit row, for decisions.
    private var decisions: [Span] = []
    private let categories: [Int64: String]
    /// All HMAC keys that were ever registered, by id.
    package let keys: [String: RegisteredKey]
    /// Whether keys and settings could be read: if not, nothing is checked.
    private let isKnown: Bool

    /// The demands if keys and settings cannot be read.
    package static let unknown = ChecksumDemands()

    private init() { (categories, keys, isKnown) = ([:], [:], false) }

    package init(from connection: Connection) throws {
        let registered = try KeyRows(in: connection).read()
        var names: [Int64: String] = [:]
        let rows = try connection.prepare("SELECT category_id, name FROM categories")
        while try rows.step() { names[rows.int64(at: 0)] = rows.text(at: 1) }
        categories = names
        isKnown = true
        let activations = registered.keys.filter { $0.algorithm == .hmacSHA256 }
        keys = activations.reduce(into: [:]) { $0[$1.id] = $1 }
        guard let position = activations.map(\.afterPosition.rawValue).min(),
            let sequence = activations.map(\.registration).min()
        else { return }
        let versions = try Self.versions(connection)
        events = Self.spans(versions, \.position, from: position)
        decisions = Self.spans(versions, \.sequence, from: sequence)
    }

    /// The demands from the first key onwards, ordered by the places at which they change.
    private static func spans(
        _ versions: [Version],
        _ place: KeyPath<Version, Int64>,
        from activation: Int64
    ) -> [Span] {
        let boundaries = Set(versions.map { $0[keyPath: place] } + [activation])
        return boundaries.filter { $0 >= activation }.sorted().map { after in
            let known = versions.filter { $0[keyPath: place] <= after }
            var demanded = known.last { !$0.isOverride }?.categories ?? []
            for version in known where version.isOverride {
                demanded.formIntersection(version.categories)
            }
            return Span(after: after, categories: demanded)
        }
    }

    private static func versions(_ connection: Connection) throws -> [Version] {
        let rows = try connection.prepare(
            """
            SELECT c.content, a.actor, \(AuditDetail.afterPosition), c.audit_sequence
            FROM configurations AS c
            JOIN audit_trail AS a ON a.audit_sequence = c.audit_sequence
            ORDER BY c.version
            """
        )
        var versions: [Version] = []
        while try rows.step() {
            // Settings that cannot be read demand nothing here; their row is a finding of its own.
            guard let settings = try? StoreSettings(json: rows.blob(at: 0), onto: nil) else {
                continue
            }
            versions.append(
                Version(
                    position: rows.int64(at: 2),
                    sequence: rows.int64(at: 3),
                    isOverride: rows.text(at: 1) == StoredConfiguration.environment,
                    categories: Set(settings.categories.filter(\.usesKey).map(\.name))
                )
            )
        }
        return versions
    }

    /// Whether the event at a position must have an HMAC.
    package func demandsHMAC(at position: Int64, category: Int64) -> Bool {
        demands(events, before: position, category)
    }

    /// Whether a decision, given its audit row, on an event of a category must have an HMAC.
    package func demandsHMAC(ofDecision sequence: Int64, category: Int64) -> Bool {
        demands(decisions, before: sequence, category)
    }

    private func demands(_ spans: [Span], before place: Int64, _ category: Int64) -> Bool {
        guard let span = spans.last(where: { $0.after < place }), let name = categories[category]
        else { return false }
        return span.categories.contains(name)
    }

    /// Checks the key of a checksum that matches as far as can be determined, or the absence of a key.
    ///
    /// - parameter isLate: whether it was made after its key was retired.
    /// - returns: nil if it meets the demand.
    package func evaluate(
        keyID: String?,
        algorithm: @autoclosure () -> String,
        isLate: (_ retiredAfter: Int64, _ retirement: Int64) -> Bool,
        isDemanded: @autoclosure () -> Bool
    ) -> RowChecksums.Outcome? {
        guard isKnown else { return nil }
        guard let keyID else {
            guard isDemanded() else { return nil }
            let wanted = ChecksumAlgorithm.hmacSHA256.rawValue
            return .finding(.downgrade, expected: wanted, actual: algorithm())
        }
        guard let key = keys[keyID] else {
            return .finding(.key, expected: "a key of the store", actual: keyID)
        }
        guard let position = key.retiredAfterPosition?.rawValue, let sequence = key.retirement,
            isLate(position, sequence)
        else { return nil }
        return .finding(
            .downgrade,
            expected: "a key that was active",
            actual: "key '\(keyID)', which was retired before"
        )
    }
}
