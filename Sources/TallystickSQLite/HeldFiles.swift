import CTallystickSQLite
import Glibc

/// Checks whether the database and its write-ahead log are still the files at their paths.
///
/// If a process has lost its locks, another one may have deleted the log: SQLite keeps writing to the deleted
/// file, and acknowledged data is lost.
final class HeldFiles {
    private let log: String
    private let device: UInt
    private let inode: UInt

    /// - parameter connection: in a transaction, so that its log is open.
    init(of connection: Connection) throws(SQLiteError) {
        log = connection.fullPath + "-wal"
        guard let file = Self.identity(log) else { throw Self.replaced(log) }
        (device, inode) = file
    }

    /// - throws: `SQLiteError` with code `databaseMoved`.
    func check(_ connection: Connection) throws(SQLiteError) {
        guard !connection.hasMoved else { throw Self.replaced(connection.fullPath) }
        guard let file = Self.identity(log), file == (device, inode) else {
            throw Self.replaced(log)
        }
    }

    private static func identity(_ path: String) -> (UInt, UInt)? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return (UInt(status.st_dev), UInt(status.st_ino))
    }

    private static func replaced(_ path: String) -> SQLiteError {
        SQLiteError(
            code: .databaseMoved,
            message:
                "the file at \(path) is no longer the one that was opened: it was deleted or replaced",
            operation: "hold the files"
        )
    }
}

extension Connection {
    /// Whether the file at the database's path is not the one that this connection has open, because that one was
    /// deleted or replaced.
    public var hasMoved: Bool {
        var hasMoved: Int32 = 0
        let code = sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &hasMoved)
        return code != SQLITE_OK && code != SQLITE_NOTFOUND || hasMoved != 0
    }
}
