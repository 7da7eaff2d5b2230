import TallystickCore
package import TallystickSQLite

/// Adds and reads rows of `tally_times`: which positions can have events of a span of time.
package struct EventTimeRows {
    /// Positions of a row.
    private static let rowPositions: Int64 = 10_000

    private let events: Statement
    private let newest: Statement
    private let upsert: Statement
    private let overlapping: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        events = try connection.prepare(
            """
            SELECT time
            FROM events
            WHERE position >= ?1 AND position <= ?2 AND time IS NOT NULL
            """
        )
        newest = try connection.prepare(
            """
            SELECT first_position, last_position, earliest, latest
            FROM tally_times
            ORDER BY first_position DESC
            LIMIT 1
            """
        )
        upsert = try connection.prepare(
            """
            INSERT OR REPLACE INTO tally_times (first_position, last_position, earliest, latest)
            VALUES (?1, ?2, ?3, ?4)
            """
        )
        overlapping = try connection.prepare(
            """
            SELECT first_position, last_position
            FROM tally_times
            WHERE first_position > ?1 AND earliest <= ?3 AND latest >= ?2
            ORDER BY first_position
            LIMIT 1
            """
        )
    }

    /// Takes in the events of the next positions up to `head`; false when none are left.
    package func extend(through head: Int64) throws(SQLiteError) -> Bool {
        let last = try newest.first { row in
            (
                first: row.int64(at: 0), last: row.int64(at: 1),
                earliest: row.int64IfPresent(at: 2), latest: row.int64IfPresent(at: 3)
            )
        }
        let next = (last?.last ?? 0) + 1
        guard next <= head else { return false }
        var first = next
        var (earliest, latest): (Int64?, Int64?) = (nil, nil)
        if let last, next - last.first < Self.rowPositions {
            (first, earliest, latest) = (last.first, last.earliest, last.latest)
        }
        let end = min(head, first + Self.rowPositions - 1)
        try events.bind(next, at: 1)
        try events.bind(end, at: 2)
        while try events.step() {
            guard let time = events.withBytes(at: 0, { RFC3339.microseconds($0) }) else { continue }
            earliest = min(earliest ?? time, time)
            latest = max(latest ?? time, time)
        }
        try events.reset()
        try upsert.bind(first, at: 1)
        try upsert.bind(end, at: 2)
        try upsert.bindOptional(earliest, at: 3)
        try upsert.bindOptional(latest, at: 4)
        try upsert.run()
        return true
    }

    /// The first range of positions that begins after a position and can have events of a span.
    package func positions(
        after position: Int64,
        overlapping span: ClosedRange<Int64>
    ) throws(SQLiteError) -> ClosedRange<Int64>? {
        try overlapping.bind(position, at: 1)
        try overlapping.bind(span.lowerBound, at: 2)
        try overlapping.bind(span.upperBound, at: 3)
        return try overlapping.first { $0.int64(at: 0)...max($0.int64(at: 0), $0.int64(at: 1)) }
    }
}
