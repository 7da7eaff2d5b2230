import CTallystickSQLite
import Glibc

/// Stops a connection's statements at a deadline, or on request.
public final class ProgressGuard {
    /// When running statements stop: monotonic nanoseconds; nil for never.
    public var deadline: UInt64? {
        didSet { isTimeUsedUp = false }
    }
    /// Polled periodically; true stops the running statement.
    public var isCancelled: () -> Bool = { false }
    /// Whether the deadline stopped a statement.
    public private(set) var isTimeUsedUp = false

    public init() {}

    public static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    func shouldStop() -> Bool {
        if let deadline, Self.now() > deadline {
            isTimeUsedUp = true
            return true
        }
        return isCancelled()
    }
}

/// Limits of a schema.
public enum SchemaLimits {
    /// Tables, indexes, views and triggers of a file. SQLite 3.40 takes half a minute to read 100,000 of them.
    public static let objects = 10_000
}

/// Counts the steps that SQLite takes to read a schema, before the schema can be queried.
private final class SchemaReading {
    /// Steps of SQLite's virtual machine for each object.
    private static let stepsEach = 8
    /// Steps between two checks of the count.
    static let stepsBetween: Int32 = 1000
    private var looks = 0

    func shouldStop() -> Bool {
        looks += 1
        return looks * Int(Self.stepsBetween) > SchemaLimits.objects * Self.stepsEach
    }
}

extension Connection {
    /// Makes SQLite read the schema, and stops it if the schema is too large.
    ///
    /// - throws: `SQLiteError` with code `tooBig`.
    func loadSchema() throws(SQLiteError) {
        let reading = SchemaReading()
        let context = Unmanaged.passUnretained(reading)
        sqlite3_progress_handler(
            handle,
            SchemaReading.stepsBetween,
            { context in
                guard let context else { return 1 }
                let reading = Unmanaged<SchemaReading>.fromOpaque(context).takeUnretainedValue()
                return reading.shouldStop() ? 1 : 0
            },
            context.toOpaque()
        )
        defer {
            // Keeps `reading` alive up to here.
            withExtendedLifetime(reading) { restoreProgressHandler() }
        }
        do {
            let statement = try prepare("SELECT 1 FROM sqlite_schema")
            // Only a step detects that a schema read earlier is out of date.
            _ = try statement.step()
            try statement.reset()
        } catch {
            guard error.isInterrupted else { throw error }
            throw SQLiteError(
                code: .tooBig,
                message: "the schema has more than \(SchemaLimits.objects) objects",
                operation: "prepare"
            )
        }
    }

    private func restoreProgressHandler() {
        if let guardian { set(guardian) } else { sqlite3_progress_handler(handle, 0, nil, nil) }
    }

    /// Whether the deadline of the installed guard stopped a statement.
    public var isTimeUsedUp: Bool { guardian?.isTimeUsedUp ?? false }

    /// Sets SQLite's limit on the bytes of one value or row.
    public func limitValues(bytes: Int32) { sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, bytes) }

    /// Polls a guard every few thousand steps of SQLite's virtual machine.
    public func install(_ guardian: ProgressGuard) {
        keepAlive(guardian)
        self.guardian = guardian
        set(guardian)
    }

    private func set(_ guardian: ProgressGuard) {
        sqlite3_progress_handler(
            handle,
            4096,
            { context in
                guard let context else { return 1 }
                let guardian = Unmanaged<ProgressGuard>.fromOpaque(context).takeUnretainedValue()
                return guardian.shouldStop() ? 1 : 0
            },
            Unmanaged.passUnretained(guardian).toOpaque()
        )
    }

    /// Keeps sorters and intermediate tables in memory, where ``SQLiteLibrary/limitMemory(bytes:)`` counts them,
    /// instead of in files that could fill the disk.
    public func keepTemporaryTablesInMemory() throws(SQLiteError) {
        try execute("PRAGMA temp_store = MEMORY")
    }

    /// Sets SQLite's limits (sqlite.org/limits.html) for foreign statements.
    public func limit(valueBytes: Int32) {
        let limits: [(Int32, Int32)] = [
            (SQLITE_LIMIT_LENGTH, valueBytes), (SQLITE_LIMIT_SQL_LENGTH, 1_000_000),
            (SQLITE_LIMIT_ATTACHED, 0), (SQLITE_LIMIT_EXPR_DEPTH, 200),
            (SQLITE_LIMIT_COMPOUND_SELECT, 100), (SQLITE_LIMIT_VDBE_OP, 250_000),
            (SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000), (SQLITE_LIMIT_VARIABLE_NUMBER, 1_000),
            (SQLITE_LIMIT_TRIGGER_DEPTH, 0), (SQLITE_LIMIT_WORKER_THREADS, 0),
        ]
        for (limit, value) in limits { sqlite3_limit(handle, limit, value) }
    }
}

extension SQLiteLibrary {
    /// Limits the memory that SQLite uses in this process, for all connections together; beyond it statements fail
    /// with `noMemory` (sqlite.org/c3ref/hard_heap_limit64.html).
    ///
    /// - parameter bytes: 0 for no limit.
    /// - returns: the previous limit.
    @discardableResult
    public static func limitMemory(bytes: Int64) -> Int64 {
        let before = sqlite3_hard_heap_limit64(bytes)
        // Setting a hard limit also sets the soft one; removing it does not restore that.
        sqlite3_soft_heap_limit64(bytes)
        return max(0, before)
    }
}
