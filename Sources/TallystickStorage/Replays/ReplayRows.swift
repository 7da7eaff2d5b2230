import TallystickCore
package import TallystickSQLite

/// Keeps `parked_events` and `projection_objects` of the file that holds a projection.
package struct ReplayRows {
    /// For files that are not stores.
    package static let parkedTable = """
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

    package init(in connection: Connection) { self.connection = connection }

    // MARK: Parked events

    package func parkedStreams(_ replay: String) throws(SQLiteError) -> Set<Int64> {
        let rows = try connection.cached(
            "SELECT DISTINCT stream_id FROM parked_events WHERE replay = ?1"
        )
        try rows.bindText(replay, at: 1)
        var streams: Set<Int64> = []
        while try rows.step() { streams.insert(rows.int64(at: 0)) }
        try rows.reset()
        return streams
    }

    package func park(
        _ place: LogPlace,
        ofStream streamID: Int64,
        _ replay: String,
        error: String,
        at time: Int64
    ) throws(SQLiteError) {
        let insert = try connection.cached(
            """
            INSERT INTO parked_events (
                replay, position, resolution_id, stream_id, error, attempts, parked_at)
            VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)
            """
        )
        try insert.bindText(replay, at: 1)
        try insert.bind(place.position, at: 2)
        try insert.bind(place.resolutionID, at: 3)
        try insert.bind(streamID, at: 4)
        try insert.bindText(error, at: 5)
        try insert.bind(time, at: 6)
        try insert.run()
    }

    package func parkedCount(_ replay: String) throws(SQLiteError) -> Int64 {
        let count = try connection.cached("SELECT count(*) FROM parked_events WHERE replay = ?1")
        try count.bindText(replay, at: 1)
        return try count.optionalInt64() ?? 0
    }

    /// The parked events, by position; corrections of an event come after it.
    package func parked(_ replay: String) throws(SQLiteError) -> [(
        place: LogPlace, streamID: Int64
    )] {
        let rows = try connection.cached(
            """
            SELECT position, resolution_id, stream_id
            FROM parked_events
            WHERE replay = ?1
            ORDER BY position, resolution_id
            """
        )
        try rows.bindText(replay, at: 1)
        var parked: [(place: LogPlace, streamID: Int64)] = []
        while try rows.step() {
            let place = LogPlace(position: rows.int64(at: 0), resolutionID: rows.int64(at: 1))
            parked.append((place, rows.int64(at: 2)))
        }
        try rows.reset()
        return parked
    }

    /// The parked events, by position, without the names that only the store knows.
    package func parkedDetails(_ replay: String) throws(SQLiteError) -> [ParkedEvent] {
        let rows = try connection.cached(
            """
            SELECT position, resolution_id, error, attempts, parked_at
            FROM parked_events
            WHERE replay = ?1
            ORDER BY position, resolution_id
            """
        )
        try rows.bindText(replay, at: 1)
        var parked: [ParkedEvent] = []
        while try rows.step() {
            let resolution = rows.int64(at: 1)
            parked.append(
                ParkedEvent(
                    position: Position(rows.int64(at: 0)),
                    resolutionID: resolution == 0 ? nil : resolution,
                    stream: "",
                    source: "",
                    id: "",
                    type: "",
                    error: rows.text(at: 2),
                    attempts: rows.int64(at: 3),
                    parkedAt: Timestamp(microseconds: rows.int64(at: 4))
                )
            )
        }
        try rows.reset()
        return parked
    }

    package func unpark(_ place: LogPlace, _ replay: String) throws(SQLiteError) {
        let delete = try connection.cached(
            "DELETE FROM parked_events WHERE replay = ?1 AND position = ?2 AND resolution_id = ?3"
        )
        try delete.bindText(replay, at: 1)
        try delete.bind(place.position, at: 2)
        try delete.bind(place.resolutionID, at: 3)
        try delete.run()
    }

    package func failRetry(_ place: LogPlace, _ replay: String, error: String)
        throws(SQLiteError)
    {
        let update = try connection.cached(
            """
            UPDATE parked_events
            SET attempts = attempts + 1, error = ?4
            WHERE replay = ?1 AND position = ?2 AND resolution_id = ?3
            """
        )
        try update.bindText(replay, at: 1)
        try update.bind(place.position, at: 2)
        try update.bind(place.resolutionID, at: 3)
        try update.bindText(error, at: 4)
        try update.run()
    }

    package func removeParked(_ replay: String) throws(SQLiteError) {
        let delete = try connection.cached("DELETE FROM parked_events WHERE replay = ?1")
        try delete.bindText(replay, at: 1)
        try delete.run()
    }

    /// Takes over the parked events from the attached file `scratch`.
    package func copyParkedFromScratch(_ replay: String) throws(SQLiteError) {
        try removeParked(replay)
        let copy = try connection.prepare(
            """
            INSERT INTO main.parked_events (
                replay, position, resolution_id, stream_id, error, attempts, parked_at)
            SELECT replay, position, resolution_id, stream_id, error, attempts, parked_at
            FROM scratch.parked_events
            WHERE replay = ?1
            """
        )
        try copy.bindText(replay, at: 1)
        try copy.run()
    }

    // MARK: Objects

    /// The tables, views and indexes that belong to a projection by name, tables first.
    package func objects(of projection: String) throws(SQLiteError) -> [(
        type: String, name: String, sql: String
    )] {
        let rows = try connection.prepare(
            """
            SELECT type, name, coalesce(sql, '')
            FROM main.sqlite_schema
            WHERE type IN ('table', 'view', 'index') AND sql IS NOT NULL
            ORDER BY type = 'table' DESC, name
            """
        )
        let names = try ProjectionNames(projection, in: connection)
        var objects: [(type: String, name: String, sql: String)] = []
        while try rows.step() {
            let name = rows.text(at: 1)
            if names.owns(name) {
                objects.append((rows.text(at: 0), name, rows.text(at: 2)))
            }
        }
        return objects
    }

    /// Records which objects belong to a projection, for the check of the schema.
    package func record(objectsOf projection: String) throws(SQLiteError) {
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

    /// Whether there are records of a projection's objects.
    package func hasRecord(ofObjectsOf projection: String) throws(SQLiteError) -> Bool {
        let one = try connection.cached(
            "SELECT 1 FROM projection_objects WHERE replay = ?1 LIMIT 1"
        )
        try one.bindText(projection, at: 1)
        return try one.optionalInt64() != nil
    }

    package func forget(objectsOf projection: String) throws(SQLiteError) {
        let delete = try connection.cached("DELETE FROM projection_objects WHERE replay = ?1")
        try delete.bindText(projection, at: 1)
        try delete.run()
    }

    /// Drops a projection's tables and views.
    package func drop(objectsOf projection: String) throws(SQLiteError) {
        for object in try objects(of: projection) where object.type != "index" {
            try connection.execute(
                "DROP \(object.type == "view" ? "VIEW" : "TABLE") \(Self.quoted(object.name))"
            )
        }
    }

    /// Fills a projection's tables from those of the attached file `scratch`, rowids included.
    package func copyTablesFromScratch(of projection: String) throws(SQLiteError) {
        for object in try objects(of: projection) where object.type == "table" {
            let table = Self.quoted(object.name)
            let columns = try storedColumns(of: object.name).joined(separator: ", ")
            try connection.execute(
                "INSERT INTO main.\(table) (\(columns)) SELECT \(columns) FROM scratch.\(table)"
            )
        }
    }

    /// The columns of a table that hold values, `rowid` first if there is one; no generated columns.
    private func storedColumns(of table: String) throws(SQLiteError) -> [String] {
        let names = try connection.prepare(
            "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid"
        )
        try names.bindText(table, at: 1)
        var columns: [String] = []
        while try names.step() { columns.append(names.text(at: 0)) }
        let isWithoutRowid = try connection.prepare(
            "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1"
        )
        try isWithoutRowid.bindText(table, at: 1)
        let hidesRowid = columns.contains { $0.lowercased() == "rowid" }
        let hasRowid = try isWithoutRowid.optionalInt64() == 0 && !hidesRowid
        return (hasRowid ? ["rowid"] : []) + columns.map(Self.quoted)
    }

    /// An identifier, quoted for SQL.
    private static func quoted(_ name: String) -> String {
        let parts = name.split(separator: "\"", omittingEmptySubsequences: false)
        return "\"" + parts.joined(separator: "\"\"") + "\""
    }
}
