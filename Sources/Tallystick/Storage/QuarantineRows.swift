import TallystickCore
import TallystickSQLite

/// Input that could not become an event, to be kept.
struct NewQuarantine {
    var origin: String
    var path: String?
    var line: Int64
    var column: Int64
    var byte: Int64
    var code: String
    var message: String
    /// Bytes of the whole input, which may be more than `content` keeps.
    var length: Int64
    /// Of the whole input.
    var digest: SHA256Digest
}

/// Adds and finds rows of `quarantine`.
struct QuarantineRows {
    private let find: Statement
    private let insert: Statement
    private let setState: Statement

    init(in connection: Connection) throws(SQLiteError) {
        find = try connection.prepare(
            """
            SELECT quarantine_id
            FROM quarantine
            WHERE sha256 = ?1 AND length = ?2 AND origin = ?3
            """
        )
        insert = try connection.prepare(
            """
            INSERT INTO quarantine (
                quarantine_id, audit_sequence, origin, path, line, column_number, byte_offset, code,
                message, length, sha256, content)
            VALUES (
                (SELECT coalesce(max(quarantine_id), 0) + 1 FROM quarantine),
                ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
            RETURNING quarantine_id
            """
        )
        setState = try connection.prepare(
            """
            INSERT INTO quarantine_states (quarantine_id, state, audit_sequence)
            VALUES (?1, ?2, ?3)
            ON CONFLICT (quarantine_id) DO UPDATE SET
                state = excluded.state,
                audit_sequence = excluded.audit_sequence
            """
        )
    }

    /// The row that holds this input already, if there is one.
    func id(of input: NewQuarantine) throws(SQLiteError) -> Int64? {
        try find.bindText(input.digest.hex, at: 1)
        try find.bind(input.length, at: 2)
        try find.bindText(input.origin, at: 3)
        return try find.optionalInt64()
    }

    func add(
        _ input: NewQuarantine,
        content: UnsafeRawBufferPointer,
        auditSequence: Int64
    ) throws(SQLiteError) -> Int64 {
        try insert.bind(auditSequence, at: 1)
        try insert.bindText(input.origin, at: 2)
        try insert.bindOptional(input.path, at: 3)
        try insert.bind(input.line, at: 4)
        try insert.bind(input.column, at: 5)
        try insert.bind(input.byte, at: 6)
        try insert.bindText(input.code, at: 7)
        try insert.bindText(input.message, at: 8)
        try insert.bind(input.length, at: 9)
        try insert.bindText(input.digest.hex, at: 10)
        try insert.bindBlob(content, at: 11, copy: false)
        return try insert.optionalInt64() ?? 0
    }

    func setState(_ state: String, of id: Int64, auditSequence: Int64) throws(SQLiteError) {
        try setState.bind(id, at: 1)
        try setState.bindText(state, at: 2)
        try setState.bind(auditSequence, at: 3)
        try setState.run()
    }
}
