package import TallystickSQLite

/// Which tables of a file belong to a projection: those that have its name, or begin with it and an underscore,
/// except those that match the longer name of another projection in the same file.
package struct ProjectionNames {
    package let projection: String
    /// The other projections in the file whose names match this one's.
    private let longer: [String]
    private let known: KnownTables

    /// - parameter connection: to the file; in phase `store`.
    package init(_ projection: String, in connection: Connection) throws(SQLiteError) {
        self.projection = projection
        known = try KnownTables(of: connection)
        longer = try Self.others(than: projection, in: connection, known).filter {
            Self.fits(projection, $0)
        }
    }

    /// Whether a table, view or index is the projection's.
    package func owns(_ name: String) -> Bool {
        Self.fits(projection, name) && !longer.contains { Self.fits($0, name) }
    }

    /// Whether a statement may read a table, or a table of which it reads no column: one that it defines itself.
    package func mayRead(_ table: String, _ column: String) -> Bool {
        owns(table) || known.isOfStatement(table, column)
    }

    /// What the projection's statements may do.
    package func phase(mayDefine: Bool) -> Authorizer.Phase {
        .projection(owns: owns, reads: mayRead, mayDefine: mayDefine)
    }

    /// Whether a name is that of a projection, or begins with it and an underscore.
    package static func fits(_ projection: String, _ name: String) -> Bool {
        let name = name.lowercased()
        return name == projection || name.hasPrefix(projection + "_")
            || name.hasPrefix("sqlite_autoindex_\(projection)_")
    }

    /// The other projections that have tables in a file.
    private static func others(
        than projection: String,
        in connection: Connection,
        _ known: KnownTables
    ) throws(SQLiteError) -> [String] {
        // A store records who owns which objects, and may hold the checkpoint of a sink; other files only contain
        // projections.
        let list = ["projection_objects", "replay_checkpoints"].first(where: known.objects.contains)
        guard let list else { return [] }
        let rows = try connection.prepare("SELECT DISTINCT replay FROM \(list) WHERE replay <> ?1")
        try rows.bindText(projection, at: 1)
        return try rows.all { $0.text(at: 0) }
    }

    /// Refuses a new projection that would take tables from an existing one.
    package static func refuseToTakeTables(
        for projection: String,
        in connection: Connection
    ) throws {
        let known = try KnownTables(of: connection)
        let fitting = known.objects.filter { fits(projection, $0) }
        for other in try others(than: projection, in: connection, known)
        where fits(other, projection) {
            let names = try ProjectionNames(other, in: connection)
            guard let table = fitting.filter(names.owns).min() else { continue }
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
