import TallystickSQLite

/// Lists that commands print: SELECT statements over the views and tables.
package struct StoreListing: Sendable {
    let sql: String
    let parameters: [String: SQLValue]

    /// The subject of a conflict, in one row; no row if the conflict does not exist. For conflicts without candidates:
    /// `since` is the time from which an origin has been silent, `first`, `last` and `next_position` are the numbers
    /// that a source left out and the event after them, `other_position` is the event with the same number.
    package static func conflict(_ conflictID: Int64) -> StoreListing {
        let details = ["since", "first", "last", "next_position", "other_position"].map {
            "CASE WHEN json_valid(c.detail) THEN c.detail ->> '\($0)' END AS \"\($0)\""
        }
        return StoreListing(
            sql: """
                SELECT c.conflict_id, s.state, c.kind, c.severity, c.category, c.position, c.source, c.event_id, c.origin,
                    strftime('%Y-%m-%dT%H:%M:%S', c.opened_at / 1000000, 'unixepoch')
                        || printf('.%06dZ', c.opened_at % 1000000) AS opened_at,
                    \(details.joined(separator: ",\n    ")), s.resolution_id
                FROM conflicts AS c
                LEFT JOIN conflict_states AS s ON s.conflict_id = c.conflict_id
                WHERE c.conflict_id = :conflict
                """,
            parameters: ["conflict": .integer(conflictID)]
        )
    }

    /// The candidates of a conflict, and the origins that delivered them. `missing_origin` is the origin that lacks
    /// the event.
    package static func candidates(of conflictID: Int64) -> StoreListing {
        StoreListing(
            sql: """
                SELECT k.candidate, k.origin,
                    CASE WHEN f.kind = 'missing_at_origin' THEN f.origin END AS missing_origin,
                    k.copy_id, k.content_sha256, k.differs_in, c.content,
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

    /// All origins, by name, each with what is stated about its completeness.
    package static let origins = StoreListing(sql: CoverageRows.listing, parameters: [:])

    /// All inputs in quarantine, in order of arrival, without their bytes.
    package static let quarantine = StoreListing(
        sql: """
            SELECT q.quarantine_id, s.state, q.origin, q.code, q.message, q.path, q.line, q.column_number, q.byte_offset,
                q.length, q.sha256,
                strftime('%Y-%m-%dT%H:%M:%S', a.recorded_at / 1000000, 'unixepoch') || 'Z' AS recorded_at
            FROM quarantine AS q
            JOIN audit_trail AS a ON a.audit_sequence = q.audit_sequence
            LEFT JOIN quarantine_states AS s ON s.quarantine_id = q.quarantine_id
            ORDER BY q.quarantine_id
            """,
        parameters: [:]
    )

    /// One input in quarantine, by its id, with its bytes as text; no row if the id is unknown.
    package static func quarantined(_ id: Int64) -> StoreListing {
        StoreListing(
            sql: """
                SELECT q.quarantine_id, s.state, q.origin, q.code, q.message, q.path, q.line, q.column_number,
                    q.byte_offset, q.length, q.sha256, CAST(q.content AS TEXT) AS text
                FROM quarantine AS q
                LEFT JOIN quarantine_states AS s ON s.quarantine_id = q.quarantine_id
                WHERE q.quarantine_id = :id
                """,
            parameters: ["id": .integer(id)]
        )
    }

    /// The progress of each replay, sorted by name.
    package static let replays = StoreListing(
        sql: "SELECT * FROM replay_status ORDER BY replay",
        parameters: [:]
    )

    /// The progress of one replay, by its name; no row if the name is unknown.
    package static func replay(_ name: String) -> StoreListing {
        StoreListing(
            sql: "SELECT * FROM replay_status WHERE replay = :replay",
            parameters: ["replay": .text(name)]
        )
    }

    /// The versions of the settings, oldest first.
    package static let configurations = StoreListing(
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
    /// Passes on the rows of a list.
    package func list(
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

    /// The columns and rows of a short list.
    package func rows(
        _ listing: StoreListing
    ) async throws(StoreError) -> (columns: [String], rows: [[SQLValue]]) {
        let collected = CollectedRows()
        try await list(
            listing,
            onColumns: { collected.setColumns($0) },
            onRow: {
                collected.add($0)
                return true
            }
        )
        return collected.value
    }
}

/// The rows of a short list, which another thread hands over.
private final class CollectedRows: Sendable {
    private let state = POSIXMutex<(columns: [String], rows: [[SQLValue]])>(([], []))

    func setColumns(_ columns: [String]) { state.withLock { $0.columns = columns } }
    func add(_ row: [SQLValue]) { state.withLock { $0.rows.append(row) } }
    var value: (columns: [String], rows: [[SQLValue]]) { state.withLock { $0 } }
}
