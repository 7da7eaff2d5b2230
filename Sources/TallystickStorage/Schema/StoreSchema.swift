import TallystickMigrations
package import TallystickSQLite

/// How a file is marked as a store, and with which schema.
package enum StoreSchema {
    /// "TALY", as SQLite's `application_id`.
    package static let applicationID: Int64 = 0x5441_4C59
    /// The schema that this release writes.
    package static var newest: Int { Migrations.all.count }

    /// The number of a store's schema.
    package static func version(of connection: Connection) throws(SQLiteError) -> Int {
        Int(try connection.prepare("PRAGMA user_version").optionalInt64() ?? 0)
    }
}
