import CTallystickSQLite

/// Controls what statements may do, for the whole life of a connection.
///
/// One authorizer stays set, because setting one expires every prepared statement. What it allows depends on the
/// phase, which is set around each prepare and each step (after a schema change, SQLite prepares again inside a
/// step). Actions inside views and triggers are checked against the tables that they touch.
public final class Authorizer {
    /// The kind of statement being prepared or run.
    public enum Phase {
        /// The store's own statements: everything is allowed.
        case store
        /// Statements of a projection: they may use tables whose names `owns` accepts, read what `reads` accepts,
        /// and nothing else. The column is empty if a statement names a table but none of its columns.
        case projection(
            owns: (String) -> Bool,
            reads: (_ table: String, _ column: String) -> Bool,
            mayDefine: Bool
        )
        /// Statements by a user: they may read the columns of tables that `reads` accepts, and nothing else.
        /// SQLite's own virtual tables count as tables. The column is empty if a statement names a table but none
        /// of its columns; such a table may be one that the statement itself defines.
        case query(reads: (_ table: String, _ column: String) -> Bool)
    }

    public private(set) var phase = Phase.store
    /// Description of the last refusal since the phase began.
    public private(set) var denial: String?

    public init() {}

    /// Runs `body` in a phase.
    public func during<Result, Failure: Error>(
        _ phase: Phase,
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let previous = self.phase
        self.phase = phase
        denial = nil
        defer { self.phase = previous }
        return try body()
    }

    func evaluate(_ action: Int32, _ first: String?, _ second: String?) -> Int32 {
        let refusal: String?
        switch phase {
        case .store: return SQLITE_OK
        case .query(let reads): refusal = Self.refusalOfQuery(action, first, second, reads)
        case .projection(let owns, let reads, let mayDefine):
            refusal = Self.refusalOfProjection(action, first, second, owns, reads, mayDefine)
        }
        guard let refusal else { return SQLITE_OK }
        if denial == nil { denial = refusal }
        return SQLITE_DENY
    }

    private static func refusalOfQuery(
        _ action: Int32,
        _ first: String?,
        _ second: String?,
        _ reads: (String, String) -> Bool
    ) -> String? {
        switch action {
        case SQLITE_SELECT, SQLITE_RECURSIVE: nil
        case SQLITE_READ:
            reads(first ?? "", second ?? "")
                ? nil
                : "reading \(first ?? "") is not allowed: it is not a table or view of the store"
        case SQLITE_FUNCTION: refusalOfFunction(second, Functions.query)
        default: name(action, first) + " is not allowed: a query only reads"
        }
    }

    private static func refusalOfProjection(
        _ action: Int32,
        _ first: String?,
        _ second: String?,
        _ owns: (String) -> Bool,
        _ reads: (String, String) -> Bool,
        _ mayDefine: Bool
    ) -> String? {
        let table = first ?? ""
        switch action {
        case SQLITE_SELECT, SQLITE_RECURSIVE: return nil
        case SQLITE_FUNCTION: return refusalOfFunction(second, Functions.projection)
        case SQLITE_READ:
            return reads(table, second ?? "") || table == "json_each" || table == "json_tree"
                || (mayDefine && table == "sqlite_master")
                ? nil : "reading table \(table) is not allowed: a projection reads its own tables"
        case SQLITE_INSERT, SQLITE_UPDATE, SQLITE_DELETE:
            return owns(table) || (mayDefine && table == "sqlite_master")
                ? nil : "writing table \(table) is not allowed: a projection writes its own tables"
        case SQLITE_CREATE_TABLE, SQLITE_CREATE_VIEW:
            return mayDefine && owns(table)
                ? nil
                : name(action, first)
                    + " is not allowed: only setup creates a projection's own tables"
        case SQLITE_CREATE_INDEX:
            return mayDefine && owns(table) && owns(second ?? "")
                ? nil
                : name(action, first)
                    + " is not allowed: only setup creates a projection's own indexes"
        case SQLITE_REINDEX: return mayDefine ? nil : "REINDEX is not allowed"
        default: return name(action, first) + " is not allowed in a projection"
        }
    }

    private static func refusalOfFunction(_ function: String?, _ allowed: Set<String>) -> String? {
        let function = (function ?? "").lowercased()
        return allowed.contains(function) ? nil : "the function \(function)() is not allowed"
    }

    private static func name(_ action: Int32, _ first: String?) -> String {
        let words: [Int32: String] = [
            SQLITE_CREATE_INDEX: "CREATE INDEX", SQLITE_CREATE_TABLE: "CREATE TABLE",
            SQLITE_CREATE_TEMP_INDEX: "CREATE TEMP INDEX",
            SQLITE_CREATE_TEMP_TABLE: "CREATE TEMP TABLE",
            SQLITE_CREATE_TEMP_TRIGGER: "CREATE TEMP TRIGGER",
            SQLITE_CREATE_TEMP_VIEW: "CREATE TEMP VIEW", SQLITE_CREATE_TRIGGER: "CREATE TRIGGER",
            SQLITE_CREATE_VIEW: "CREATE VIEW", SQLITE_DELETE: "DELETE",
            SQLITE_DROP_INDEX: "DROP INDEX", SQLITE_DROP_TABLE: "DROP TABLE",
            SQLITE_DROP_TRIGGER: "DROP TRIGGER", SQLITE_DROP_VIEW: "DROP VIEW",
            SQLITE_INSERT: "INSERT", SQLITE_PRAGMA: "PRAGMA",
            SQLITE_UPDATE: "UPDATE", SQLITE_ATTACH: "ATTACH", SQLITE_DETACH: "DETACH",
            SQLITE_ALTER_TABLE: "ALTER TABLE", SQLITE_REINDEX: "REINDEX",
            SQLITE_ANALYZE: "ANALYZE", SQLITE_CREATE_VTABLE: "CREATE VIRTUAL TABLE",
            SQLITE_DROP_VTABLE: "DROP VIRTUAL TABLE",
        ]
        let word = words[action] ?? transactionWords[action] ?? "action \(action)"
        return first.map { $0.isEmpty ? word : "\(word) (\($0))" } ?? word
    }
}

/// Functions that foreign statements may call: an allow list, because later releases of SQLite add more.
enum Functions {
    private static let deterministic: Set<String> = [
        "abs", "char", "coalesce", "format", "glob", "hex", "ifnull", "iif", "instr", "length",
        "like",
        "likely", "likelihood", "lower", "ltrim", "max", "min", "nullif", "printf", "quote",
        "replace",
        "round", "rtrim", "sign", "substr", "substring", "trim", "typeof", "unicode", "unlikely",
        "upper",
        "avg", "count", "group_concat", "sum", "total", "row_number", "rank", "dense_rank", "ntile",
        "percent_rank", "cume_dist", "lag", "lead", "first_value", "last_value", "nth_value",
        "json", "json_array", "json_array_length", "json_extract", "->", "->>", "json_insert",
        "json_object", "json_patch", "json_remove", "json_replace", "json_set", "json_type",
        "json_valid", "json_quote", "json_group_array", "json_group_object", "json_each",
        "json_tree",
        "acos", "asin", "atan", "atan2", "ceil", "ceiling", "cos", "degrees", "exp", "floor", "ln",
        "log", "log10", "log2", "mod", "pi", "pow", "power", "radians", "sin", "sqrt", "tan",
        "trunc",
    ]

    /// A projection must give the same result whenever it runs: no clock, no randomness.
    static let projection = deterministic

    static let query = deterministic.union([
        "date", "time", "datetime", "julianday", "strftime", "unixepoch", "current_date",
        "current_time", "current_timestamp", "sqlite_version", "changes", "total_changes",
    ])
}

extension Connection {
    /// Sets the connection's authorizer, once and for all; the connection keeps it alive.
    public func install(_ authorizer: Authorizer) throws(SQLiteError) {
        keepAlive(authorizer)
        // The first use of a table-valued function on a connection requires UPDATE on the schema table, which
        // foreign phases do not allow, so we make that first use ourselves.
        _ = try prepare("SELECT 1 FROM json_each('[]'), json_tree('[]')")
        sqlite3_set_authorizer(
            handle,
            { context, action, first, second, _, _ in
                guard let context else { return SQLITE_DENY }
                return Unmanaged<Authorizer>.fromOpaque(context).takeUnretainedValue().evaluate(
                    action,
                    first.map { String(cString: $0) },
                    second.map { String(cString: $0) }
                )
            },
            Unmanaged.passUnretained(authorizer).toOpaque()
        )
    }
}
