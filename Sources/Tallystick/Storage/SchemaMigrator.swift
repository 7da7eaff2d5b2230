import TallystickCore
import TallystickMigrations
import TallystickSQLite

/// Brings a store's schema up to date, and holds it against the migrations.
enum SchemaMigrator {
    /// Applies the migrations that a store lacks, in one transaction.
    static func migrate(_ connection: Connection, clock: () -> Int64) throws {
        try connection.execute("BEGIN IMMEDIATE")
        do {
            let present = try StoreFile.version(of: connection)
            for migration in Migrations.all.dropFirst(present) {
                try connection.execute(migration.sql)
                let record = try connection.prepare(
                    """
                    INSERT INTO schema_migrations (number, name, sha256, applied_at)
                    VALUES (?1, ?2, ?3, ?4)
                    """
                )
                try record.bind(Int64(migration.number), at: 1)
                try record.bindText(migration.name, at: 2)
                try record.bindText(digest(migration), at: 3)
                try record.bind(clock(), at: 4)
                try record.run()
            }
            try connection.execute("PRAGMA user_version = \(Migrations.all.count)")
            try connection.execute("PRAGMA application_id = \(StoreFile.applicationID)")
            try connection.execute("COMMIT")
        } catch {
            if !connection.isAutocommit { try connection.execute("ROLLBACK") }
            throw error
        }
    }

    private static func digest(_ migration: Migration) -> String {
        SHA256Digest(hashing: Array(migration.sql.utf8)).hex
    }

    /// Makes sure that every table, index, view and trigger is what the migrations create, but for those
    /// of projections.
    ///
    /// - throws: `schemaAltered`, with the name of the first object that differs.
    static func checkObjects(of connection: Connection, _ path: String) throws {
        let present = try StoreFile.version(of: connection)
        let model = try Connection(path: ":memory:", mode: .create)
        for migration in Migrations.all.prefix(present) { try model.execute(migration.sql) }
        try checkDigests(of: connection, present, path)
        var expected = try objects(of: model)
        let projections = try projectionObjects(of: connection)
        for (name, object) in try objects(of: connection) {
            guard let wanted = expected.removeValue(forKey: name) else {
                if projections.contains(where: { object.isPart(of: $0) }) { continue }
                throw altered("\(object.type) \(name)", "is not part of the schema", path)
            }
            guard wanted == object else {
                throw altered("\(object.type) \(name)", "differs from the schema", path)
            }
        }
        if let missing = expected.keys.min() {
            throw altered(missing, "is missing", path)
        }
    }

    private static func checkDigests(
        of connection: Connection,
        _ count: Int,
        _ path: String
    ) throws {
        let rows = try connection.prepare(
            "SELECT number, sha256 FROM schema_migrations ORDER BY number"
        )
        var number = 0
        while try rows.step() {
            number += 1
            guard number <= Migrations.all.count, rows.int64(at: 0) == Int64(number),
                rows.text(at: 1) == digest(Migrations.all[number - 1])
            else { throw altered("migration \(number)", "is not the one of this release", path) }
        }
        guard number == count else {
            throw altered("schema_migrations", "does not list \(count) migrations", path)
        }
    }

    private struct SchemaObject: Equatable {
        var type: String
        var name: String
        var table: String
        var sql: String

        func isPart(of projection: String) -> Bool { name == projection || table == projection }
    }

    private static func objects(of connection: Connection) throws -> [String: SchemaObject] {
        let rows = try connection.prepare(
            "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"
        )
        var objects: [String: SchemaObject] = [:]
        while try rows.step() {
            let object = SchemaObject(
                type: rows.text(at: 0),
                name: rows.text(at: 1),
                table: rows.text(at: 2),
                sql: rows.text(at: 3)
            )
            objects[object.name] = object
        }
        return objects
    }

    private static func projectionObjects(of connection: Connection) throws -> [String] {
        let rows = try connection.prepare("SELECT name FROM projection_objects")
        var names: [String] = []
        while try rows.step() { names.append(rows.text(at: 0)) }
        return names
    }

    private static func altered(_ object: String, _ what: String, _ path: String) -> StoreError {
        StoreError(
            .schemaAltered,
            during: "open the store",
            on: path,
            "\(object) \(what)",
            hint: "Someone changed the schema; restore a backup, or undo the change"
        )
    }
}
