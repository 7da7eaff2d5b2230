public import TallystickCore
import TallystickSQLite

/// Selects rows of the audit trail that match every given condition.
public struct AuditFilter: Sendable, Equatable {
    /// Kinds, such as `resolution` or `configuration`; none for all.
    public var kinds: [String] = []
    /// All existing kinds.
    package static var allKinds: [String] { AuditKind.allCases.map(\.rawValue) }
    /// The position of the event that the row is about.
    public var position: Position?
    /// The event's id, of any source if `source` is nil.
    public var eventID: String?
    /// The source of the event that the row is about.
    public var source: String?
    /// The stream of the event that the row is about.
    public var stream: String?
    /// The conflict that the row is about.
    public var conflictID: Int64?
    /// An origin that occurs in the row's details.
    public var origin: String?
    /// The policy of a resolution.
    public var policy: String?
    /// The actor, exactly as recorded.
    public var actor: String?
    /// Recorded at or after this time.
    public var since: Timestamp?
    /// Recorded before this time.
    public var until: Timestamp?

    /// All rows.
    public init() {}

    /// Conditions on `audit_trail AS a`, and their parameters.
    private func conditions() -> (terms: [String], parameters: [String: SQLValue]) {
        var terms: [String] = []
        var parameters: [String: SQLValue] = [:]
        func add(_ name: String, _ value: SQLValue?, _ term: String) {
            guard let value else { return }
            terms.append(term)
            parameters[name] = value
        }
        if !kinds.isEmpty {
            for (index, kind) in kinds.enumerated() { parameters["kind\(index)"] = .text(kind) }
            let names = kinds.indices.map { ":kind\($0)" }.joined(separator: ", ")
            terms.append("a.kind IN (\(names))")
        }
        add("position", position.map { .integer($0.rawValue) }, "a.position = :position")
        add("conflict", conflictID.map { .integer($0) }, "a.conflict_id = :conflict")
        add("actor", actor.map { .text($0) }, "a.actor = :actor")
        add("since", since.map { .integer($0.microseconds) }, "a.recorded_at >= :since")
        add("until", until.map { .integer($0.microseconds) }, "a.recorded_at < :until")
        add("stream", stream.map { .text($0) }, Self.stream)
        add("origin", origin.map { .text($0) }, Self.origin)
        add(
            "policy",
            policy.map { .text($0) },
            """
            a.audit_sequence IN (SELECT audit_sequence FROM resolutions WHERE policy = :policy)
            """
        )
        if source != nil || eventID != nil {
            terms.append(Self.event(hasSource: source != nil, hasID: eventID != nil))
            if let source { parameters["source"] = .text(source) }
            if let eventID { parameters["event"] = .text(eventID) }
        }
        return (terms, parameters)
    }

    private static let stream = """
        a.position IN (
            SELECT r.position
            FROM streams AS s
            JOIN stream_revisions AS r ON r.stream_id = s.stream_id
            WHERE s.name = :stream)
        """

    private static let origin = """
        a.audit_sequence IN (
            SELECT audit_sequence FROM mismatches WHERE origin = :origin
            UNION ALL SELECT audit_sequence FROM conflicts WHERE origin = :origin
            UNION ALL SELECT audit_sequence FROM conflict_candidates WHERE origin = :origin
            UNION ALL SELECT audit_sequence FROM resolutions WHERE winner_origin = :origin
            UNION ALL SELECT audit_sequence FROM quarantine WHERE origin = :origin)
        """

    /// Rows about an event by its identity, and mismatches of inputs that never became one.
    private static func event(hasSource: Bool, hasID: Bool) -> String {
        // A search by id goes through the view, which knows the index.
        let inEvents =
            hasID
            ? "SELECT position FROM event_log WHERE event_id = :event"
                + (hasSource ? " AND source = :source" : "")
            : """
            SELECT e.position
            FROM sources AS s
            JOIN events AS e ON e.source_id = s.source_id
            WHERE s.name = :source
            """
        let inMismatches = [
            hasSource ? "source = :source" : nil, hasID ? "event_id = :event" : nil,
        ]
        return """
            (a.position IN (\(inEvents))
            OR a.audit_sequence IN (
                SELECT audit_sequence
                FROM mismatches
                WHERE \(inMismatches.compactMap { $0 }.joined(separator: " AND "))))
            """
    }

    /// A SELECT statement for the rows, in order.
    func statement(
        _ columns: String,
        after: Int64? = nil,
        limit: Int? = nil
    ) -> (sql: String, parameters: [String: SQLValue]) {
        var (terms, parameters) = conditions()
        if let after {
            terms.append("a.audit_sequence > :after")
            parameters["after"] = .integer(after)
        }
        var sql = "SELECT \(columns)\nFROM audit_trail AS a"
        if !terms.isEmpty { sql += "\nWHERE " + terms.joined(separator: "\n    AND ") }
        sql += "\nORDER BY a.audit_sequence"
        if let limit { sql += "\nLIMIT \(limit)" }
        return (sql, parameters)
    }
}

extension StoreListing {
    /// Rows of the audit trail, each with a summary of its details.
    package static func audit(_ filter: AuditFilter = AuditFilter()) -> StoreListing {
        let (sql, parameters) = filter.statement(
            """
            a.audit_sequence,
                strftime('%Y-%m-%dT%H:%M:%S', a.recorded_at / 1000000, 'unixepoch')
                    || printf('.%06dZ', a.recorded_at % 1000000) AS recorded_at,
                a.kind, a.actor, a.reason, a.position, a.conflict_id,
                CASE a.kind
                    WHEN 'resolution' THEN (
                        SELECT policy || ' ' || decision || coalesce(' ' || winner_origin, '')
                        FROM resolutions AS d WHERE d.audit_sequence = a.audit_sequence)
                    WHEN 'conflict' THEN (
                        SELECT kind || coalesce(' ' || origin, '')
                        FROM conflicts AS d WHERE d.audit_sequence = a.audit_sequence)
                    WHEN 'candidate' THEN (
                        SELECT origin
                        FROM conflict_candidates AS d WHERE d.audit_sequence = a.audit_sequence)
                    WHEN 'mismatch' THEN (
                        SELECT kind || coalesce(' ' || origin, '')
                        FROM mismatches AS d WHERE d.audit_sequence = a.audit_sequence)
                    WHEN 'quarantine' THEN (
                        SELECT origin || coalesce(' line ' || line, '')
                        FROM quarantine AS d WHERE d.audit_sequence = a.audit_sequence)
                    WHEN 'configuration' THEN (
                        SELECT 'version ' || version
                        FROM configurations AS d WHERE d.audit_sequence = a.audit_sequence)
                END AS summary,
                a.detail
            """
        )
        return StoreListing(sql: sql, parameters: parameters)
    }
}
