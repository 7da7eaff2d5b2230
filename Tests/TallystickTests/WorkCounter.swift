import CTallystickSQLite
import Glibc
import Synchronization

/// Counts the steps of SQLite's virtual machine that a database takes, whichever connections of this process run them.
///
/// The count depends on the statements and the rows that they go through, never on the time or the load.
final class WorkCounter: Sendable {
    private static let counts = Mutex<[String: Int64]>([:])
    /// Bytes of the values that were written to tables, by database and table, where somebody asks for them.
    private static let writes = Mutex<[String: (table: String, bytes: Int64, commits: Int64)]>([:])
    /// Hooks every connection that is opened from now on; once a process.
    private static let isInstalled: Bool = {
        typealias Entry =
            @convention(c) (
                OpaquePointer?, UnsafeMutableRawPointer?, UnsafeRawPointer?
            ) -> Int32
        let entry: Entry = { database, _, _ in
            sqlite3_trace_v2(
                database,
                UInt32(SQLITE_TRACE_PROFILE),
                { _, _, statement, _ in
                    WorkCounter.count(statement)
                    return 0
                },
                nil
            )
        }
        let hook = unsafeBitCast(entry, to: (@convention(c) () -> Void).self)
        return sqlite3_auto_extension(hook) == SQLITE_OK
    }()

    private let path: String

    /// - parameter path: the database's file, before the first connection to it is opened.
    init?(_ path: String) {
        guard Self.isInstalled else { return nil }
        self.path = path
        Self.counts.withLock { $0[path] = 0 }
    }

    deinit { Self.counts.withLock { $0[path] = nil } }

    private static func count(_ pointer: UnsafeMutableRawPointer?) {
        guard let statement = pointer.map({ OpaquePointer($0) }),
            let name = sqlite3_db_filename(sqlite3_db_handle(statement), "main")
        else { return }
        let path = String(cString: name)
        countWrites(statement, path)
        counts.withLock { counts in
            guard let count = counts[path] else { return }
            let steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1)
            counts[path] = count + Int64(UInt32(bitPattern: steps))
        }
    }

    private static func countWrites(_ statement: OpaquePointer, _ path: String) {
        guard let table = writes.withLock({ $0[path]?.table }),
            let sql = sqlite3_sql(statement).map({ String(cString: $0) })
        else { return }
        let isCommit = sql == "COMMIT"
        let isWrite = ["INSERT INTO \(table) ", "UPDATE \(table) "].contains(where: sql.hasPrefix)
        guard isCommit || isWrite, let text = sqlite3_expanded_sql(statement) else { return }
        defer { sqlite3_free(text) }
        let bytes = isWrite ? Int64(strlen(text)) : 0
        writes.withLock { writes in
            writes[path]?.bytes += bytes
            writes[path]?.commits += isCommit ? 1 : 0
        }
    }

    /// Counts the bytes that `body` writes to a table, its statements' text included, and the transactions that are
    /// committed meanwhile.
    func writes(
        to table: String,
        _ body: () async throws -> Void
    ) async rethrows -> (bytes: Int64, commits: Int64) {
        Self.writes.withLock { $0[path] = (table, 0, 0) }
        try await body()
        let found = Self.writes.withLock { $0.removeValue(forKey: path) }
        return (found?.bytes ?? 0, found?.commits ?? 0)
    }

    /// The steps since the last call.
    func take() -> Int64 {
        Self.counts.withLock { counts in
            defer { counts[path] = 0 }
            return counts[path] ?? 0
        }
    }
}
