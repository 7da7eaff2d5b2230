import Foundation
import TallystickSQLite

/// The contents of a database, as text that is the same for two runs of the same work: no times, no random ids.
enum StoreState {
    /// Everything that a repetition of a command does not change.
    private static let lasting = [
        "SELECT position, source, event_id, stream, revision, type, category, origin, data FROM event_log ORDER BY 1",
        "SELECT position, state, data, type FROM effective_events ORDER BY position",
        "SELECT copy_id, position, origin_id, agreement, hex(content_sha256) FROM copies ORDER BY 1",
        "SELECT conflict_id, kind, position, event_id FROM conflicts ORDER BY 1",
        "SELECT conflict_id, state, resolution_id, candidates FROM conflict_states ORDER BY 1",
        "SELECT resolution_id, conflict_id, policy, decision, winner_origin FROM resolutions ORDER BY 1",
        "SELECT version, content_sha256 FROM configurations ORDER BY 1",
        "SELECT key_row, key_id, algorithm, state FROM keys ORDER BY 1",
        "SELECT position, algorithm, key_id FROM checksums ORDER BY checksum_id",
        "SELECT quarantine_id, code, line, sha256 FROM quarantine ORDER BY 1",
        "SELECT quarantine_id, state FROM quarantine_states ORDER BY 1",
        "SELECT replay, target, status, position, parked, digest, applied_digest FROM replay_status ORDER BY 1",
        "SELECT name, replay, type FROM projection_objects ORDER BY 1",
        "SELECT number, name, sha256 FROM schema_migrations ORDER BY 1",
    ]
    /// Everything to which each success may add.
    private static let growing = [
        // What a reading command did is recorded after it was done, as far as that is possible.
        "SELECT kind, count(*) FROM audit_trail WHERE kind NOT IN ('backup', 'export') GROUP BY 1 ORDER BY 1",
        // The head that a holder of the key stores on closing may be one more: if that fails, nothing is lost.
        "SELECT count(*) FROM tree_heads WHERE note IS NOT NULL",
    ]

    /// - parameter isLasting: whether to leave out everything that a repetition adds to.
    /// - throws: `SQLiteError` if the file cannot be read as a store.
    static func of(store path: String, isLasting: Bool) throws -> String {
        let connection = try Connection(path: path, mode: .readOnly)
        // The views call functions for JSON.
        try connection.trustCheckedSchema()
        var text = ""
        for sql in isLasting ? lasting : lasting + growing {
            text += try rows(connection, sql)
        }
        // A store that is about to be upgraded has none.
        let view = "SELECT name FROM sqlite_schema WHERE name = 'deliveries'"
        if try !rows(connection, view).isEmpty {
            text += try rows(
                connection,
                "SELECT position, copy_id, origin, input, record FROM deliveries ORDER BY 1, 2"
            )
        }
        let tables = "SELECT name FROM sqlite_schema WHERE name IN ('totals', 'sums') ORDER BY 1"
        for table in try rows(connection, tables).split(separator: "\n") {
            text += try rows(connection, "SELECT * FROM \(table) ORDER BY 1")
        }
        return text
    }

    /// Every row of every table except the checkpoint's: for files that are not stores.
    static func of(projection path: String) throws -> String {
        let connection = try Connection(path: path, mode: .readOnly)
        let tables = "SELECT name FROM sqlite_schema WHERE name IN ('totals', 'sums') ORDER BY 1"
        var text = try rows(
            connection,
            "SELECT replay, position, digest, applied_digest FROM replay_checkpoints ORDER BY 1"
        )
        for table in try rows(connection, tables).split(separator: "\n") {
            text += try rows(connection, "SELECT * FROM \(table) ORDER BY 1")
        }
        return text
    }

    private static func rows(_ connection: Connection, _ sql: String) throws -> String {
        let statement = try connection.prepare(sql)
        var text = ""
        while try statement.step() {
            text +=
                (0..<statement.columnCount).map { statement.textIfPresent(at: $0) ?? "NULL" }
                .joined(separator: "|") + "\n"
        }
        return text
    }
}
