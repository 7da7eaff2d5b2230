import TallystickSQLite

/// Which tables of a file are a projection's: those that have its name, or begin with it and an underscore, but for
/// those that fit the longer name of another projection in the same file.
struct ProjectionNames {
    let projection: String
    /// The other projections in the file whose names fit this one's.
    private var longer: [String] = []
    /// The names of all tables and modules, in lower case.
    private var taken: Set<String> = []

    /// - parameter connection: of the file; in its phase `store`.
    init(_ projection: String, in connection: Connection) throws(SQLiteError) {
        self.projection = projection
        longer = try Self.others(than: projection, in: connection).filter {
            Self.fits(projection, $0)
        }
        let names = try connection.prepare(
            "SELECT name FROM sqlite_schema UNION ALL SELECT name FROM pragma_module_list"
        )
        taken = Set(try names.all { $0.text(at: 0).lowercased() })
    }

    /// Whether a table, view or index is the projection's.
    func owns(_ name: String) -> Bool {
        Self.fits(projection, name) && !longer.contains { Self.fits($0, name) }
    }

    /// Whether a statement may read a table, or a table of which it reads no column: one that it defines itself.
    func mayRead(_ table: String, _ column: String) -> Bool {
        if owns(table) { return true }
        let table = table.lowercased()
        return column.isEmpty && !taken.contains(table) && !table.hasPrefix("pragma_")
            && !table.hasPrefix("sqlite_")
    }

    /// What the projection's statements may do.
    func phase(mayDefine: Bool) -> Authorizer.Phase {
        .projection(owns: owns, reads: mayRead, mayDefine: mayDefine)
    }

    /// Whether a name is a projection's, or begins with it and an underscore.
    static func fits(_ projection: String, _ name: String) -> Bool {
        let name = name.lowercased()
        return name == projection || name.hasPrefix(projection + "_")
            || name.hasPrefix("sqlite_autoindex_\(projection)_")
    }

    /// The other projections that have tables in a file.
    private static func others(
        than projection: String,
        in connection: Connection
    ) throws(SQLiteError) -> [String] {
        let tables = try connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        let names = Set(try tables.all { $0.text(at: 0) })
        let list = ["projection_objects", "replay_checkpoints"].first { names.contains($0) }
        guard let list else { return [] }
        let rows = try connection.prepare("SELECT DISTINCT replay FROM \(list) WHERE replay <> ?1")
        try rows.bindText(projection, at: 1)
        return try rows.all { $0.text(at: 0) }
    }

    /// Refuses a new projection that would take tables from one that is there.
    static func refuseToTakeTables(
        for projection: String,
        in connection: Connection
    ) throws {
        let tables = try connection.prepare("SELECT tbl_name FROM sqlite_schema")
        let fitting = Set(try tables.all { $0.text(at: 0) }).filter { fits(projection, $0) }
        for other in try others(than: projection, in: connection) where fits(other, projection) {
            let names = try ProjectionNames(other, in: connection)
            guard let table = fitting.filter({ names.owns($0) }).min() else { continue }
            throw StoreError(
                .projectionInvalid,
                during: "set the projection up",
                on: "projection \(projection)",
                "the table \(table) belongs to the replay '\(other)'",
                hint: "Choose another name for one of them"
            )
        }
    }
}
