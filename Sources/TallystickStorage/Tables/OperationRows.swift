package import TallystickSQLite

/// Reads how reconciliation runs went, and how long after each other origins deliver.
package struct OperationRows {
    /// The schema that introduced reconciliation: its runs, and breakers.
    package static let firstSchema = 2

    private let connection: Connection

    package init(in connection: Connection) { self.connection = connection }

    /// A sum over so many observations.
    package struct Summary: Sendable, Equatable {
        package var count: Int64
        package var sum: Double
    }

    /// All runs that were not dry.
    package struct Runs: Sendable {
        package var byState: [(state: String, count: Int64)]
        package var compared: Int64
        package var found: Int64
        package var resolved: Int64
        /// Of the last run.
        package var deferred: Int64
        /// Seconds from the beginning to the end of runs that have ended.
        package var durations: Summary
    }

    package func runs() throws(SQLiteError) -> Runs {
        let states = try connection.cached(
            """
            SELECT state, count(*)
            FROM reconciliations
            WHERE NOT dry_run
            GROUP BY state
            ORDER BY state
            """
        )
        let byState = try states.all { (state: $0.text(at: 0), count: $0.int64(at: 1)) }
        let totals = try connection.cached(
            """
            SELECT coalesce(sum(compared), 0), coalesce(sum(found), 0), coalesce(sum(resolved), 0),
                coalesce((SELECT deferred FROM reconciliations WHERE NOT dry_run ORDER BY run DESC LIMIT 1), 0),
                coalesce(sum(state IN ('completed', 'failed', 'cancelled')), 0),
                total(CASE WHEN state IN ('completed', 'failed', 'cancelled')
                    THEN (updated_at - started_at) / 1000000.0 END)
            FROM reconciliations
            WHERE NOT dry_run
            """
        )
        let read = try totals.first { row in
            Runs(
                byState: byState,
                compared: row.int64(at: 0),
                found: row.int64(at: 1),
                resolved: row.int64(at: 2),
                deferred: row.int64(at: 3),
                durations: Summary(count: row.int64(at: 4), sum: row.double(at: 5))
            )
        }
        return read
            ?? Runs(
                byState: [],
                compared: 0,
                found: 0,
                resolved: 0,
                deferred: 0,
                durations: Summary(count: 0, sum: 0)
            )
    }

    /// For each origin, the seconds from an event's first copy to the origin's, over the copies from one on.
    ///
    /// - parameters:
    ///   - copyID: the first copy to look at.
    ///   - start: copies recorded before do not count; microseconds since 1970.
    package func delays(
        from copyID: Int64,
        since start: Int64
    ) throws(SQLiteError) -> [(origin: String, delays: Summary)] {
        let rows = try connection.cached(
            """
            SELECT o.name, count(*), total(c.recorded_at - e.recorded_at) / 1000000.0
            FROM copies AS c
            JOIN events AS e ON e.position = c.position
            JOIN origins AS o ON o.origin_id = c.origin_id
            WHERE c.copy_id >= ?1 AND c.recorded_at >= ?2
            GROUP BY c.origin_id
            ORDER BY o.name
            """
        )
        try rows.bind(copyID, at: 1)
        try rows.bind(start, at: 2)
        return try rows.all { row in
            (row.text(at: 0), Summary(count: row.int64(at: 1), sum: row.double(at: 2)))
        }
    }
}
