import TallystickCore
package import TallystickSQLite

/// Finds rows of logs, tiles, index tables and detail tables that correspond to nothing.
package struct StrayRows {
    /// Maximum number of listed rows of one kind.
    package static let listed = 100
    /// Rows per read.
    package static let chunk = 10_000

    private let connection: Connection

    package init(in connection: Connection) { self.connection = connection }

    /// Keys of a log's table that no leaf can have.
    package func keys(of log: MerkleLogName, outside size: Int64) throws(SQLiteError) -> [Int64] {
        let rows = try connection.cached(
            """
            SELECT \(log.table.key)
            FROM \(log.table.name)
            WHERE \(log.table.key) < 1 OR \(log.table.key) > ?1
            LIMIT \(Self.listed)
            """
        )
        try rows.bind(size, at: 1)
        return try rows.all { $0.int64(at: 0) }
    }

    /// Tail rows of logs that do not exist.
    package func tailRows() throws(SQLiteError) -> [String] {
        let known = MerkleLogName.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        let rows = try connection.cached(
            """
            SELECT log, leaf_index
            FROM merkle_tail
            WHERE log NOT IN (\(known))
            LIMIT \(Self.listed)
            """
        )
        return try rows.all { "\($0.text(at: 0))/\($0.int64(at: 1))" }
    }

    /// A place of `merkle_tiles`.
    package struct TilePlace {
        package var rowID: Int64
        /// nil for a log that does not exist.
        package var log: MerkleLogName?
        package var name: String
        package var level: Int64
        package var tile: Int64
    }

    /// The places of tiles from a rowid onwards, and the number of rows that each log has at this moment.
    package func tiles(
        from rowID: Int64
    ) throws(SQLiteError) -> (places: [TilePlace], sizes: [MerkleLogName: Int64]) {
        let merkle = try MerkleRows(in: connection)
        var sizes: [MerkleLogName: Int64] = [:]
        for log in MerkleLogName.allCases { sizes[log] = try merkle.size(of: log) }
        let rows = try connection.cached(
            """
            SELECT rowid, log, level, tile
            FROM merkle_tiles
            WHERE rowid >= ?1
            ORDER BY rowid
            LIMIT \(Self.chunk)
            """
        )
        try rows.bind(rowID, at: 1)
        let places = try rows.all { row in
            let isTyped =
                row.columnType(at: 1) == .text && row.columnType(at: 2) == .integer
                && row.columnType(at: 3) == .integer
            return TilePlace(
                rowID: row.int64(at: 0),
                log: isTyped ? MerkleLogName(rawValue: row.text(at: 1)) : nil,
                name: row.text(at: 1),
                level: row.int64(at: 2),
                tile: row.int64(at: 3)
            )
        }
        return (places, sizes)
    }

    /// Keys of a detail table from `key` onwards, each with whether the audit row that it names exists.
    package func details(
        of table: DetailTable,
        from key: Int64
    ) throws(SQLiteError) -> [(key: Int64, isCovered: Bool)] {
        let rows = try connection.cached(
            """
            SELECT \(table.primaryKey), EXISTS (
                SELECT 1 FROM audit_trail AS a WHERE a.audit_sequence = d.audit_sequence)
            FROM \(table.name) AS d
            WHERE \(table.primaryKey) >= ?1
            ORDER BY \(table.primaryKey)
            LIMIT \(Self.chunk)
            """
        )
        try rows.bind(key, at: 1)
        return try rows.all { ($0.int64(at: 0), $0.int64(at: 1) != 0) }
    }

    /// Names of a dictionary from an id onwards, each with whether it is text.
    package func names(
        of dictionary: NameDictionary,
        from id: Int64
    ) throws(SQLiteError) -> [(id: Int64, isText: Bool)] {
        let rows = try connection.cached(
            """
            SELECT \(dictionary.idColumn), typeof(name) = 'text'
            FROM \(dictionary.table)
            WHERE \(dictionary.idColumn) >= ?1
            ORDER BY \(dictionary.idColumn)
            LIMIT \(Self.chunk)
            """
        )
        try rows.bind(id, at: 1)
        return try rows.all { ($0.int64(at: 0), $0.int64(at: 1) != 0) }
    }

    /// The largest key of a table; 0 if it is empty.
    package func last(_ key: String, of table: String) throws(SQLiteError) -> Int64 {
        try connection.cached("SELECT coalesce(max(\(key)), 0) FROM \(table)").optionalInt64() ?? 0
    }
}
