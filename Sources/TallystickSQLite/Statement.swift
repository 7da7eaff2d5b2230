public import CTallystickSQLite

/// A prepared statement. It belongs to its connection's owner and is not Sendable.
///
/// Parameters are numbered from 1 and columns from 0, as in SQLite.
public final class Statement {
    @usableFromInline let handle: OpaquePointer
    @usableFromInline unowned let connection: Connection
    /// Keeps the connection open, unless the connection owns this statement.
    private let keeper: Connection?
    /// The statement's text.
    public let sql: String

    init(handle: OpaquePointer, sql: String, connection: Connection, isOwned: Bool = false) {
        keeper = isOwned ? nil : connection
        self.handle = handle
        self.sql = sql
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    // MARK: Binding

    @inlinable @inline(__always)
    public func bind(_ value: Int64, at index: Int32) throws(SQLiteError) {
        let code = sqlite3_bind_int64(handle, index, value)
        if code != SQLITE_OK { throw failure(code, "bind") }
    }

    @inlinable
    public func bind(_ value: Double, at index: Int32) throws(SQLiteError) {
        let code = sqlite3_bind_double(handle, index, value)
        if code != SQLITE_OK { throw failure(code, "bind") }
    }

    @inlinable @inline(__always)
    public func bindNull(at index: Int32) throws(SQLiteError) {
        let code = sqlite3_bind_null(handle, index)
        if code != SQLITE_OK { throw failure(code, "bind") }
    }

    /// Binds a copy of the text.
    public func bindText(_ text: String, at index: Int32) throws(SQLiteError) {
        var text = text
        let code = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                tally_bind_text_copy(
                    handle,
                    index,
                    characters.baseAddress ?? Self.empty,
                    UInt64(characters.count)
                )
            }
        }
        if code != SQLITE_OK { throw failure(code, "bind") }
    }

    /// Binds UTF-8.
    ///
    /// - parameter copy: if false, the bytes must stay in place until the statement is reset and bound again, or
    ///   destroyed.
    @inlinable @inline(__always)
    public func bindText(
        _ text: UnsafeRawBufferPointer,
        at index: Int32,
        copy: Bool
    ) throws(SQLiteError) {
        let base = text.baseAddress?.assumingMemoryBound(to: CChar.self) ?? Self.empty
        let code =
            copy
            ? tally_bind_text_copy(handle, index, base, UInt64(text.count))
            : tally_bind_text_static(handle, index, base, UInt64(text.count))
        if code != SQLITE_OK { throw failure(code, "bind") }
    }

    /// Binds bytes; `copy` as for text.
    @inlinable @inline(__always)
    public func bindBlob(
        _ bytes: UnsafeRawBufferPointer,
        at index: Int32,
        copy: Bool
    ) throws(SQLiteError) {
        // A null pointer would bind NULL instead of an empty blob.
        let base = bytes.baseAddress ?? UnsafeRawPointer(Self.empty)
        let code =
            copy
            ? tally_bind_blob_copy(handle, index, base, UInt64(bytes.count))
            : tally_bind_blob_static(handle, index, base, UInt64(bytes.count))
        if code != SQLITE_OK { throw failure(code, "bind") }
    }

    /// Binds a copy of the bytes.
    public func bindBlob(_ bytes: [UInt8], at index: Int32) throws(SQLiteError) {
        let code = bytes.withUnsafeBytes { buffer in
            tally_bind_blob_copy(
                handle,
                index,
                buffer.baseAddress ?? UnsafeRawPointer(Self.empty),
                UInt64(buffer.count)
            )
        }
        if code != SQLITE_OK { throw failure(code, "bind") }
    }

    /// Sets every parameter to NULL.
    public func clearBindings() { sqlite3_clear_bindings(handle) }

    /// Points at one zero byte, for empty text and blobs. Never written, never freed.
    @usableFromInline nonisolated(unsafe) static let empty: UnsafePointer<CChar> = {
        let pointer = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        pointer.initialize(to: 0)
        return UnsafePointer(pointer)
    }()

    /// The number of parameters.
    public var parameterCount: Int32 { sqlite3_bind_parameter_count(handle) }

    /// The name of a parameter, including its `:`; nil for a bare `?`.
    public func parameterName(at index: Int32) -> String? {
        sqlite3_bind_parameter_name(handle, index).map { String(cString: $0) }
    }

    /// The index of a named parameter; the name includes the `:`.
    public func parameterIndex(named name: String) -> Int32? {
        let index = sqlite3_bind_parameter_index(handle, name)
        return index == 0 ? nil : index
    }

    // MARK: Running

    /// Advances to the next row; false if there is none.
    @inlinable @inline(__always)
    public func step() throws(SQLiteError) -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        throw stepFailure(code)
    }

    /// Runs to completion and resets the statement.
    @inlinable @inline(__always)
    public func run() throws(SQLiteError) {
        var code = sqlite3_step(handle)
        while code == SQLITE_ROW { code = sqlite3_step(handle) }
        if code != SQLITE_DONE { throw stepFailure(code) }
        code = sqlite3_reset(handle)
        if code != SQLITE_OK { throw failure(code, "reset") }
    }

    /// Resets the statement for another run; bindings stay.
    @inlinable @inline(__always)
    public func reset() throws(SQLiteError) {
        let code = sqlite3_reset(handle)
        if code != SQLITE_OK { throw failure(code, "reset") }
    }

    @usableFromInline
    func failure(_ code: Int32, _ operation: String) -> SQLiteError {
        connection.failure(code, operation, sql: sql)
    }

    /// The error of a failed step. Resets the statement, so that nothing stays locked.
    @usableFromInline
    func stepFailure(_ code: Int32) -> SQLiteError {
        let error = failure(code, "step")
        // Returns the step's failure again, which `error` already holds.
        sqlite3_reset(handle)
        return error
    }

    // MARK: Columns

    public var columnCount: Int32 { sqlite3_column_count(handle) }

    public func columnName(at index: Int32) -> String {
        sqlite3_column_name(handle, index).map { String(cString: $0) } ?? ""
    }

    /// Whether the statement itself writes nothing to the database (sqlite.org/c3ref/stmt_readonly.html).
    public var isReadOnly: Bool { sqlite3_stmt_readonly(handle) != 0 }

    /// Whether the statement is an EXPLAIN or EXPLAIN QUERY PLAN.
    public var isExplain: Bool { sqlite3_stmt_isexplain(handle) != 0 }

    @inlinable @inline(__always)
    public func columnType(at index: Int32) -> ColumnType {
        ColumnType(rawValue: sqlite3_column_type(handle, index)) ?? .null
    }

    @inlinable @inline(__always)
    public func isNull(at index: Int32) -> Bool {
        sqlite3_column_type(handle, index) == SQLITE_NULL
    }

    /// Total bytes of the row's texts and blobs.
    public var rowBytes: Int {
        (0..<columnCount).reduce(0) { sum, index in
            let type = columnType(at: index)
            return type == .text || type == .blob ? sum + bytes(at: index).count : sum
        }
    }

    @inlinable @inline(__always)
    public func int64(at index: Int32) -> Int64 { sqlite3_column_int64(handle, index) }

    @inlinable
    public func double(at index: Int32) -> Double { sqlite3_column_double(handle, index) }

    @inlinable
    public func int64IfPresent(at index: Int32) -> Int64? {
        isNull(at: index) ? nil : int64(at: index)
    }

    /// The column's text with every byte, including NUL; invalid UTF-8 is repaired.
    public func text(at index: Int32) -> String {
        withBytes(at: index) { String(decoding: $0, as: UTF8.self) }
    }

    public func textIfPresent(at index: Int32) -> String? {
        isNull(at: index) ? nil : text(at: index)
    }

    public func blob(at index: Int32) -> [UInt8] { withBytes(at: index) { [UInt8]($0) } }

    /// The bytes of a text or blob column, valid only inside `body`.
    @inlinable @inline(__always)
    public func withBytes<Result>(
        at index: Int32,
        _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        body(bytes(at: index))
    }

    /// The bytes of a text or blob column, valid until the statement steps or resets, or the column is
    /// read as another type. For loops that cannot afford a closure.
    @inlinable @inline(__always)
    public func bytes(at index: Int32) -> UnsafeRawBufferPointer {
        // SQLite requires this order: first the pointer, then the count (sqlite.org/c3ref/column_blob.html).
        let base = sqlite3_column_blob(handle, index)
        let count = Int(sqlite3_column_bytes(handle, index))
        return UnsafeRawBufferPointer(start: base, count: base == nil ? 0 : count)
    }

    /// A column of the current row, looked up once for both its storage class and its value.
    @inlinable @inline(__always)
    public func column(at index: Int32) -> ColumnValue {
        ColumnValue(handle: sqlite3_column_value(handle, index))
    }
}

/// The value of a column, valid while its statement stays on the row.
///
/// SQLite calls it unprotected (sqlite.org/c3ref/value.html): like a statement, it may be used only on the thread
/// that uses the connection.
@frozen
public struct ColumnValue {
    @usableFromInline let handle: OpaquePointer?

    @inlinable @inline(__always)
    init(handle: OpaquePointer?) { self.handle = handle }

    @inlinable @inline(__always)
    public var type: ColumnType { ColumnType(rawValue: sqlite3_value_type(handle)) ?? .null }

    @inlinable @inline(__always)
    public var int64: Int64 { sqlite3_value_int64(handle) }

    /// Bytes of a text or blob.
    @inlinable @inline(__always)
    public var bytes: UnsafeRawBufferPointer {
        let base = sqlite3_value_blob(handle)
        let count = Int(sqlite3_value_bytes(handle))
        return UnsafeRawBufferPointer(start: base, count: base == nil ? 0 : count)
    }
}

/// The storage class of a value.
@frozen
public enum ColumnType: Int32, Sendable {
    case integer = 1
    case real = 2
    case text = 3
    case blob = 4
    case null = 5
}
