import CTallystickSQLite
import Glibc

/// Stops a connection's statements at a deadline, or when it is asked to.
public final class ProgressGuard {
    /// When running statements stop: monotonic nanoseconds; nil for never.
    public var deadline: UInt64?
    /// Asked now and then; true stops the running statement.
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

extension Connection {
    /// Has a guard asked every few thousand steps of SQLite's virtual machine.
    public func install(_ guardian: ProgressGuard) {
        keepAlive(guardian)
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

    /// Keeps sorters and intermediate tables in memory, where ``SQLiteLibrary/limitMemory(bytes:)`` counts
    /// them, and not in files that could fill the disk.
    public func keepTemporaryTablesInMemory() throws(SQLiteError) {
        try execute("PRAGMA temp_store = MEMORY")
    }

    /// Sets SQLite's limits (sqlite.org/limits.html) for statements of others.
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
    /// Limits the memory that SQLite uses in this process, for all connections together; beyond it statements
    /// fail with `noMemory` (sqlite.org/c3ref/hard_heap_limit64.html).
    ///
    /// - parameter bytes: 0 for no limit.
    /// - returns: the limit before.
    @discardableResult
    public static func limitMemory(bytes: Int64) -> Int64 {
        let before = sqlite3_hard_heap_limit64(bytes)
        // A hard limit sets the soft one as well, and does not take it back.
        sqlite3_soft_heap_limit64(bytes)
        return max(0, before)
    }
}
