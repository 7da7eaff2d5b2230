/// Lists that commands print: reading statements over the views and tables.
public struct StoreListing: Sendable {
    let sql: String
    let parameters: [String: SQLValue]

    /// The candidates of a conflict: who delivered what.
    public static func candidates(of conflictID: Int64) -> StoreListing {
        StoreListing(
            sql: """
                SELECT k.candidate, k.origin, k.copy_id, k.content_sha256, k.differs_in, c.content,
                    e.position, e.event_id
                FROM conflict_candidates AS k
                JOIN conflicts AS f ON f.conflict_id = k.conflict_id
                LEFT JOIN copies AS c ON c.copy_id = k.copy_id
                LEFT JOIN events AS e ON e.position = f.position
                WHERE k.conflict_id = :conflict
                ORDER BY k.candidate
                """,
            parameters: ["conflict": .integer(conflictID)]
        )
    }

    public static let quarantine = StoreListing(
        sql: """
            SELECT q.quarantine_id, s.state, q.origin, q.code, q.message, q.line, q.column_number, q.byte_offset,
                q.length, q.sha256,
                strftime('%Y-%m-%dT%H:%M:%S', a.recorded_at / 1000000, 'unixepoch') || 'Z' AS recorded_at
            FROM quarantine AS q
            JOIN audit_trail AS a ON a.audit_sequence = q.audit_sequence
            LEFT JOIN quarantine_states AS s ON s.quarantine_id = q.quarantine_id
            ORDER BY q.quarantine_id
            """,
        parameters: [:]
    )

    public static func quarantined(_ id: Int64) -> StoreListing {
        StoreListing(
            sql: """
                SELECT q.quarantine_id, s.state, q.origin, q.code, q.message, q.line, q.column_number,
                    q.byte_offset, q.length, q.sha256, CAST(q.content AS TEXT) AS text
                FROM quarantine AS q
                LEFT JOIN quarantine_states AS s ON s.quarantine_id = q.quarantine_id
                WHERE q.quarantine_id = :id
                """,
            parameters: ["id": .integer(id)]
        )
    }

    public static let audit = StoreListing(
        sql: """
            SELECT audit_sequence,
                strftime('%Y-%m-%dT%H:%M:%S', recorded_at / 1000000, 'unixepoch') || 'Z' AS recorded_at,
                kind, actor, reason, position, conflict_id, detail
            FROM audit_trail
            ORDER BY audit_sequence
            """,
        parameters: [:]
    )

    public static func auditRow(_ sequence: Int64) -> StoreListing {
        StoreListing(
            sql: """
                SELECT a.audit_sequence, a.kind, a.actor, a.reason, a.position, a.conflict_id, a.detail,
                    r.resolution_id, r.policy, r.decision, r.winner_origin, r.checksum_before, r.checksum_after,
                    m.kind AS mismatch, m.expected, m.actual, m.differs_in
                FROM audit_trail AS a
                LEFT JOIN resolutions AS r ON r.audit_sequence = a.audit_sequence
                LEFT JOIN mismatches AS m ON m.audit_sequence = a.audit_sequence
                WHERE a.audit_sequence = :sequence
                """,
            parameters: ["sequence": .integer(sequence)]
        )
    }

    public static let replays = StoreListing(
        sql: "SELECT * FROM replay_status ORDER BY replay",
        parameters: [:]
    )

    public static func replay(_ name: String) -> StoreListing {
        StoreListing(
            sql: "SELECT * FROM replay_status WHERE replay = :replay",
            parameters: ["replay": .text(name)]
        )
    }

    public static func parked(_ replay: String) -> StoreListing {
        StoreListing(
            sql: """
                SELECT p.position, l.source, l.event_id, l.stream, l.type, p.error, p.attempts
                FROM parked_events AS p
                JOIN event_log AS l ON l.position = p.position
                WHERE p.replay = :replay
                ORDER BY p.position
                """,
            parameters: ["replay": .text(replay)]
        )
    }

    /// The versions of the settings, the oldest first.
    public static let configurations = StoreListing(
        sql: """
            SELECT c.version,
                strftime('%Y-%m-%dT%H:%M:%S', a.recorded_at / 1000000, 'unixepoch')
                    || printf('.%06dZ', a.recorded_at % 1000000) AS recorded_at,
                a.actor, a.reason, c.content_sha256, c.audit_sequence
            FROM configurations AS c
            JOIN audit_trail AS a ON a.audit_sequence = c.audit_sequence
            ORDER BY c.version
            """,
        parameters: [:]
    )

    /// Filters of a reading of events.
    public struct Reading: Sendable {
        public var asRecorded = false
        public var stream: String?
        public var type: String?
        public var category: String?
        /// Positions or RFC 3339 times.
        public var afterPosition: Int64?
        public var beforePosition: Int64?
        public var afterTime: String?
        public var beforeTime: String?
        public var backwards = false
        public var limit: Int64?

        public init() {}
    }

    /// Events by stream, type, category, position and time, in either direction.
    public static func events(_ reading: Reading) -> StoreListing {
        var terms: [String] = []
        var parameters: [String: SQLValue] = [:]
        func add(_ term: String, _ name: String, _ value: SQLValue?) {
            guard let value else { return }
            terms.append(term)
            parameters[name] = value
        }
        add("stream = :stream", "stream", reading.stream.map { .text($0) })
        add("type = :type", "type", reading.type.map { .text($0) })
        add("category = :category", "category", reading.category.map { .text($0) })
        add("position > :after", "after", reading.afterPosition.map { .integer($0) })
        add("position < :before", "before", reading.beforePosition.map { .integer($0) })
        add(
            "julianday(time) > julianday(:after_time)",
            "after_time",
            reading.afterTime.map { .text($0) }
        )
        add(
            "julianday(time) < julianday(:before_time)",
            "before_time",
            reading.beforeTime.map { .text($0) }
        )
        let order = reading.stream == nil ? "position" : "revision"
        var sql = "SELECT * FROM \(reading.asRecorded ? "event_log" : "effective_events")"
        if !terms.isEmpty { sql += "\nWHERE " + terms.joined(separator: "\n    AND ") }
        sql += "\nORDER BY \(order)\(reading.backwards ? " DESC" : "")"
        if let limit = reading.limit { sql += "\nLIMIT \(limit)" }
        return StoreListing(sql: sql, parameters: parameters)
    }
}

extension EventStore {
    /// Hands over the rows of a list.
    public func list(
        _ listing: StoreListing,
        onColumns: @escaping @Sendable ([String]) throws -> Void = { _ in },
        onRow: @escaping @Sendable ([SQLValue]) throws -> Bool
    ) async throws(StoreError) {
        var limits = QueryLimits()
        limits.duration = .seconds(86_400)
        try await query(
            listing.sql,
            parameters: listing.parameters,
            limits: limits,
            onColumns: onColumns,
            onRow: onRow
        )
    }
}
