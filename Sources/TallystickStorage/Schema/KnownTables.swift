package import TallystickSQLite

/// The names of tables that a foreign statement can refer to, in lower case.
package struct KnownTables {
    /// Those of the schema.
    package let objects: Set<String>
    /// SQLite's built-in virtual tables.
    private let modules: Set<String>

    /// - parameter connection: in phase `store`.
    package init(of connection: Connection) throws(SQLiteError) {
        func names(_ sql: String) throws(SQLiteError) -> Set<String> {
            Set(try connection.prepare(sql).all { $0.text(at: 0).lowercased() })
        }
        objects = try names("SELECT name FROM sqlite_schema")
        modules = try names("SELECT name FROM pragma_module_list")
    }

    /// Whether a table is a common table expression that the statement itself defines and of which it reads no
    /// column: the authorizer sees those only by name.
    package func isOfStatement(_ table: String, _ column: String) -> Bool {
        let table = table.lowercased()
        return column.isEmpty && !objects.contains(table) && !modules.contains(table)
            && !table.hasPrefix("pragma_") && !table.hasPrefix("sqlite_")
    }
}
