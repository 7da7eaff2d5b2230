import TallystickCore
import TallystickSQLite

/// Adds and reads rows of `configurations`: every effective configuration that was ever in force.
struct ConfigurationRows {
    private let insert: Statement
    private let newest: Statement
    private let later: Statement

    init(in connection: Connection) throws(SQLiteError) {
        insert = try connection.prepare(
            """
            INSERT INTO configurations (version, audit_sequence, content_sha256, content)
            VALUES (?1, ?2, ?3, ?4)
            """
        )
        newest = try connection.prepare(
            """
            SELECT version, content
            FROM configurations
            ORDER BY version DESC
            LIMIT 1
            """
        )
        later = try connection.prepare(
            """
            SELECT c.version, c.content, a.recorded_at,
                CASE WHEN a.kind = 'store_created' THEN 0 ELSE a.detail ->> 'after_position' END
            FROM configurations AS c
            JOIN audit_trail AS a ON a.audit_sequence = c.audit_sequence
            WHERE c.version > ?1
            ORDER BY c.version
            """
        )
    }

    /// A configuration, and when it came into force.
    struct Stored {
        var version: Int64
        var content: [UInt8]
        var recordedAt: Int64
        /// The head at that moment, where the audit row says it.
        var afterPosition: Int64?
    }

    /// The configurations after a version, in order.
    func after(version: Int64) throws(SQLiteError) -> [Stored] {
        try later.bind(version, at: 1)
        var found: [Stored] = []
        while try later.step() {
            found.append(
                Stored(
                    version: later.int64(at: 0),
                    content: later.blob(at: 1),
                    recordedAt: later.int64(at: 2),
                    afterPosition: later.int64IfPresent(at: 3)
                )
            )
        }
        try later.reset()
        return found
    }

    func add(_ content: [UInt8], version: Int64, auditSequence: Int64) throws(SQLiteError) {
        try insert.bind(version, at: 1)
        try insert.bind(auditSequence, at: 2)
        try insert.bindText(SHA256Digest(hashing: content).hex, at: 3)
        try insert.bindText(String(decoding: content, as: UTF8.self), at: 4)
        try insert.run()
    }

    /// The configuration in force, as canonical JSON.
    func current() throws(SQLiteError) -> (version: Int64, content: [UInt8])? {
        try newest.first { row in (row.int64(at: 0), row.blob(at: 1)) }
    }
}
