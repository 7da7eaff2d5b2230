package import TallystickSQLite

extension Statement {
    package func bindOptional(_ text: String?, at index: Int32) throws(SQLiteError) {
        if let text { try bindText(text, at: index) } else { try bindNull(at: index) }
    }

    package func bindOptional(_ number: Int64?, at index: Int32) throws(SQLiteError) {
        if let number { try bind(number, at: index) } else { try bindNull(at: index) }
    }

    /// Binds text that the caller keeps in place until the statement has run.
    package func bindOptionalText(
        _ text: UnsafeRawBufferPointer?,
        at index: Int32
    ) throws(SQLiteError) {
        if let text { try bindText(text, at: index, copy: false) } else { try bindNull(at: index) }
    }

    /// The first row, read by `read`; nil if there is none. The statement is reset.
    package func first<Value>(_ read: (Statement) -> Value) throws(SQLiteError) -> Value? {
        var value: Value?
        if try step() { value = read(self) }
        try reset()
        return value
    }

    /// Every row, read by `read`. The statement is reset.
    package func all<Value>(_ read: (Statement) -> Value) throws(SQLiteError) -> [Value] {
        var values: [Value] = []
        while try step() { values.append(read(self)) }
        try reset()
        return values
    }

    /// The first column of the first row as an integer; nil if there is no row, or it is NULL.
    package func optionalInt64() throws(SQLiteError) -> Int64? {
        try first { $0.int64IfPresent(at: 0) } ?? nil
    }
}

extension Connection {
    /// A number that changes when another connection, in this or another process, has committed
    /// (sqlite.org/pragma.html#pragma_data_version).
    package func dataVersion() throws(SQLiteError) -> Int64 {
        try cached("PRAGMA data_version").optionalInt64() ?? 0
    }
}
