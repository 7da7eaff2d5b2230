/// Remembers which schema of a database was accepted, by SQLite's schema cookie, which every schema change
/// increments (sqlite.org/pragma.html#pragma_schema_version).
final class SchemaWatch {
    private let validate: (Connection) throws -> Void
    private var accepted: Int64?

    init(_ validate: @escaping (Connection) throws -> Void) { self.validate = validate }

    /// Checks the schema if it is not the one that was accepted last.
    func check(_ connection: Connection) throws {
        let cookie = try connection.cached("PRAGMA schema_version")
        let current = try cookie.step() ? cookie.int64(at: 0) : 0
        try cookie.reset()
        guard current != accepted else { return }
        try connection.loadSchema()
        try validate(connection)
        accepted = current
    }
}
