package import TallystickCore
package import TallystickSQLite

/// The progress of a replay, stored in the same transaction and file as the projection's writes.
package struct Checkpoint: Equatable {
    package var storeID: String
    package var version: Int64
    package var definition: String
    package var position: Int64 = 0
    package var watermark: Int64 = 0
    package var root = MerkleHash.emptyRoot
    package var digest = ReplayDigest()
    package var appliedDigest = ReplayDigest()
}

extension Checkpoint {
    /// Before the first event.
    package init(_ definition: ReplayDefinition, storeID: String) {
        self.init(
            storeID: storeID,
            version: definition.version,
            definition: definition.digest.hex
        )
    }
}

/// Reads and writes rows of `replay_checkpoints` in the file of the projection.
package struct CheckpointRows {
    /// For files that are not stores.
    package static let table = """
        CREATE TABLE IF NOT EXISTS replay_checkpoints (
            replay TEXT PRIMARY KEY,
            store_id TEXT NOT NULL,
            projection_version INTEGER NOT NULL,
            definition_sha256 TEXT NOT NULL,
            position INTEGER NOT NULL,
            resolution_watermark INTEGER NOT NULL,
            root TEXT NOT NULL,
            digest TEXT NOT NULL,
            digest_state BLOB NOT NULL,
            applied_digest TEXT NOT NULL,
            applied_digest_state BLOB NOT NULL,
            updated_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """

    private let connection: Connection
    private let select: Statement
    private let compare: Statement
    private let insert: Statement
    private let update: Statement
    private let remove: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        self.connection = connection
        select = try connection.prepare(
            """
            SELECT store_id, projection_version, definition_sha256, position, resolution_watermark, root,
                digest_state, applied_digest_state
            FROM replay_checkpoints
            WHERE replay = ?1
            """
        )
        compare = try connection.prepare(
            """
            SELECT 1
            FROM replay_checkpoints
            WHERE replay = ?1 AND position = ?2 AND applied_digest = ?3
            """
        )
        insert = try connection.prepare(
            """
            INSERT INTO replay_checkpoints (
                replay, store_id, projection_version, definition_sha256, position,
                resolution_watermark, root, digest, applied_digest, updated_at,
                digest_state, applied_digest_state)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
            """
        )
        update = try connection.prepare(
            """
            UPDATE replay_checkpoints
            SET store_id = ?2, projection_version = ?3, definition_sha256 = ?4, position = ?5,
                resolution_watermark = ?6, root = ?7, digest = ?8, applied_digest = ?9, updated_at = ?10,
                digest_state = ?11, applied_digest_state = ?12
            WHERE replay = ?1 AND position = ?13 AND applied_digest = ?14
            """
        )
        remove = try connection.prepare("DELETE FROM replay_checkpoints WHERE replay = ?1")
    }

    package func read(_ replay: String) throws(SQLiteError) -> Checkpoint? {
        try select.bindText(replay, at: 1)
        return try select.first { row in
            Checkpoint(
                storeID: row.text(at: 0),
                version: row.int64(at: 1),
                definition: row.text(at: 2),
                position: row.int64(at: 3),
                watermark: row.int64(at: 4),
                root: SHA256Digest(hex: row.text(at: 5)) ?? .zero,
                digest: ReplayDigest(state: row.blob(at: 6)) ?? ReplayDigest(),
                appliedDigest: ReplayDigest(state: row.blob(at: 7)) ?? ReplayDigest()
            )
        }
    }

    package func add(_ checkpoint: Checkpoint, _ replay: String, at time: Int64) throws(SQLiteError)
    {
        try bind(checkpoint, replay, time, to: insert)
        try insert.run()
    }

    /// Whether a replay is still at a checkpoint; false if another process has moved it since it was read.
    package func stands(_ replay: String, at checkpoint: Checkpoint) throws(SQLiteError) -> Bool {
        try compare.bindText(replay, at: 1)
        try compare.bind(checkpoint.position, at: 2)
        try compare.bindText(checkpoint.appliedDigest.value.hex, at: 3)
        return try compare.first { _ in true } ?? false
    }

    /// Advances a checkpoint; false if another process has moved it since it was read.
    package func move(
        from old: Checkpoint,
        to new: Checkpoint,
        _ replay: String,
        at time: Int64
    ) throws(SQLiteError) -> Bool {
        try bind(new, replay, time, to: update)
        try update.bind(old.position, at: 13)
        try update.bindText(old.appliedDigest.value.hex, at: 14)
        try update.run()
        return connection.changes == 1
    }

    package func remove(_ replay: String) throws(SQLiteError) {
        try remove.bindText(replay, at: 1)
        try remove.run()
    }

    private func bind(
        _ checkpoint: Checkpoint,
        _ replay: String,
        _ time: Int64,
        to statement: Statement
    ) throws(SQLiteError) {
        try statement.bindText(replay, at: 1)
        try statement.bindText(checkpoint.storeID, at: 2)
        try statement.bind(checkpoint.version, at: 3)
        try statement.bindText(checkpoint.definition, at: 4)
        try statement.bind(checkpoint.position, at: 5)
        try statement.bind(checkpoint.watermark, at: 6)
        try statement.bindText(checkpoint.root.hex, at: 7)
        try statement.bindText(checkpoint.digest.value.hex, at: 8)
        try statement.bindText(checkpoint.appliedDigest.value.hex, at: 9)
        try statement.bind(time, at: 10)
        try statement.bindBlob(checkpoint.digest.state, at: 11)
        try statement.bindBlob(checkpoint.appliedDigest.state, at: 12)
    }
}
