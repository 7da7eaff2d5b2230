import CTallystickSQLite
import Glibc

/// What a statement of somebody else may use up.
public struct StatementLimits: Sendable {
    /// Time from its first step.
    public var duration: Duration
    /// Bytes of one value or row.
    public var valueBytes: Int32

    public init(duration: Duration, valueBytes: Int32) {
        self.duration = duration
        self.valueBytes = valueBytes
    }
}

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
