package import TallystickCore
package import TallystickSQLite

/// A row of `tree_heads`.
package struct StoredHead {
    /// 1-based, contiguous.
    package var number: Int64
    /// Microseconds since 1970.
    package var recordedAt: Int64
    package var head: TreeHead
    /// The sealed note, if the head was sealed.
    package var note: String?
    package var keyID: String?
    /// Of ``TreeHead/authenticatedText(number:recordedAt:)``, in hexadecimal.
    package var hmac: String?
}

/// Adds and reads rows of `tree_heads`.
package struct HeadRows {
    private let insert: Statement
    private let selectLast: Statement
    private let selectAfter: Statement
    private let selectSealed: Statement

    private static let columns = """
        head, recorded_at, events_size, events_root, copies_size, copies_root, audit_size, audit_root, note,
        key_id, hmac
        """

    /// Needs schema 3.
    package init(in connection: Connection) throws(SQLiteError) {
        insert = try connection.prepare(
            """
            INSERT INTO tree_heads (\(Self.columns))
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
            """
        )
        selectLast = try connection.prepare(
            "SELECT \(Self.columns) FROM tree_heads ORDER BY head DESC LIMIT 1"
        )
        selectAfter = try connection.prepare(
            "SELECT \(Self.columns) FROM tree_heads WHERE head > ?1 ORDER BY head LIMIT 1"
        )
        selectSealed = try connection.prepare(
            """
            SELECT \(Self.columns)
            FROM tree_heads
            WHERE note IS NOT NULL AND events_size >= ?1
            ORDER BY head DESC
            LIMIT 1
            """
        )
    }

    package func add(_ row: StoredHead) throws(SQLiteError) {
        try insert.bind(row.number, at: 1)
        try insert.bind(row.recordedAt, at: 2)
        for (index, log) in [row.head.events, row.head.copies, row.head.audit].enumerated() {
            try insert.bind(log.size, at: Int32(3 + 2 * index))
            try insert.bindText(log.root.hex, at: Int32(4 + 2 * index))
        }
        try insert.bindOptional(row.note, at: 9)
        try insert.bindOptional(row.keyID, at: 10)
        try insert.bindOptional(row.hmac, at: 11)
        try insert.run()
    }

    /// The newest head; nil when there is none.
    package func last(of storeID: String) throws(SQLiteError) -> StoredHead? {
        try selectLast.first { Self.read($0, storeID) }
    }

    /// The next head after a number.
    package func next(after number: Int64, of storeID: String) throws(SQLiteError) -> StoredHead? {
        try selectAfter.bind(number, at: 1)
        return try selectAfter.first { Self.read($0, storeID) }
    }

    /// The newest sealed head that covers at least that many events.
    package func newestSealed(covering events: Int64, of storeID: String) throws(SQLiteError)
        -> StoredHead?
    {
        try selectSealed.bind(events, at: 1)
        return try selectSealed.first { Self.read($0, storeID) }
    }

    private static func read(_ row: Statement, _ storeID: String) -> StoredHead {
        func log(_ column: Int32) -> TreeHead.Log {
            TreeHead.Log(
                size: row.int64(at: column),
                root: SHA256Digest(hex: row.text(at: column + 1)) ?? .zero
            )
        }
        return StoredHead(
            number: row.int64(at: 0),
            recordedAt: row.int64(at: 1),
            head: TreeHead(storeID: storeID, events: log(2), copies: log(4), audit: log(6)),
            note: row.textIfPresent(at: 8),
            keyID: row.textIfPresent(at: 9),
            hmac: row.textIfPresent(at: 10)
        )
    }
}
