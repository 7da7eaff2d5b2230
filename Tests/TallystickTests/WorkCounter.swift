import CTallystickSQLite
import Synchronization

/// Counts the steps of SQLite's virtual machine that a database takes, whichever connections of this process run them.
///
/// The count depends on the statements and the rows that they go through, never on the time or the load.
final class WorkCounter: Sendable {
    private static let counts = Mutex<[String: Int64]>([:])
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
        counts.withLock { counts in
            guard let count = counts[path] else { return }
            let steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1)
            counts[path] = count + Int64(UInt32(bitPattern: steps))
        }
    }

    /// The steps since the last call.
    func take() -> Int64 {
        Self.counts.withLock { counts in
            defer { counts[path] = 0 }
            return counts[path] ?? 0
        }
    }
}
