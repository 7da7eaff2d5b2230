import TallystickCore
import TallystickSQLite

/// The three Merkle logs. The raw values are part of the file format.
enum LogName: String, CaseIterable, Sendable {
    case events
    case copies
    case audit

    /// The table whose rows are the log's leaves, and the column that is the leaf's index plus one.
    var table: (name: String, key: String) {
        switch self {
        case .events: ("events", "position")
        case .copies: ("copies", "copy_id")
        case .audit: ("audit_trail", "audit_sequence")
        }
    }
}

/// Stores and reads tiles and tails of the Merkle logs.
struct MerkleRows {
    private let upsertTile: Statement
    private let selectTile: Statement
    private let insertTail: Statement
    private let deleteTail: Statement
    private let selectTail: Statement
    private let selectHead: [LogName: Statement]

    init(in connection: Connection) throws(SQLiteError) {
        upsertTile = try connection.prepare(
            """
            INSERT INTO merkle_tiles (log, level, tile, hashes)
            VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (log, level, tile) DO UPDATE SET hashes = excluded.hashes
            """
        )
        selectTile = try connection.prepare(
            """
            SELECT hashes
            FROM merkle_tiles
            WHERE log = ?1 AND level = ?2 AND tile = ?3
            """
        )
        insertTail = try connection.prepare(
            "INSERT INTO merkle_tail (log, leaf_index, hash) VALUES (?1, ?2, ?3)"
        )
        deleteTail = try connection.prepare("DELETE FROM merkle_tail WHERE log = ?1")
        selectTail = try connection.prepare(
            """
            SELECT leaf_index, hash
            FROM merkle_tail
            WHERE log = ?1
            ORDER BY leaf_index
            """
        )
        var selectHead: [LogName: Statement] = [:]
        for log in LogName.allCases {
            selectHead[log] = try connection.prepare(
                "SELECT coalesce(max(\(log.table.key)), 0) FROM \(log.table.name)"
            )
        }
        self.selectHead = selectHead
    }

    /// How many leaves a log has by its table.
    func size(of log: LogName) throws(SQLiteError) -> Int64 {
        try selectHead[log]?.optionalInt64() ?? 0
    }
}
