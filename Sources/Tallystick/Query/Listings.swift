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
