import TallystickCore
package import TallystickSQLite

/// The two tables that enforce identity and revision.
package enum IndexTable: String, CaseIterable, Sendable {
    case identities = "event_identities"
    case revisions = "stream_revisions"

    /// The key's columns, which have the same names in `events`; the first one has this type.
    package var key: (first: String, second: String, type: ColumnType) {
        switch self {
        case .identities: ("event_id", "source_id", .text)
        case .revisions: ("stream_id", "revision", .integer)
        }
    }
}

/// Finds differences between an index table and `events`.
package struct IndexRows {
    package let table: IndexTable
    private let scan: IndexScan
    private let outside: Statement?
    private let unindexed: Statement
    private let missingEvent: Statement

    package init(_ table: IndexTable, in connection: Connection) throws(SQLiteError) {
        self.table = table
        let (a, b) = (table.key.first, table.key.second)
        let hasSegments = try IdentityIndex.isSegmented(in: connection)
        let isSegmented = table == .identities && hasSegments
        scan = try IndexScan(table, isSegmented: isSegmented, in: connection)
        outside =
            isSegmented
            ? try connection.prepare(
                """
                SELECT \(a), \(b), position, segment
                FROM \(table.rawValue)
                WHERE segment < 0 OR segment > ?1
                LIMIT \(StrayRows.listed)
                """
            ) : nil
        func segment(_ column: String) -> String {
            isSegmented ? "AND \(column) = \(IdentityIndex.segment("e.position"))" : ""
        }
        unindexed = try connection.prepare(
            """
            SELECT e.position
            FROM events AS e
            WHERE e.position > ?1 AND e.position <= ?2 AND NOT EXISTS (
                SELECT 1 FROM \(table.rawValue) AS i
                WHERE i.\(a) = e.\(a) AND i.\(b) = e.\(b) AND i.position = e.position
                    \(segment("i.segment")))
            LIMIT \(StrayRows.listed)
            """
        )
        missingEvent = try connection.prepare(
            """
            SELECT NOT EXISTS (
                SELECT 1 FROM events AS e
                WHERE e.position = ?3 AND e.\(a) = ?1 AND e.\(b) = ?2 \(segment("?4")))
            """
        )
    }

    /// A row, with its segment if the table has segments.
    package static func values(_ row: Statement) -> [SQLValue] {
        let count: Int32 = row.isNull(at: 3) ? 3 : 4
        return (0..<count).map { row.value(at: $0) }
    }

    /// Reads the rows after a key; see `IndexScan`.
    package func scan(
        after key: [SQLValue],
        _ body: (_ row: Statement, _ head: Int64, _ isRepeated: Bool) -> Void
    ) throws(SQLiteError) -> [SQLValue]? {
        try scan.scan(after: key, body)
    }

    /// Rows in segments without positions; at most `StrayRows.listed`.
    ///
    /// - parameter last: the last segment that has positions.
    package func outside(through last: Int64) throws(SQLiteError) -> [[SQLValue]] {
        guard let outside else { return [] }
        try outside.bind(last, at: 1)
        return try outside.all { Self.values($0) }
    }

    /// Removes a row.
    package static func remove(
        _ row: [SQLValue],
        from table: IndexTable,
        in connection: Connection
    ) throws(SQLiteError) {
        let delete = try connection.cached(
            """
            DELETE FROM \(table.rawValue)
            WHERE \(table.key.first) IS ?1 AND \(table.key.second) IS ?2
                \(table == .identities ? "AND segment IS ?3" : "")
            """
        )
        try delete.bind(row[0], at: 1)
        try delete.bind(row[1], at: 2)
        if table == .identities { try delete.bind(row[3], at: 3) }
        try delete.run()
    }

    /// Adds the row of an event.
    package static func add(
        _ position: Int64,
        to table: IndexTable,
        in connection: Connection
    ) throws(SQLiteError) {
        let (a, b) = (table.key.first, table.key.second)
        let isSegmented = table == .identities
        let insert = try connection.cached(
            """
            INSERT INTO \(table.rawValue) (\(a), \(b), position\(isSegmented ? ", segment" : ""))
            SELECT \(a), \(b), position\(isSegmented ? ", \(IdentityIndex.segment("position"))" : "")
            FROM events
            WHERE position = ?1
            """
        )
        try insert.bind(position, at: 1)
        try insert.run()
    }

    /// Positions in a range whose event has no matching row here; at most `StrayRows.listed`.
    package func unindexed(after first: Int64, through last: Int64) throws(SQLiteError) -> [Int64] {
        try unindexed.bind(first, at: 1)
        try unindexed.bind(last, at: 2)
        return try unindexed.all { $0.int64(at: 0) }
    }

    /// Whether no event matches a row's key and position.
    package func isStray(_ row: [SQLValue]) throws(SQLiteError) -> Bool {
        for (index, value) in row.enumerated() {
            try missingEvent.bind(value, at: Int32(index + 1))
        }
        return try missingEvent.optionalInt64() == 1
    }
}
