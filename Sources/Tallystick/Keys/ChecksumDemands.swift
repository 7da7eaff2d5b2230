import TallystickCore
import TallystickSQLite

/// What the categories demanded of events' checksums when they were recorded, by the keys and settings of
/// their time.
///
/// Errs on the side of the store: where several settings may have counted, because processes had overrides of
/// their own, an event must have what all of them demand.
struct ChecksumDemands: Sendable {
    /// What the events after a position must have, up to the next one's.
    private struct Span {
        var after: Int64
        var categories: Set<String>
    }

    private struct Version {
        var after: Int64
        var isOverride: Bool
        var categories: Set<String>
    }

    /// In order of their positions.
    private var spans: [Span] = []
    private let categories: [Int64: String]
    /// HMAC keys that were ever registered, by their ids.
    let keys: [String: RegisteredKey]

    init(from connection: Connection) throws {
        let registered = try KeyRows(in: connection).read()
        var names: [Int64: String] = [:]
        let rows = try connection.prepare("SELECT category_id, name FROM categories")
        while try rows.step() { names[rows.int64(at: 0)] = rows.text(at: 1) }
        categories = names
        let activations = registered.keys.filter { $0.algorithm == .hmacSHA256 }
        keys = activations.reduce(into: [:]) { $0[$1.id] = $1 }
        guard let activation = activations.map(\.afterPosition).min() else { return }
        let versions = try Self.versions(connection)
        let boundaries = Set(versions.map(\.after) + [activation]).filter { $0 >= activation }
        for after in boundaries.sorted() {
            let known = versions.filter { $0.after <= after }
            var demanded = known.last { !$0.isOverride }?.categories ?? []
            for version in known where version.isOverride {
                demanded.formIntersection(version.categories)
            }
            spans.append(Span(after: after, categories: demanded))
        }
    }

    private static func versions(_ connection: Connection) throws -> [Version] {
        let rows = try connection.prepare(
            """
            SELECT c.content, a.actor, \(AuditDetail.afterPosition)
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
                    after: rows.int64(at: 2),
                    isOverride: rows.text(at: 1) == StoredConfiguration.environment,
                    categories: Set(settings.categories.filter(\.usesKey).map(\.name))
                )
            )
        }
        return versions
    }

    /// Whether no event is demanded to have an HMAC.
    var isEmpty: Bool { spans.isEmpty }

    /// Whether the event at a position must have an HMAC.
    func demandsHMAC(at position: Int64, category: Int64) -> Bool {
        guard let span = spans.last(where: { $0.after < position }),
            let name = categories[category]
        else { return false }
        return span.categories.contains(name)
    }
}
