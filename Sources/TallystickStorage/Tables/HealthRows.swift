package import TallystickSQLite

/// Reads what the health of a store depends on, besides rates and breakers.
package struct HealthRows {
    private let connection: Connection

    package init(in connection: Connection) { self.connection = connection }

    /// Replays with the number of events that they have set aside.
    package func parked() throws(SQLiteError) -> [(replay: String, parked: Int64)] {
        try connection.cached("SELECT replay, parked FROM replays WHERE parked > 0 ORDER BY replay")
            .all { ($0.text(at: 0), $0.int64(at: 1)) }
    }

    /// The conflict that has been open longest, and since when: microseconds since 1970.
    package func oldestConflict() throws(SQLiteError) -> (conflictID: Int64, openedAt: Int64)? {
        try connection.cached(
            """
            SELECT c.conflict_id, c.opened_at
            FROM conflict_states AS s
            JOIN conflicts AS c ON c.conflict_id = s.conflict_id
            WHERE s.state = 'open'
            ORDER BY c.opened_at, c.conflict_id
            LIMIT 1
            """
        ).first { ($0.int64(at: 0), $0.int64(at: 1)) }
    }
}
