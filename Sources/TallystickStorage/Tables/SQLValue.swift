package import TallystickSQLite

/// An SQL value.
public enum SQLValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

extension Statement {
    package func value(at index: Int32) -> SQLValue {
        switch columnType(at: index) {
        case .null: .null
        case .integer: .integer(int64(at: index))
        case .real: .real(double(at: index))
        case .text: .text(text(at: index))
        case .blob: .blob(blob(at: index))
        }
    }

    /// Binds values to the parameters of these names; a value for which the statement has no parameter is ignored.
    package func bind(named values: [String: SQLValue]) throws(SQLiteError) {
        for index in 1..<max(1, parameterCount + 1) {
            guard let name = parameterName(at: index), let value = values[String(name.dropFirst())]
            else { continue }
            try bind(value, at: index)
        }
    }

    package func bind(_ value: SQLValue, at index: Int32) throws(SQLiteError) {
        switch value {
        case .null: try bindNull(at: index)
        case .integer(let number): try bind(number, at: index)
        case .real(let number): try bind(number, at: index)
        case .text(let text): try bindText(text, at: index)
        case .blob(let bytes): try bindBlob(bytes, at: index)
        }
    }
}
