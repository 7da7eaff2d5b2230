import TallystickCore
import TallystickSQLite

/// The two tables that enforce identity and revision.
enum IndexTable: String, CaseIterable, Sendable {
    case identities = "event_identities"
    case revisions = "stream_revisions"

    /// The key's columns, which are the same in `events`, the first of them of this type.
    var key: (first: String, second: String, type: ColumnType) {
        switch self {
        case .identities: ("event_id", "source_id", .text)
        case .revisions: ("stream_id", "revision", .integer)
        }
    }
}

/// Reads an index table in order of its key, chunk by chunk, and finds where it and `events` differ.
struct IndexRows {
    let table: IndexTable
    private let first: Statement
    private let rest: Statement
    private let unindexed: Statement
    private let missingEvent: Statement

    init(_ table: IndexTable, in connection: Connection) throws(SQLiteError) {
        self.table = table
        let (a, b) = (table.key.first, table.key.second)
        func scan(_ condition: String) throws(SQLiteError) -> Statement {
            try connection.prepare(
                """
                SELECT \(a), \(b), position, (SELECT coalesce(max(position), 0) FROM events)
                FROM \(table.rawValue)
                \(condition)
                ORDER BY \(a), \(b)
                LIMIT \(StrayRows.chunk)
                """
            )
        }
        first = try scan("")
        rest = try scan("WHERE (\(a), \(b)) > (?1, ?2)")
        unindexed = try connection.prepare(
            """
            SELECT e.position
            FROM events AS e
            WHERE e.position > ?1 AND e.position <= ?2 AND NOT EXISTS (
                SELECT 1 FROM \(table.rawValue) AS i
                WHERE i.\(a) = e.\(a) AND i.\(b) = e.\(b) AND i.position = e.position)
            LIMIT \(StrayRows.listed)
            """
        )
        missingEvent = try connection.prepare(
            """
            SELECT NOT EXISTS (
                SELECT 1 FROM events AS e WHERE e.position = ?3 AND e.\(a) = ?1 AND e.\(b) = ?2)
            """
        )
    }

    /// Calls `body` with the rows after a key, and the last position of `events` at that moment.
    ///
    /// - returns: the key of the last row; nil after the table's last row.
    func scan(
        after key: [SQLValue],
        _ body: (_ row: Statement, _ head: Int64) -> Void
    ) throws(SQLiteError) -> [SQLValue]? {
        let rows = key.count == 2 ? rest : first
        if key.count == 2 {
            try rows.bind(key[0], at: 1)
            try rows.bind(key[1], at: 2)
        }
        var last: [SQLValue]?
        var count = 0
        while try rows.step() {
            body(rows, rows.int64(at: 3))
            count += 1
            if count == StrayRows.chunk { last = [rows.value(at: 0), rows.value(at: 1)] }
        }
        try rows.reset()
        return last
    }

    /// Removes the row with a key.
    static func remove(
        _ row: [SQLValue],
        from table: IndexTable,
        in connection: Connection
    ) throws(SQLiteError) {
        let delete = try connection.cached(
            "DELETE FROM \(table.rawValue) WHERE \(table.key.first) IS ?1 AND \(table.key.second) IS ?2"
        )
        try delete.bind(row[0], at: 1)
        try delete.bind(row[1], at: 2)
        try delete.run()
    }

    /// Adds the row of an event.
    static func add(
        _ position: Int64,
        to table: IndexTable,
        in connection: Connection
    ) throws(SQLiteError) {
        let (a, b) = (table.key.first, table.key.second)
        let insert = try connection.cached(
            """
            INSERT INTO \(table.rawValue) (\(a), \(b), position)
            SELECT \(a), \(b), position FROM events WHERE position = ?1
            """
        )
        try insert.bind(position, at: 1)
        try insert.run()
    }

    /// Positions in a range whose event has no row here that fits it; at most `StrayRows.listed`.
    func unindexed(after first: Int64, through last: Int64) throws(SQLiteError) -> [Int64] {
        try unindexed.bind(first, at: 1)
        try unindexed.bind(last, at: 2)
        return try unindexed.all { $0.int64(at: 0) }
    }

    /// Whether no event fits a row: its key and position.
    func isStray(_ row: [SQLValue]) throws(SQLiteError) -> Bool {
        for (index, value) in row.enumerated() {
            try missingEvent.bind(value, at: Int32(index + 1))
        }
        return try missingEvent.optionalInt64() == 1
    }
}
