package import TallystickSQLite

/// The names of tables that a statement of somebody else can mean, in lower case.
package struct KnownTables {
    /// Of the schema.
    package let objects: Set<String>
    /// Virtual tables that SQLite brings along.
    private let modules: Set<String>

    /// - parameter connection: in its phase `store`.
    package init(of connection: Connection) throws(SQLiteError) {
        func names(_ sql: String) throws(SQLiteError) -> Set<String> {
            Set(try connection.prepare(sql).all { $0.text(at: 0).lowercased() })
        }
        objects = try names("SELECT name FROM sqlite_schema")
        modules = try names("SELECT name FROM pragma_module_list")
    }

    /// Whether a table is one that the statement defines itself, a common table expression, of which it reads no
    /// column: the authorizer is asked about those by name.
    package func isOfStatement(_ table: String, _ column: String) -> Bool {
        let table = table.lowercased()
        return column.isEmpty && !objects.contains(table) && !modules.contains(table)
            && !table.hasPrefix("pragma_") && !table.hasPrefix("sqlite_")
    }
}
