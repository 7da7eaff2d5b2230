import TallystickSQLite

/// Where a projection writes: the transaction that also holds the replay's checkpoint.
///
/// Statements may read and write the projection's own tables, and call deterministic functions. An authorizer
/// refuses everything else: other tables, transaction control, ATTACH, PRAGMA, triggers, virtual tables, clocks and
/// random numbers. Valid only inside the call that it is handed to.
public final class ProjectionTransaction {
    private let connection: Connection
    private let authorizer: Authorizer
    private let name: String
    /// Read when it is first needed: the file's other projections are known only then.
    private var names: ProjectionNames?
    private var statements: [String: Statement] = [:]
    private var mayDefine = false
    private var isOpen = false
    /// A failure of the file, which no projection can answer for.
    private var failure: SQLiteError?

    private static let cachedStatements = 200

    init(_ connection: Connection, _ authorizer: Authorizer, named name: String) {
        self.connection = connection
        self.authorizer = authorizer
        self.name = name
    }

    /// Runs one statement that returns nothing of interest.
    ///
    /// - parameter sql: one statement.
    /// - parameter values: of `?1`, `?2` and so on.
    /// - throws: `StoreError` with `projectionInvalid` for what is not allowed, `queryFailed` for the rest.
    public func execute(_ sql: String, _ values: [SQLValue] = []) throws(StoreError) {
        try run(sql, values) { (statement) throws(SQLiteError) in try statement.run() }
    }

    /// Runs one statement and returns its rows.
    ///
    /// - parameter sql: one statement.
    /// - parameter values: of `?1`, `?2` and so on.
    /// - throws: as ``execute(_:_:)``.
    public func query(_ sql: String, _ values: [SQLValue] = []) throws(StoreError) -> [[SQLValue]] {
        var rows: [[SQLValue]] = []
        try run(sql, values) { (statement) throws(SQLiteError) in
            while try statement.step() {
                rows.append((0..<statement.columnCount).map { statement.value(at: $0) })
            }
            try statement.reset()
        }
        return rows
    }

    private func run(
        _ sql: String,
        _ values: [SQLValue],
        _ body: (Statement) throws(SQLiteError) -> Void
    ) throws(StoreError) {
        guard isOpen else {
            throw StoreError(
                .invalidArgument,
                during: "write to the projection",
                "its transaction is over",
                hint: "Use it only inside the call that it is handed to"
            )
        }
        do throws(SQLiteError) {
            let phase = try ownedNames().phase(mayDefine: mayDefine)
            try authorizer.during(phase) { () throws(SQLiteError) in
                let statement = try prepared(sql)
                statement.clearBindings()
                for (index, value) in values.enumerated() {
                    try statement.bind(value, at: Int32(clamping: index + 1))
                }
                try body(statement)
            }
        } catch {
            throw translated(error)
        }
    }

    private func ownedNames() throws(SQLiteError) -> ProjectionNames {
        if let names { return names }
        let found = try ProjectionNames(name, in: connection)
        names = found
        return found
    }

    private func prepared(_ sql: String) throws(SQLiteError) -> Statement {
        if let statement = statements[sql] { return statement }
        let statement = try connection.prepareOnly(sql)
        if statements.count >= Self.cachedStatements { statements.removeAll() }
        statements[sql] = statement
        return statement
    }

    private func translated(_ error: SQLiteError) -> StoreError {
        do throws(SQLiteError) {
            let reason = try ProjectionFailure.reason(error, authorizer, connection)
            let code: StoreError.Code =
                authorizer.denial == nil ? .queryFailed : .projectionInvalid
            return StoreError(code, during: "write to the projection", reason)
        } catch {
            failure = error
            return StoreError(error, during: "write to the projection")
        }
    }

    // MARK: For the replay

    /// Lets `body` write, until it returns.
    ///
    /// - throws: `SQLiteError` for a failure of the file, whatever `body` made of it; else what `body` throws.
    func whileOpen<Result>(mayDefine: Bool, _ body: () throws -> Result) throws -> Result {
        (isOpen, self.mayDefine, failure) = (true, mayDefine, nil)
        if mayDefine { names = nil }
        defer { isOpen = false }
        do {
            let result = try body()
            if let failure { throw failure }
            return result
        } catch {
            if let failure { throw failure }
            throw error
        }
    }
}
