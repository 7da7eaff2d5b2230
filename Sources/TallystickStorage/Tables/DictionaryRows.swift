package import TallystickSQLite

/// One of the dictionary tables, which map names in proved rows to short ids.
package enum NameDictionary: Int, CaseIterable {
    case sources, origins, streams, types, categories

    package var table: String {
        switch self {
        case .sources: "sources"
        case .origins: "origins"
        case .streams: "streams"
        case .types: "types"
        case .categories: "categories"
        }
    }

    package var idColumn: String {
        switch self {
        case .sources: "source_id"
        case .origins: "origin_id"
        case .streams: "stream_id"
        case .types: "type_id"
        case .categories: "category_id"
        }
    }
}

/// Reads and adds names of one dictionary table.
package struct DictionaryRows {
    private let selectID: Statement
    private let selectName: Statement
    private let selectNames: Statement
    private let insert: Statement
    private let selectLast: Statement

    package init(_ dictionary: NameDictionary, in connection: Connection) throws(SQLiteError) {
        let (table, id) = (dictionary.table, dictionary.idColumn)
        selectID = try connection.prepare("SELECT \(id) FROM \(table) WHERE name = ?1")
        selectName = try connection.prepare("SELECT name FROM \(table) WHERE \(id) = ?1")
        selectNames = try connection.prepare(
            "SELECT \(id), name FROM \(table) WHERE \(id) BETWEEN ?1 AND ?2"
        )
        insert = try connection.prepare("INSERT INTO \(table) (\(id), name) VALUES (?1, ?2)")
        selectLast = try connection.prepare("SELECT coalesce(max(\(id)), 0) FROM \(table)")
    }

    /// The id of a name, if the table contains it.
    package func id(of name: UnsafeRawBufferPointer) throws(SQLiteError) -> Int64? {
        try selectID.bindText(name, at: 1, copy: false)
        return try selectID.optionalInt64()
    }

    /// The largest id in use; 0 when the table is empty.
    package func lastID() throws(SQLiteError) -> Int64 {
        try selectLast.optionalInt64() ?? 0
    }

    package func add(_ name: UnsafeRawBufferPointer, id: Int64) throws(SQLiteError) {
        try insert.bind(id, at: 1)
        try insert.bindText(name, at: 2, copy: false)
        try insert.run()
    }

    /// Calls `body` with the ids of a range that are in use, and their names.
    package func forEachName(
        in range: ClosedRange<Int64>,
        _ body: (Int64, UnsafeRawBufferPointer) -> Void
    ) throws(SQLiteError) {
        try selectNames.bind(range.lowerBound, at: 1)
        try selectNames.bind(range.upperBound, at: 2)
        while try selectNames.step() { body(selectNames.int64(at: 0), selectNames.bytes(at: 1)) }
        try selectNames.reset()
    }

    /// The name of an id, if the table contains it.
    package func name(of id: Int64) throws(SQLiteError) -> [UInt8]? {
        try selectName.bind(id, at: 1)
        return try selectName.first { statement in statement.blob(at: 0) }
    }
}
