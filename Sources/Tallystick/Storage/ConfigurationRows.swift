import TallystickCore
import TallystickSQLite

/// Adds and reads rows of `configurations`: every effective configuration that was ever in force.
struct ConfigurationRows {
    private let insert: Statement
    private let newest: Statement

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
