import TallystickCore
import TallystickSQLite

/// Limits of a query.
public struct QueryLimits: Sendable {
    /// The maximum duration.
    public var duration: Duration = .seconds(60)
    /// The maximum number of rows; nil for any number.
    public var rows: Int?
    /// Maximum bytes of one value, and of the values of one row.
    public var valueBytes: Int32 = 64 << 20
    /// Maximum bytes of memory that SQLite may use while the query runs; nil for no limit. SQLite counts the whole
    /// process, including other connections, so a program that does other work meanwhile has to allow for it.
    public var memoryBytes: Int64?

    /// The defaults: 60 seconds, any number of rows, 64 MiB per value.
    public init() {}
}

extension EventStore {
    /// Runs one read-only statement and passes on its rows as they arrive.
    ///
    /// The statement runs on a read-only connection, under an authorizer that denies everything except reading: it
    /// cannot write, attach, load or change settings.
    ///
    /// - parameter sql: one statement that reads.
    /// - parameter parameters: values of `:name`, `@name` and `$name` by name, without the prefix.
    /// - parameter limits: how long the query may take, and how much it may return.
    /// - parameter onColumns: called once, with the names of the columns.
    /// - parameter onRow: called for each row; returns false to end the query.
    /// - throws: `StoreError`: `queryDenied`, `queryFailed`, `limitReached` (earlier rows were passed on),
    ///   `interrupted` if the task is cancelled.
    public func query(
        _ sql: String,
        parameters: [String: SQLValue] = [:],
        limits: QueryLimits = QueryLimits(),
        onColumns: @escaping @Sendable ([String]) throws -> Void = { _ in },
        onRow: @escaping @Sendable ([SQLValue]) throws -> Bool
    ) async throws(StoreError) {
        let (path, options) = (path, options)
        let stop = StopFlag()
        try await Self.attempt("query", path) {
            try await withTaskCancellationHandler {
                try await runOnThread {
                    let session = try QuerySession(path, options, limits, stop)
                    try session.run(sql, parameters, onColumns, onRow)
                }
            } onCancel: {
                stop.set()
            }
        }
    }
}

/// One statement by a user, on its own connection.
final class QuerySession {
    private let connection: Connection
    private let authorizer = Authorizer()
    private let guardian = ProgressGuard()
    private let tables: QueryTables
    private let limits: QueryLimits
    private let stop: StopFlag

    init(
        _ path: String,
        _ options: StoreOptions,
        _ limits: QueryLimits,
        _ stop: StopFlag
    ) throws {
        self.limits = limits
        self.stop = stop
        connection = try StoreFile.openForReading(path, options)
        tables = try QueryTables(of: connection)
        try connection.install(authorizer)
        try connection.trustCheckedSchema()
        connection.install(guardian)
        try connection.keepTemporaryTablesInMemory()
        connection.limit(valueBytes: limits.valueBytes)
        guardian.isCancelled = { stop.isSet }
        let (seconds, attoseconds) = limits.duration.components
        let nanoseconds =
            UInt64(clamping: seconds) &* 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
        guardian.deadline = ProgressGuard.now() &+ nanoseconds
    }

    func run(
        _ sql: String,
        _ parameters: [String: SQLValue],
        _ onColumns: ([String]) throws -> Void,
        _ onRow: ([SQLValue]) throws -> Bool
    ) throws {
        let before = limits.memoryBytes.map { SQLiteLibrary.limitMemory(bytes: $0) }
        defer { if let before { SQLiteLibrary.limitMemory(bytes: before) } }
        let tables = tables
        do {
            // The statement sees the schema that was accepted.
            try connection.read {
                try authorizer.during(.query(reads: tables.mayRead)) {
                    let statement = try connection.prepareOnly(sql)
                    // REINDEX of a table without indexes writes nothing, but is not a query either.
                    guard statement.isReadOnly, statement.columnCount > 0 else {
                        throw denied("a query only reads")
                    }
                    try bind(parameters, to: statement)
                    try onColumns((0..<statement.columnCount).map { statement.columnName(at: $0) })
                    try readRows(statement, onRow)
                }
            }
        } catch let error as SQLiteError {
            throw translate(error)
        }
    }

    private func readRows(_ statement: Statement, _ onRow: ([SQLValue]) throws -> Bool) throws {
        var rows = 0
        while try statement.step() {
            if let limit = limits.rows, rows >= limit {
                throw StoreError(
                    .limitReached,
                    during: "query",
                    "there are more than \(limit) rows",
                    hint: "Add a LIMIT, or raise --max-rows"
                )
            }
            rows += 1
            guard statement.rowBytes <= Int(limits.valueBytes) else {
                throw StoreError(
                    .limitReached,
                    during: "query",
                    on: "row \(rows)",
                    "its values have more than \(limits.valueBytes) bytes together",
                    hint: "Select fewer columns, or substr() of the long ones"
                )
            }
            let row = (0..<statement.columnCount).map { statement.value(at: $0) }
            guard try onRow(row) else { break }
        }
        try statement.reset()
    }

    private func bind(_ parameters: [String: SQLValue], to statement: Statement) throws {
        var known: Set<String> = []
        for index in 1..<max(1, statement.parameterCount + 1) {
            guard let name = statement.parameterName(at: index) else {
                throw StoreError(
                    .queryFailed,
                    during: "query",
                    "a parameter has no name",
                    hint: "Write :name in the statement and -p name value"
                )
            }
            let bare = String(name.dropFirst())
            known.insert(bare)
            guard let value = parameters[bare] else {
                throw StoreError(
                    .queryFailed,
                    during: "query",
                    on: "parameter \(name)",
                    "it has no value",
                    hint: "Add -p \(bare) VALUE"
                )
            }
            try statement.bind(value, at: index)
        }
        if let unknown = parameters.keys.filter({ !known.contains($0) }).min() {
            throw StoreError(
                .queryFailed,
                during: "query",
                on: "parameter \(unknown)",
                "the statement has no such parameter",
                hint: "Write :\(unknown) in the statement"
            )
        }
    }

    private func denied(_ reason: String) -> StoreError {
        StoreError(
            .queryDenied,
            during: "query",
            reason,
            hint: "Use the commands of tally to change a store"
        )
    }

    private func translate(_ error: SQLiteError) -> StoreError {
        if let denial = authorizer.denial { return denied(denial) }
        switch error.kind {
        case .statement, .constraint, .denied: break
        case .interrupted:
            return guardian.isTimeUsedUp
                ? StoreError(
                    .limitReached,
                    during: "query",
                    "the query reached its time limit",
                    hint: "Search by event_id, stream or position, or raise --max-time"
                )
                : StoreError(.interrupted, during: "query", "it was stopped")
        case .tooBig:
            return StoreError(
                .limitReached,
                during: "query",
                "a value would have more than \(limits.valueBytes) bytes"
            )
        case .outOfMemory where limits.memoryBytes != nil:
            return StoreError(
                .limitReached,
                during: "query",
                "the query reached its memory limit",
                hint: "Sort, group or join less at a time, or raise --max-memory"
            )
        case .busy, .outOfMemory, .inputOutput, .diskFull, .cannotOpen, .notPermitted, .moved,
            .corrupt,
            .notADatabase, .misuse, .none:
            return StoreError(error, during: "query", on: connection.path)
        }
        let place = error.offset.map { " at byte \($0) of the statement" } ?? ""
        return StoreError(
            .queryFailed,
            during: "query",
            error.message + place,
            hint:
                "SELECT name, sql FROM sqlite_schema WHERE type = 'view' lists the views and their columns"
        )
    }
}

/// The objects that a query may read.
private struct QueryTables {
    /// The objects that a query may use besides the store's own.
    private static let others: Set = ["json_each", "json_tree", "sqlite_schema", "sqlite_master"]
    private let known: KnownTables

    init(of connection: Connection) throws(SQLiteError) {
        known = try KnownTables(of: connection)
    }

    func mayRead(_ table: String, _ column: String) -> Bool {
        let name = table.lowercased()
        return known.objects.contains(name) || Self.others.contains(name)
            || known.isOfStatement(name, column)
    }
}
