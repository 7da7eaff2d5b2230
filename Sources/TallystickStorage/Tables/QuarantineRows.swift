package import TallystickCore
package import TallystickSQLite

/// Input that could not become an event, to be kept.
package struct NewQuarantine {
    package var origin: String
    package var path: String?
    package var line: Int64
    package var column: Int64
    package var byte: Int64
    package var code: String
    package var message: String
    /// Bytes of the whole input, which may be more than `content` keeps.
    package var length: Int64
    /// Of the whole input.
    package var digest: SHA256Digest

    package init(
        origin: String,
        path: String? = nil,
        line: Int64,
        column: Int64,
        byte: Int64,
        code: String,
        message: String,
        length: Int64,
        digest: SHA256Digest
    ) {
        self.origin = origin
        self.path = path
        self.line = line
        self.column = column
        self.byte = byte
        self.code = code
        self.message = message
        self.length = length
        self.digest = digest
    }
}

/// Adds and finds rows of `quarantine`.
package struct QuarantineRows {
    private let find: Statement
    private let insert: Statement
    private let setState: Statement

    package init(in connection: Connection) throws(SQLiteError) {
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

    /// The row that already holds this input, if there is one.
    package func id(of input: NewQuarantine) throws(SQLiteError) -> Int64? {
        try find.bindText(input.digest.hex, at: 1)
        try find.bind(input.length, at: 2)
        try find.bindText(input.origin, at: 3)
        return try find.optionalInt64()
    }

    package func add(
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

    package func setState(_ state: String, of id: Int64, auditSequence: Int64) throws(SQLiteError) {
        try setState.bind(id, at: 1)
        try setState.bindText(state, at: 2)
        try setState.bind(auditSequence, at: 3)
        try setState.run()
    }
}
