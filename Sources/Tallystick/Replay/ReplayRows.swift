import TallystickCore
import TallystickSQLite

/// Keeps `replays`, `parked_events` and `projection_objects` of the file that holds a projection.
struct ReplayRows {
    /// For files that are no stores.
    static let parkedTable = """
        CREATE TABLE IF NOT EXISTS parked_events (
            replay TEXT NOT NULL,
            position INTEGER NOT NULL,
            resolution_id INTEGER NOT NULL DEFAULT 0,
            stream_id INTEGER NOT NULL,
            error TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            parked_at INTEGER NOT NULL,
            PRIMARY KEY (replay, position, resolution_id)
        ) STRICT, WITHOUT ROWID
        """

    private let connection: Connection

    init(in connection: Connection) { self.connection = connection }

    func parkedStreams(_ replay: String) throws(SQLiteError) -> Set<Int64> {
        let rows = try connection.cached(
            "SELECT DISTINCT stream_id FROM parked_events WHERE replay = ?1"
        )
        try rows.bindText(replay, at: 1)
        var streams: Set<Int64> = []
        while try rows.step() { streams.insert(rows.int64(at: 0)) }
        try rows.reset()
        return streams
    }

    func park(
        _ event: EventSource.ConsumedEvent,
        _ replay: String,
        error: String,
        at time: Int64
    ) throws(SQLiteError) {
        let insert = try connection.cached(
            """
            INSERT INTO parked_events (replay, position, stream_id, error, attempts, parked_at)
            VALUES (?1, ?2, ?3, ?4, 1, ?5)
            """
        )
        try insert.bindText(replay, at: 1)
        try insert.bind(event.position, at: 2)
        try insert.bind(event.streamID, at: 3)
        try insert.bindText(error, at: 4)
        try insert.bind(time, at: 5)
        try insert.run()
    }

    func parked(_ replay: String) throws(SQLiteError) -> [(position: Int64, streamID: Int64)] {
        let rows = try connection.cached(
            "SELECT position, stream_id FROM parked_events WHERE replay = ?1 ORDER BY position"
        )
        try rows.bindText(replay, at: 1)
        var parked: [(position: Int64, streamID: Int64)] = []
        while try rows.step() { parked.append((rows.int64(at: 0), rows.int64(at: 1))) }
        try rows.reset()
        return parked
    }

    func unpark(_ position: Int64, _ replay: String) throws(SQLiteError) {
        let delete = try connection.cached(
            "DELETE FROM parked_events WHERE replay = ?1 AND position = ?2"
        )
        try delete.bindText(replay, at: 1)
        try delete.bind(position, at: 2)
        try delete.run()
    }

    func failRetry(_ position: Int64, _ replay: String, error: String) throws(SQLiteError) {
        let update = try connection.cached(
            """
            UPDATE parked_events
            SET attempts = attempts + 1, error = ?3
            WHERE replay = ?1 AND position = ?2
            """
        )
        try update.bindText(replay, at: 1)
        try update.bind(position, at: 2)
        try update.bindText(error, at: 3)
        try update.run()
    }

    func removeParked(_ replay: String) throws(SQLiteError) {
        let delete = try connection.cached("DELETE FROM parked_events WHERE replay = ?1")
        try delete.bindText(replay, at: 1)
        try delete.run()
    }

    /// The tables, views and indexes that belong to a projection by name, tables first.
    func objects(of projection: String, schema: String = "main") throws(SQLiteError) -> [(
        type: String, name: String, sql: String
    )] {
        let rows = try connection.prepare(
            """
            SELECT type, name, coalesce(sql, '')
            FROM \(schema).sqlite_schema
            WHERE type IN ('table', 'view', 'index') AND sql IS NOT NULL
            ORDER BY type = 'table' DESC, name
            """
        )
        var objects: [(type: String, name: String, sql: String)] = []
        while try rows.step() {
            let name = rows.text(at: 1)
            if SQLProjection.owns(projection, name) {
                objects.append((rows.text(at: 0), name, rows.text(at: 2)))
            }
        }
        return objects
    }

    /// Writes down which objects are a projection's, for whoever judges the schema.
    func record(objectsOf projection: String) throws(SQLiteError) {
        try forget(objectsOf: projection)
        let insert = try connection.cached(
            "INSERT INTO projection_objects (name, replay, type, sql) VALUES (?1, ?2, ?3, ?4)"
        )
        for object in try objects(of: projection) {
            try insert.bindText(object.name, at: 1)
            try insert.bindText(projection, at: 2)
            try insert.bindText(object.type, at: 3)
            try insert.bindText(object.sql, at: 4)
            try insert.run()
        }
    }

    func forget(objectsOf projection: String) throws(SQLiteError) {
        let delete = try connection.cached("DELETE FROM projection_objects WHERE replay = ?1")
        try delete.bindText(projection, at: 1)
        try delete.run()
    }

    /// Drops a projection's tables and views.
    func drop(objectsOf projection: String) throws(SQLiteError) {
        for object in try objects(of: projection) where object.type != "index" {
            let quoted = object.name.split(separator: "\"", omittingEmptySubsequences: false)
                .joined(separator: "\"\"")
            try connection.execute("DROP \(object.type == "view" ? "VIEW" : "TABLE") \"\(quoted)\"")
        }
    }

    /// What people see of a replay, in the store.
    struct Status {
        var replay: String
        var target: ReplayTarget
        var file: ProjectionFile
        var status: String
        var checkpoint: Checkpoint
        var parked: Int64
        var rate: Double?
        var error: String?
    }

    func set(_ status: Status, at time: Int64) throws(SQLiteError) {
        let upsert = try connection.cached(
            """
            INSERT INTO replays (
                replay, target, target_path, projection_version, definition_sha256, on_correction, status,
                parked, events_per_second, last_error, hint_position, hint_resolution, hint_digest,
                hint_applied_digest, started_at, updated_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15)
            ON CONFLICT (replay) DO UPDATE SET
                target = excluded.target,
                target_path = excluded.target_path,
                projection_version = excluded.projection_version,
                definition_sha256 = excluded.definition_sha256,
                on_correction = excluded.on_correction,
                status = excluded.status,
                parked = excluded.parked,
                events_per_second = coalesce(excluded.events_per_second, events_per_second),
                last_error = excluded.last_error,
                hint_position = excluded.hint_position,
                hint_resolution = excluded.hint_resolution,
                hint_digest = excluded.hint_digest,
                hint_applied_digest = excluded.hint_applied_digest,
                updated_at = excluded.updated_at
            """
        )
        try upsert.bindText(status.replay, at: 1)
        if case .file(let path) = status.target {
            try upsert.bindText("file", at: 2)
            try upsert.bindText(path, at: 3)
        } else {
            try upsert.bindText("store", at: 2)
            try upsert.bindNull(at: 3)
        }
        try upsert.bind(status.file.version, at: 4)
        try upsert.bindText(status.file.digest.hex, at: 5)
        try upsert.bindText(status.file.onCorrection.rawValue, at: 6)
        try upsert.bindText(status.status, at: 7)
        try upsert.bind(status.parked, at: 8)
        if let rate = status.rate {
            try upsert.bind(rate, at: 9)
        } else {
            try upsert.bindNull(at: 9)
        }
        try upsert.bindOptional(status.error, at: 10)
        try upsert.bind(status.checkpoint.position, at: 11)
        try upsert.bind(status.checkpoint.watermark, at: 12)
        try upsert.bindText(status.checkpoint.digest.value.hex, at: 13)
        try upsert.bindText(status.checkpoint.appliedDigest.value.hex, at: 14)
        try upsert.bind(time, at: 15)
        try upsert.run()
    }

    func forget(_ replay: String) throws(SQLiteError) {
        let delete = try connection.cached("DELETE FROM replays WHERE replay = ?1")
        try delete.bindText(replay, at: 1)
        try delete.run()
    }
}
