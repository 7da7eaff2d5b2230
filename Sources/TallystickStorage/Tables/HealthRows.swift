package import TallystickSQLite

/// Reads what the health of a store depends on, besides rates and breakers.
package struct HealthRows {
    private let parked: Statement
    private let oldest: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        parked = try connection.prepare(
            "SELECT replay, parked FROM replays WHERE parked > 0 ORDER BY replay"
        )
        oldest = try connection.prepare(
            """
            SELECT c.conflict_id, c.opened_at
            FROM conflict_states AS s
            JOIN conflicts AS c ON c.conflict_id = s.conflict_id
            WHERE s.state = 'open'
            ORDER BY c.opened_at, c.conflict_id
            LIMIT 1
            """
        )
    }

    /// What was found.
    package struct Rows: Sendable {
        /// Replays with the number of events that they have set aside.
        package var parked: [(replay: String, parked: Int64)]
        /// The conflict that has been open longest.
        package var oldest: (conflictID: Int64, seconds: Int64)?
    }

    /// - parameter now: microseconds since 1970.
    package func read(now: Int64) throws(SQLiteError) -> Rows {
        Rows(
            parked: try parked.all { ($0.text(at: 0), $0.int64(at: 1)) },
            oldest: try oldest.first { row in
                let age = now.subtractingReportingOverflow(row.int64(at: 1)).partialValue
                return (row.int64(at: 0), age / 1_000_000)
            }
        )
    }
}
