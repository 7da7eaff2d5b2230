import TallystickCore
import TallystickMigrations
package import TallystickSQLite

/// Checks a store's schema against its migrations.
///
/// Every table, index, view and trigger must be one that the migrations create, with the same text, or belong to a
/// projection. In that case it must be a table, view or index, never a trigger; its name must be the projection's
/// own; and it must be recorded with this text in `projection_objects`. A row there permits nothing else.
package enum SchemaCheck {
    /// A row of `sqlite_schema`.
    private struct SchemaObject: Hashable {
        var type: String
        var name: String
        var table: String
        var sql: String
    }

    /// The objects that migrations create, by the number of applied migrations; computed once per process.
    private static let models = POSIXMutex<[Int: Set<SchemaObject>]>([:])

    /// - parameter toleratesDamage: whether to skip tables about the schema that SQLite cannot read.
    /// - throws: `schemaAltered`, with the name of the first object that differs.
    package static func check(
        _ connection: Connection,
        _ path: String,
        toleratesDamage: Bool = false
    ) throws {
        let present = try StoreSchema.version(of: connection)
        let objects = try objects(of: connection)
        if try !isKnown(objects, present, connection) {
            try compare(objects, with: model(present), connection, path, toleratesDamage)
        }
        // At this point the table is known to exist.
        _ = try passing(over: toleratesDamage) { try checkDigests(of: connection, present, path) }
    }

    /// Names the first object that the migrations do not create like this.
    private static func compare(
        _ objects: [SchemaObject],
        with model: Set<SchemaObject>,
        _ connection: Connection,
        _ path: String,
        _ toleratesDamage: Bool
    ) throws {
        // If the table itself was changed, it cannot be read, and nothing belongs to a projection.
        let record = try projectionRecord(connection)
        var missing = model
        var projectionTables: Set<String> = []
        // The index that SQLite creates for a table comes after it, and has no text.
        var automatic: [SchemaObject] = []
        for object in objects {
            if missing.remove(object) != nil { continue }
            if object.type == "index", object.sql.isEmpty {
                automatic.append(object)
            } else if try passing(
                over: toleratesDamage,
                { try belongsToProjection(object, record) }
            )
                ?? true
            {
                if object.type == "table" { projectionTables.insert(object.name) }
            } else {
                throw altered(object, model, path)
            }
        }
        for object in automatic where !projectionTables.contains(object.table) {
            throw altered(object, model, path)
        }
        if let object = missing.min(by: { $0.name < $1.name }) {
            throw altered("\(object.type) \(object.name)", "is missing", path)
        }
    }

    private static func objects(of connection: Connection) throws(SQLiteError) -> [SchemaObject] {
        try connection.prepare("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema")
            .all { row in
                SchemaObject(
                    type: row.text(at: 0),
                    name: row.text(at: 1),
                    table: row.text(at: 2),
                    sql: row.text(at: 3)
                )
            }
    }

    /// Whether the objects are, by their digest, those that the migrations create, and no others.
    ///
    /// Running the migrations to compare each object takes much longer: it is left for what is not known, to say what
    /// differs.
    private static func isKnown(
        _ objects: [SchemaObject],
        _ count: Int,
        _ connection: Connection
    ) throws -> Bool {
        guard let known = Migrations.schemaDigests[count] else { return false }
        let owned = try passing(over: true) { () throws -> [SchemaObject]? in
            guard let record = try projectionRecord(connection),
                let names = try projectionObjects(connection, "name")?.all({ $0.text(at: 0) })
            else { return nil }
            let recorded = Set(names)
            return try objects.filter {
                recorded.contains($0.name) ? try belongsToProjection($0, record) : false
            }
        }
        guard let owned = owned ?? nil else { return false }
        let (names, tables) = (Set(owned.map(\.name)), Set(owned.map(\.table)))
        let core = objects.filter { object in
            let isAutomatic = object.type == "index" && object.sql.isEmpty
            return !(isAutomatic ? tables.contains(object.table) : names.contains(object.name))
        }
        return digest(of: core) == known
    }

    /// The SHA-256, in hexadecimal, of what the first migrations create.
    package static func digest(ofMigrations count: Int) throws -> String {
        digest(of: Array(try model(count)))
    }

    private static func digest(of objects: [SchemaObject]) -> String {
        let lines = objects.map { object in
            [object.type, object.name, object.table, object.sql]
                .map { "\($0.utf8.count):\($0)" }.joined()
        }
        return SHA256Digest(hashing: Array(lines.sorted().joined(separator: "\n").utf8)).hex
    }

    /// - returns: nil if pages are damaged, and that is tolerated.
    private static func passing<Result>(
        over isTolerated: Bool,
        _ body: () throws -> Result
    ) throws -> Result? {
        do {
            return try body()
        } catch  where isTolerated && StoreError.isCorruption(error) {
            return nil
        }
    }

    private static func projectionRecord(
        _ connection: Connection
    ) throws(SQLiteError) -> Statement? {
        try projectionObjects(connection, "replay, type, coalesce(sql, '')", "WHERE name = ?1")
    }

    /// A statement over the record of projections; nil where the table or a column of it does not exist. Any other
    /// failure says nothing about the schema.
    private static func projectionObjects(
        _ connection: Connection,
        _ columns: String,
        _ condition: String = ""
    ) throws(SQLiteError) -> Statement? {
        do throws(SQLiteError) {
            return try connection.prepare("SELECT \(columns) FROM projection_objects \(condition)")
        } catch {
            guard error.kind == .statement else { throw error }
            return nil
        }
    }

    private static func belongsToProjection(
        _ object: SchemaObject,
        _ record: Statement?
    ) throws -> Bool {
        guard let record, ["table", "view", "index"].contains(object.type) else { return false }
        try record.bindText(object.name, at: 1)
        let recorded = try record.first { ($0.text(at: 0), $0.text(at: 1), $0.text(at: 2)) }
        guard let (replay, type, sql) = recorded, type == object.type, sql == object.sql else {
            return false
        }
        return ProjectionNames.fits(replay, object.name)
            && (object.type != "index" || ProjectionNames.fits(replay, object.table))
    }

    /// The tables that migrations create, by the number of applied migrations.
    package static func tables(_ count: Int) throws -> Set<String> {
        Set(try model(count).filter { $0.type == "table" }.map(\.name))
    }

    private static func model(_ count: Int) throws -> Set<SchemaObject> {
        if let model = models.withLock({ $0[count] }) { return model }
        let connection = try Connection(path: ":memory:", mode: .create)
        for migration in Migrations.all.prefix(count) { try connection.execute(migration.sql) }
        let model = Set(try objects(of: connection))
        models.withLock { $0[count] = model }
        return model
    }

    private static func checkDigests(
        of connection: Connection,
        _ count: Int,
        _ path: String
    ) throws {
        let rows = try connection.prepare(
            "SELECT number, name, sha256 FROM schema_migrations ORDER BY number"
        )
        var number = 0
        while try rows.step() {
            number += 1
            guard number <= Migrations.all.count, rows.int64(at: 0) == Int64(number),
                rows.text(at: 1) == Migrations.all[number - 1].name,
                rows.text(at: 2) == SchemaMigrator.digest(Migrations.all[number - 1])
            else { throw altered("migration \(number)", "is not the one of this release", path) }
        }
        guard number == count else {
            throw altered("schema_migrations", "does not list \(count) migrations", path)
        }
    }

    private static func altered(
        _ object: SchemaObject,
        _ model: Set<SchemaObject>,
        _ path: String
    ) -> StoreError {
        let isKnown = model.contains { $0.type == object.type && $0.name == object.name }
        return altered(
            "\(object.type) \(object.name)",
            isKnown ? "differs from the schema" : "is not part of the schema",
            path
        )
    }

    private static func altered(_ object: String, _ what: String, _ path: String) -> StoreError {
        StoreError(
            .schemaAltered,
            during: "check the schema",
            on: path,
            "\(object) \(what)",
            hint: "Someone changed the schema; restore a backup, or undo the change"
        )
    }
}
