package import TallystickCore
package import TallystickSQLite

/// The three Merkle logs. The raw values are part of the file format.
package enum MerkleLogName: String, CaseIterable, Sendable {
    case events
    case copies
    case audit

    /// The table whose rows are the log's leaves, and the column that is the leaf's index plus one.
    package var table: (name: String, key: String) {
        switch self {
        case .events: ("events", "position")
        case .copies: ("copies", "copy_id")
        case .audit: ("audit_trail", "audit_sequence")
        }
    }
}

/// Stores and reads tiles and tails of the Merkle logs.
package struct MerkleRows {
    private let upsertTile: Statement
    private let selectTile: Statement
    private let insertTail: Statement
    private let deleteTail: Statement
    private let selectTail: Statement
    private let countTiles: Statement
    private let selectHead: [MerkleLogName: Statement]

    package init(in connection: Connection) throws(SQLiteError) {
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
        countTiles = try connection.prepare(
            "SELECT count(*) FROM merkle_tiles WHERE log = ?1 AND level = 0"
        )
        var selectHead: [MerkleLogName: Statement] = [:]
        for log in MerkleLogName.allCases {
            selectHead[log] = try connection.prepare(
                "SELECT coalesce(max(\(log.table.key)), 0) FROM \(log.table.name)"
            )
        }
        self.selectHead = selectHead
    }

    /// The number of leaves of a log, according to its table.
    package func size(of log: MerkleLogName) throws(SQLiteError) -> Int64 {
        try selectHead[log]?.optionalInt64() ?? 0
    }

    /// How many complete tiles of leaf hashes are stored.
    package func completeTiles(of log: MerkleLogName) throws(SQLiteError) -> Int64 {
        try countTiles.bindText(log.rawValue, at: 1)
        return try countTiles.optionalInt64() ?? 0
    }

    /// A log as it is stored.
    ///
    /// - parameter size: the number of leaves, if known; otherwise it is taken from the log's table.
    /// - returns: nil if tiles or tail do not match the log's table.
    package func log(_ name: MerkleLogName, size: Int64? = nil) throws(SQLiteError) -> MerkleLog? {
        let size = if let size { size } else { try self.size(of: name) }
        var incomplete: [[SHA256Digest]] = [try tail(of: name).map(\.hash)]
        var hashes = size / Int64(MerkleLog.tileWidth)
        var level = 1
        while hashes > 0 {
            let rest = Int(hashes % Int64(MerkleLog.tileWidth))
            let tile = hashes / Int64(MerkleLog.tileWidth)
            incomplete.append(
                rest == 0 ? [] : try self.tile(of: name, level: level, index: tile) ?? []
            )
            hashes = tile
            level += 1
        }
        return MerkleLog(size: size, incomplete: incomplete)
    }

    /// The hashes of a stored tile; nil if there is none, or it is not a BLOB of whole hashes.
    package func tile(of log: MerkleLogName, level: Int, index: Int64) throws(SQLiteError)
        -> [SHA256Digest]?
    {
        try selectTile.bindText(log.rawValue, at: 1)
        try selectTile.bind(Int64(level), at: 2)
        try selectTile.bind(index, at: 3)
        return try selectTile.first { row in
            row.columnType(at: 0) == .blob ? row.withBytes(at: 0, Self.hashes) : nil
        } ?? nil
    }

    private static func hashes(_ bytes: UnsafeRawBufferPointer) -> [SHA256Digest]? {
        guard bytes.count % SHA256Digest.byteCount == 0 else { return nil }
        return stride(from: 0, to: bytes.count, by: SHA256Digest.byteCount).map { start in
            SHA256Digest(
                bytes: UnsafeRawBufferPointer(
                    rebasing: bytes[start..<start + SHA256Digest.byteCount]
                )
            ) ?? .zero
        }
    }

    /// The stored leaf hashes after the last complete tile.
    package func tail(of log: MerkleLogName) throws(SQLiteError) -> [(
        index: Int64, hash: SHA256Digest
    )] {
        try selectTail.bindText(log.rawValue, at: 1)
        var tail: [(index: Int64, hash: SHA256Digest)] = []
        while try selectTail.step() {
            let isBlob = selectTail.columnType(at: 1) == .blob
            let hash = isBlob ? selectTail.withBytes(at: 1) { SHA256Digest(bytes: $0) } : nil
            // A search for 14 also finds 14.0, which no release wrote.
            let index = selectTail.columnType(at: 0) == .integer ? selectTail.int64(at: 0) : -1
            tail.append((index, hash ?? .zero))
        }
        try selectTail.reset()
        return tail
    }

    /// Removes a tile that should not be there.
    package func removeTile(
        _ tile: MerkleLog.Tile,
        of log: MerkleLogName,
        in connection: Connection
    ) throws(SQLiteError) {
        let delete = try connection.cached(
            "DELETE FROM merkle_tiles WHERE log = ?1 AND level = ?2 AND tile = ?3"
        )
        try delete.bindText(log.rawValue, at: 1)
        try delete.bind(Int64(tile.level), at: 2)
        try delete.bind(tile.index, at: 3)
        try delete.run()
    }

    /// Stores the changes of an append.
    package func store(_ changes: MerkleLog.Changes, in log: MerkleLogName) throws(SQLiteError) {
        for tile in changes.tiles {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(tile.hashes.count * SHA256Digest.byteCount)
            for hash in tile.hashes { hash.withUnsafeBytes { bytes.append(contentsOf: $0) } }
            try upsertTile.bindText(log.rawValue, at: 1)
            try upsertTile.bind(Int64(tile.level), at: 2)
            try upsertTile.bind(tile.index, at: 3)
            try upsertTile.bindBlob(bytes, at: 4)
            try upsertTile.run()
        }
        if changes.emptiesTail {
            try deleteTail.bindText(log.rawValue, at: 1)
            try deleteTail.run()
        }
        guard !changes.newTail.isEmpty else { return }
        try insertTail.bindText(log.rawValue, at: 1)
        for (index, hash) in changes.newTail.enumerated() {
            try insertTail.bind(changes.newTailStart + Int64(index), at: 2)
            try insertTail.bindBlob(hash.bytes, at: 3)
            try insertTail.run()
        }
    }
}
