import TallystickCore
import TallystickSQLite

/// Holds the tables of a projection, and those of its checkpoint, against what creates them.
///
/// A file that somebody else can write may hold a table of that name with other columns, generated columns or CHECK
/// constraints, a view in its place, or triggers. Triggers never run on our connections; the rest is refused here.
enum ProjectionSchema {
    private struct Object: Hashable {
        var type: String
        var name: String
        var table: String
        var sql: String
    }

    /// - parameter owns: whether an object belongs to what is checked, by its name or its table's.
    private static func objects(
        of connection: Connection,
        _ owns: (String) -> Bool
    ) throws -> Set<Object> {
        let rows = try connection.prepare(
            "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"
        )
        return Set(
            try rows.all { row in
                Object(
                    type: row.text(at: 0),
                    name: row.text(at: 1),
                    table: row.text(at: 2),
                    sql: row.text(at: 3)
                )
            }.filter { owns($0.name) || owns($0.table) }
        )
    }

    private static func compare(
        _ connection: Connection,
        with model: Connection,
        _ owns: (String) -> Bool
    ) throws {
        let (found, wanted) = (try objects(of: connection, owns), try objects(of: model, owns))
        guard let object = found.symmetricDifference(wanted).min(by: { $0.name < $1.name }) else {
            return
        }
        throw StoreError(
            .schemaAltered,
            during: "open the projection's tables",
            on: connection.path,
            "\(object.type) \(object.name) is not what creates it"
                + (found.contains(object) ? "" : ", or is missing"),
            hint: "Someone changed it; drop the replay, or start again with --rebuild"
        )
    }

    /// Makes sure that the tables of checkpoints in another file than the store are ours.
    static func checkCheckpointTables(of connection: Connection) throws {
        let model = try Connection(path: ":memory:", mode: .create)
        try model.execute(CheckpointRows.table)
        try model.execute(ReplayRows.parkedTable)
        try compare(connection, with: model) {
            $0.lowercased() == "replay_checkpoints" || $0.lowercased() == "parked_events"
        }
    }

    /// Makes sure that a projection's tables are what its setup creates.
    static func check(
        _ projection: String,
        _ makeDriver: DriverFactory,
        in connection: Connection
    ) throws {
        let model = try Connection(path: ":memory:", mode: .create)
        let authorizer = Authorizer()
        try model.install(authorizer)
        try makeDriver(model, authorizer).setUp()
        let names = try ProjectionNames(projection, in: connection)
        try compare(connection, with: model, names.owns)
        try checkDefaults(of: model, authorizer, names.phase(mayDefine: false))
    }

    /// Makes sure that columns have defaults that are the same at every run: SQLite asks no authorizer about them.
    private static func checkDefaults(
        of model: Connection,
        _ authorizer: Authorizer,
        _ phase: Authorizer.Phase
    ) throws {
        let defaults = try model.prepare(
            """
            SELECT t.name, c.name, c.dflt_value
            FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c
            WHERE t.type = 'table' AND c.dflt_value IS NOT NULL
            ORDER BY t.name, c.cid
            """
        )
        for (table, column, expression) in try defaults.all({
            ($0.text(at: 0), $0.text(at: 1), $0.text(at: 2))
        }) {
            // A bare word is a text there, and no column here: only what is refused counts.
            try? authorizer.during(phase) { _ = try model.prepareOnly("SELECT (\(expression))") }
            guard let denial = authorizer.denial else { continue }
            throw StoreError(
                .projectionInvalid,
                during: "read the projection",
                on: "table \(table)",
                "the default of column \(column): \(denial)",
                hint: "A projection's rows must be the same whenever it runs"
            )
        }
    }
}
