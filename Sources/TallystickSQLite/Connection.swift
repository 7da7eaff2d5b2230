import CTallystickSQLite
import Glibc

/// A connection to one database. It has a single owner and is not Sendable.
public final class Connection {
    /// How a connection opens its file.
    public enum Mode: Sendable {
        case readOnly
        case readWrite
        /// Creates the file, readable and writable only by its owner; fails if it exists.
        case create
    }

    @usableFromInline let handle: OpaquePointer
    public let path: String
    private var cache: [String: Statement] = [:]
    /// Pages in the write-ahead log after this connection's last commit.
    public var walFrames: Int32 { frames.count }
    let frames = FrameCount()
    var schemaWatch: SchemaWatch?
    /// Polled while statements run; set once.
    var guardian: ProgressGuard?
    /// Objects that SQLite holds pointers to.
    private var kept: [AnyObject] = []

    final class FrameCount {
        var count: Int32 = 0
        /// Whether the running transaction has added frames.
        var hasGrown = false
    }

    /// What a connection that writes to a database in WAL mode watches.
    struct LogProtection {
        let files: HeldFiles
        let durability: WALDurability
    }

    var protection: LogProtection?
    private var fileLock: SharedFileLock?
    var isWriting = false

    /// Opens a database with the settings common to all our connections.
    ///
    /// - parameters:
    ///   - firesTriggers: whether triggers run for this connection's own writes.
    ///   - checkpointsOnClose: whether the connection, if it is the last one, writes the log back and deletes it:
    ///     only for files that no other process can know.
    /// - throws: `SQLiteError` with operation "open" or "configure".
    public init(
        path: String,
        mode: Mode,
        busyTimeoutMilliseconds: Int32 = 5000,
        firesTriggers: Bool = true,
        checkpointsOnClose: Bool = false
    ) throws(SQLiteError) {
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW
        switch mode {
        case .readOnly: flags |= SQLITE_OPEN_READONLY
        case .readWrite: flags |= SQLITE_OPEN_READWRITE
        case .create: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        }
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            let number = opened.map { sqlite3_system_errno($0) } ?? 0
            sqlite3_close_v2(opened)
            throw SQLiteError(
                code: ResultCode(rawValue: code),
                message: message,
                operation: "open",
                systemNumber: number
            )
        }
        handle = opened
        self.path = path
        sqlite3_busy_timeout(handle, busyTimeoutMilliseconds)
        let settings: [(Int32, Int32)] = [
            (SQLITE_DBCONFIG_DEFENSIVE, 1), (SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
            (SQLITE_DBCONFIG_DQS_DML, 0), (SQLITE_DBCONFIG_DQS_DDL, 0),
            (SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
            (SQLITE_DBCONFIG_ENABLE_TRIGGER, firesTriggers ? 1 : 0),
            (SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, checkpointsOnClose ? 0 : 1),
        ]
        for (option, value) in settings {
            let code = tally_db_config_flag(handle, option, value)
            guard code == SQLITE_OK else { throw failure(code, "configure") }
        }
        try loadSchema()
        try execute("PRAGMA cell_size_check = ON")
        try execute("PRAGMA mmap_size = 0")
        try execute("PRAGMA wal_autocheckpoint = 0")
        try execute("PRAGMA synchronous = FULL")
        // After wal_autocheckpoint, which removes any hook. The hook lives as long as the connection, which keeps
        // `frames` alive.
        sqlite3_wal_hook(
            handle,
            { context, _, _, count in
                guard let context else { return SQLITE_OK }
                let frames = Unmanaged<FrameCount>.fromOpaque(context).takeUnretainedValue()
                frames.count = count
                frames.hasGrown = true
                return SQLITE_OK
            },
            Unmanaged.passUnretained(frames).toOpaque()
        )
    }

    /// Allows the views of the file to call functions that SQLite does not call harmless (`SQLITE_INNOCUOUS`): in 3.40
    /// those are the functions for JSON.
    ///
    /// Only after the schema was checked, and under an authorizer that names every function that may be called.
    public func trustCheckedSchema() throws(SQLiteError) {
        let code = tally_db_config_flag(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1)
        guard code == SQLITE_OK else { throw failure(code, "configure") }
    }

    // `fileLock` is released after this: it keeps the file's descriptor from being closed too early.
    deinit { sqlite3_close_v2(handle) }

    /// Sets how long a call waits for another connection's lock.
    public func setBusyTimeout(milliseconds: Int32) { sqlite3_busy_timeout(handle, milliseconds) }

    func keepAlive(_ object: AnyObject) { kept.append(object) }

    /// Runs statements whose rows are of no interest.
    public func execute(_ sql: String) throws(SQLiteError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code, "execute", sql: sql) }
    }

    // MARK: The log

    /// Keeps other processes from deleting the log of this database, which is in WAL mode, while the connection is
    /// open, even if this process loses SQLite's locks.
    ///
    /// - throws: `SQLiteError` if the file cannot be opened a second time.
    public func holdFile() throws(SQLiteError) { _ = try heldFile() }

    private func heldFile() throws(SQLiteError) -> SharedFileLock {
        if let fileLock { return fileLock }
        do {
            let lock = try SharedFileLock(fullPath)
            fileLock = lock
            return lock
        } catch {
            throw SQLiteError(
                code: .cannotOpen,
                message: "\(error.call) of \(error.path) failed",
                operation: "open",
                systemNumber: error.number
            )
        }
    }

    /// Makes each immediate transaction check, when it begins and after it was committed, that the database and the log
    /// are the files that this connection has open, and that the log below it reaches the disk with it.
    public func protectLog() throws { try protectLog(knowing: heldFile().knowledge) }

    /// - parameter knowledge: what is known of the log; another than the process's own stands for another process.
    func protectLog(knowing knowledge: WALDurability.Knowledge) throws {
        try holdFile()
        protection = try read {
            // Reading the first row opens the log.
            try prepare("SELECT count(*) FROM sqlite_schema").run()
            return LogProtection(
                files: try HeldFiles(of: self),
                durability: WALDurability(knowledge)
            )
        }
    }

    /// Makes the next transaction rewrite the log's pages: a sync of the log has failed.
    func distrustLog() { protection?.durability.distrust() }

    /// The database's absolute path, as SQLite opened it.
    var fullPath: String { sqlite3_db_filename(handle, "main").map { String(cString: $0) } ?? path }

    /// Checks the schema now, and whenever `begin` finds it changed.
    public func watchSchema(_ validate: @escaping (Connection) throws -> Void) throws {
        let watch = SchemaWatch(validate)
        try watch.check(self)
        schemaWatch = watch
    }

    /// Prepares one statement.
    public func prepare(_ sql: String) throws(SQLiteError) -> Statement {
        try prepare(sql, isOwned: false)
    }

    /// - parameter isOwned: whether this connection owns the statement, which then does not retain the connection.
    private func prepare(_ sql: String, isOwned: Bool) throws(SQLiteError) -> Statement {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(
            handle,
            sql,
            -1,
            UInt32(SQLITE_PREPARE_PERSISTENT),
            &prepared,
            nil
        )
        guard code == SQLITE_OK, let prepared else { throw failure(code, "prepare", sql: sql) }
        return Statement(handle: prepared, sql: sql, connection: self, isOwned: isOwned)
    }

    /// Prepares one foreign statement; the text must contain no other.
    ///
    /// - throws: `SQLiteError`; operation "count" if the text contains no statement, or several.
    public func prepareOnly(_ sql: String) throws(SQLiteError) -> Statement {
        var prepared: OpaquePointer?
        var rest: String?
        var text = sql
        let code = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters -> Int32 in
                var tail: UnsafePointer<CChar>?
                let code = sqlite3_prepare_v3(
                    handle,
                    characters.baseAddress,
                    Int32(clamping: characters.count),
                    0,
                    &prepared,
                    &tail
                )
                if let tail, let base = characters.baseAddress {
                    rest = String(
                        decoding: UnsafeRawBufferPointer(characters)[(tail - base)...],
                        as: UTF8.self
                    )
                }
                return code
            }
        }
        guard code == SQLITE_OK else { throw failure(code, "prepare", sql: sql) }
        guard let prepared else {
            throw SQLiteError(
                code: .error,
                message: "the text contains no statement",
                operation: "count",
                sql: sql
            )
        }
        let statement = Statement(handle: prepared, sql: sql, connection: self)
        if let rest, try holdsStatement(rest) {
            throw SQLiteError(
                code: .error,
                message: "the text contains more than one statement",
                operation: "count",
                sql: sql
            )
        }
        return statement
    }

    /// Whether text contains more than white space, comments and semicolons.
    private func holdsStatement(_ text: String) throws(SQLiteError) -> Bool {
        var rest = text.drop { $0.isWhitespace || $0 == ";" }
        while rest.hasPrefix("--") || rest.hasPrefix("/*") {
            if rest.hasPrefix("--") {
                rest = rest.drop { $0 != "\n" }
            } else {
                guard let end = rest.dropFirst(2).firstRange(of: "*/") else { return false }
                rest = rest[end.upperBound...]
            }
            rest = rest.drop { $0.isWhitespace || $0 == ";" }
        }
        return !rest.isEmpty
    }

    /// A statement that the connection keeps for later calls with the same text.
    public func cached(_ sql: String) throws(SQLiteError) -> Statement {
        if let statement = cache[sql] { return statement }
        let statement = try prepare(sql, isOwned: true)
        cache[sql] = statement
        return statement
    }

    /// Whether no transaction is open.
    public var isAutocommit: Bool { sqlite3_get_autocommit(handle) != 0 }
    /// Rows changed by the last statement.
    public var changes: Int64 { sqlite3_changes64(handle) }
    /// Rows changed since the connection was opened.
    public var totalChanges: Int64 { sqlite3_total_changes64(handle) }

    /// The error number of the last failed read of the database or its log, where SQLite would report damage:
    /// statements report SQLITE_CORRUPT for a page that the disk failed to read (SQLITE_IOERR_CORRUPTFS).
    private var failedRead: Int32? {
        for which in [SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER] {
            var number: Int32 = 0
            guard let file = try? file(which),
                file.pointee.pMethods.pointee.xFileControl?(
                    file,
                    SQLITE_FCNTL_LAST_ERRNO,
                    &number
                ) == SQLITE_OK
            else { continue }
            if [EIO, ENXIO, ERANGE].contains(number) { return number }
        }
        return nil
    }

    private func unread(_ number: Int32, _ operation: String, _ sql: String) -> SQLiteError {
        SQLiteError(
            code: .unreadable,
            message: "the disk did not give a page: \(String(cString: strerror(number)))",
            operation: operation,
            sql: sql,
            systemNumber: number
        )
    }

    @usableFromInline
    func failure(_ code: Int32, _ operation: String, sql: String = "") -> SQLiteError {
        let offset = sqlite3_error_offset(handle)
        let code = ResultCode(rawValue: code)
        if .corrupt ~= code, let number = failedRead { return unread(number, operation, sql) }
        let isOfSystem = code.kind == .cannotOpen || code.kind == .inputOutput
        return SQLiteError(
            code: code,
            message: String(cString: sqlite3_errmsg(handle)),
            operation: operation,
            sql: sql,
            offset: offset < 0 ? nil : Int(offset),
            // SQLite keeps the number of an earlier failure until another one occurs.
            systemNumber: isOfSystem ? sqlite3_system_errno(handle) : 0
        )
    }
}
