import CTallystickSQLite
import Tallystick

/// SQLite as any other program uses it: none of the settings of Tallystick's own connections.
final class PlainSQLite {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let handle: OpaquePointer

    init(_ path: String) throws {
        var opened: OpaquePointer?
        guard sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK,
            let opened
        else { throw Failure(description: "cannot open \(path)") }
        handle = opened
    }

    deinit { sqlite3_close_v2(handle) }

    @discardableResult
    func run(_ sql: String, _ values: [SQLValue] = []) throws -> [[SQLValue]] {
        var prepared: OpaquePointer?
        guard sqlite3_prepare_v2(handle, sql, -1, &prepared, nil) == SQLITE_OK, let prepared else {
            throw failure(sql)
        }
        defer { sqlite3_finalize(prepared) }
        for (index, value) in values.enumerated() { bind(value, Int32(index + 1), prepared) }
        var rows: [[SQLValue]] = []
        var code = sqlite3_step(prepared)
        while code == SQLITE_ROW {
            rows.append((0..<sqlite3_column_count(prepared)).map { value(prepared, $0) })
            code = sqlite3_step(prepared)
        }
        guard code == SQLITE_DONE else { throw failure(sql) }
        return rows
    }

    /// Runs several statements.
    func execute(_ script: String) throws {
        guard sqlite3_exec(handle, script, nil, nil, nil) == SQLITE_OK else {
            throw failure(script)
        }
    }

    /// Text with any bytes, valid or not.
    func run(_ sql: String, text bytes: [UInt8], _ values: [SQLValue]) throws {
        var prepared: OpaquePointer?
        guard sqlite3_prepare_v2(handle, sql, -1, &prepared, nil) == SQLITE_OK, let prepared else {
            throw failure(sql)
        }
        defer { sqlite3_finalize(prepared) }
        bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            let text = base.assumingMemoryBound(to: CChar.self)
            _ = tally_bind_text_copy(prepared, 1, text, UInt64(buffer.count))
        }
        for (index, value) in values.enumerated() { bind(value, Int32(index + 2), prepared) }
        guard sqlite3_step(prepared) == SQLITE_DONE else { throw failure(sql) }
    }

    private func failure(_ sql: String) -> Failure {
        Failure(description: "\(sql): \(String(cString: sqlite3_errmsg(handle)))")
    }

    private func bind(_ value: SQLValue, _ index: Int32, _ statement: OpaquePointer) {
        switch value {
        case .null: sqlite3_bind_null(statement, index)
        case .integer(let number): sqlite3_bind_int64(statement, index, number)
        case .real(let number): sqlite3_bind_double(statement, index, number)
        case .text(let text):
            _ = tally_bind_text_copy(statement, index, text, UInt64(text.utf8.count))
        case .blob(let bytes):
            bytes.withUnsafeBytes { buffer in
                guard let base = buffer.baseAddress, !buffer.isEmpty else {
                    _ = sqlite3_bind_zeroblob(statement, index, 0)
                    return
                }
                _ = tally_bind_blob_copy(statement, index, base, UInt64(buffer.count))
            }
        }
    }

    private func value(_ statement: OpaquePointer, _ column: Int32) -> SQLValue {
        func bytes() -> [UInt8] {
            let base = sqlite3_column_blob(statement, column)
            let count = Int(sqlite3_column_bytes(statement, column))
            return [UInt8](UnsafeRawBufferPointer(start: base, count: base == nil ? 0 : count))
        }
        switch sqlite3_column_type(statement, column) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(statement, column))
        case SQLITE_TEXT: return .text(String(decoding: bytes(), as: UTF8.self))
        case SQLITE_BLOB: return .blob(bytes())
        default: return .null
        }
    }

    // MARK: What an attacker does

    /// Runs `body` while a table has neither guards nor types, and restores the schema afterwards, so that
    /// it is the one of the migrations again.
    func withoutGuards(of table: String, _ body: () throws -> Void) throws {
        let schema = try run(
            "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = ? AND type IN ('trigger', 'table')",
            [.text(table)]
        )
        var guards: [(name: String, sql: String)] = []
        var declaration = ""
        for case let row in schema {
            guard case .text(let type) = row[0], case .text(let name) = row[1],
                case .text(let sql) = row[2]
            else { continue }
            if type == "table" { declaration = sql } else { guards.append((name, sql)) }
        }
        for (name, _) in guards { try run("DROP TRIGGER \(name)") }
        try declare(table, Self.untyped(declaration))
        let outcome = Result { try body() }
        try declare(table, declaration)
        for (_, sql) in guards { try run(sql) }
        try outcome.get()
    }

    private func declare(_ table: String, _ sql: String) throws {
        try run("PRAGMA writable_schema = ON")
        try run(
            "UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?",
            [.text(sql), .text(table)]
        )
        try run("PRAGMA writable_schema = RESET")
    }

    private static func untyped(_ sql: String) -> String {
        var text = sql.replacing(" STRICT", with: "")
        if text.hasSuffix(", WITHOUT ROWID") {
            text = String(text.dropLast(", WITHOUT ROWID".count)) + " WITHOUT ROWID"
        }
        for (old, new) in [
            (" NOT NULL", ""), (" TEXT", " BLOB"), (" INTEGER,", " BLOB,"),
            (" INTEGER\n", " BLOB\n"), (" INTEGER REFERENCES", " BLOB REFERENCES"),
        ] { text = text.replacing(old, with: new) }
        return text
    }
}
