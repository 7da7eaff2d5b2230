import TallystickCore
package import TallystickSQLite

/// The storage classes that the columns of a table may hold, according to its declaration.
///
/// STRICT tables enforce them for every statement, but somebody may change the schema, or the file, meanwhile. A
/// leaf has the same bytes for a TEXT and a BLOB, so readers of proved rows also check the storage classes.
package struct RowShape {
    private let columns: [String]
    /// A bit for each storage class that a column may have.
    private let allowed: [UInt8]

    /// - parameter columns: the first columns that a statement selects, in order.
    package init(
        of columns: [String],
        in table: String,
        _ connection: Connection
    ) throws(SQLiteError) {
        let info = try connection.prepare(
            "SELECT name, type, \"notnull\" OR pk > 0 FROM pragma_table_info(?1)"
        )
        try info.bindText(table, at: 1)
        var declared: [String: UInt8] = [:]
        while try info.step() {
            let null = info.int64(at: 2) != 0 ? 0 : Self.bit(.null)
            declared[info.text(at: 0)] = Self.classes(info.text(at: 1)) | null
        }
        self.columns = columns
        allowed = columns.map { declared[$0] ?? 0 }
    }

    private static func bit(_ type: ColumnType) -> UInt8 { 1 << UInt8(type.rawValue) }

    private static func classes(_ type: String) -> UInt8 {
        switch type {
        case "INTEGER", "INT": bit(.integer)
        case "REAL": bit(.real)
        case "TEXT": bit(.text)
        case "BLOB": bit(.blob)
        default: bit(.integer) | bit(.real) | bit(.text) | bit(.blob)
        }
    }

    /// The first column of the current row with a storage class that it may not have; nil if there is none.
    @inline(__always)
    package func fault(in row: some EventColumns) -> String? {
        for index in allowed.indices {
            let type = row.columnType(at: Int32(truncatingIfNeeded: index))
            if allowed[index] & 1 << UInt8(type.rawValue) == 0 {
                return "column \(columns[index]) holds \(Self.name(type))"
            }
        }
        return nil
    }

    /// SQLite's name of a storage class.
    package static func name(_ type: ColumnType) -> String {
        switch type {
        case .integer: "an INTEGER"
        case .real: "a REAL"
        case .text: "a TEXT"
        case .blob: "a BLOB"
        case .null: "NULL"
        }
    }
}

/// The required shape of a row of `events`, besides what its content and leaf cover.
package struct EventShape {
    private let types: RowShape

    package init(in connection: Connection) throws(SQLiteError) {
        let columns = EventColumn.list.split(separator: ",").map { column in
            String(column.drop { $0.isWhitespace }.dropFirst(2))
        }
        types = try RowShape(of: columns, in: "events", connection)
    }

    /// What is wrong with the current row of a statement that selects `EventColumn.list`; nil if nothing is.
    @inline(__always)
    package func fault(in row: some EventColumns) -> String? {
        if let fault = types.fault(in: row) { return fault }
        if let attributes = row.bytesIfPresent(at: EventColumn.attributes),
            !ContentShape.isAttributes(attributes)
        {
            return "column attributes holds no object of attributes"
        }
        let type = row.columnType(at: EventColumn.data)
        if type == .integer || type == .real { return "column data holds \(RowShape.name(type))" }
        if type == .text, !ContentShape.isOneValue(row.bytes(at: EventColumn.data)) {
            return "column data holds no JSON value"
        }
        return nil
    }
}
