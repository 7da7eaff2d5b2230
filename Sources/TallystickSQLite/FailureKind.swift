import CTallystickSQLite

/// The kinds of failure that callers distinguish: every result code of SQLite has one.
public enum FailureKind: Sendable, Equatable, CaseIterable {
    /// Another connection is in the way; the same call can succeed later.
    case busy
    /// Memory ran out.
    case outOfMemory
    /// The operating system failed to read, write, sync, lock or map.
    case inputOutput
    /// The disk, or a quota, is full.
    case diskFull
    /// The file, or one next to it, cannot be opened; `SQLiteError.systemNumber` says why.
    case cannotOpen
    /// The file or its folder is not writable, or was opened read-only by this connection.
    case notPermitted
    /// The file was moved, replaced or deleted while it was open.
    case moved
    /// The content of the file is damaged.
    case corrupt
    /// The file is not a database.
    case notADatabase
    /// A progress handler, or another thread, stopped the statement.
    case interrupted
    /// A value or a statement is larger than the connection's limits.
    case tooBig
    /// A row violates a constraint, or a value has the wrong type for its column.
    case constraint
    /// The authorizer refuses the statement.
    case denied
    /// The statement is not valid, or failed because of its text or of the values it reads.
    case statement
    /// SQLite was misused, or contradicts its documentation.
    case misuse
    /// Not a failure.
    case none

    /// The only table of the meaning of result codes (sqlite.org/rescode.html). An extended code that is not
    /// listed is classified by its primary code; an unlisted primary code, from a later SQLite, is `misuse`.
    init(_ code: ResultCode) {
        self = Self.extended(code.rawValue) ?? Self.primary(code.primary.rawValue)
    }

    /// Extended codes whose meaning differs from that of their primary code.
    private static func extended(_ code: Int32) -> FailureKind? {
        switch code {
        // SQLITE_IOERR_NOMEM: memory ran out; the disk is fine.
        case SQLITE_IOERR | 12 << 8: .outOfMemory
        // SQLITE_IOERR_BLOCKED: a lock was not granted.
        case SQLITE_IOERR | 11 << 8: .busy
        // SQLITE_READONLY_DBMOVED.
        case SQLITE_READONLY | 4 << 8: .moved
        // SQLITE_ABORT_ROLLBACK: another statement failed and rolled back the transaction of this one.
        case SQLITE_ABORT | 2 << 8: .inputOutput
        // SQLITE_CANTOPEN_NOTEMPDIR: there is no folder for temporary files.
        case SQLITE_CANTOPEN | 1 << 8: .inputOutput
        // SQLITE_CANTOPEN_FULLPATH, SQLITE_CANTOPEN_CONVPATH: the operating system cannot resolve the path.
        case SQLITE_CANTOPEN | 3 << 8, SQLITE_CANTOPEN | 4 << 8: .inputOutput
        default: nil
        }
    }

    private static func primary(_ code: Int32) -> FailureKind {
        switch code {
        case SQLITE_OK, SQLITE_ROW, SQLITE_DONE, SQLITE_NOTICE, SQLITE_WARNING: .none
        // SQLITE_PROTOCOL: many attempts to lock the log failed. SQLITE_SCHEMA: the schema changed each time the
        // statement was prepared.
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL, SQLITE_SCHEMA: .busy
        case SQLITE_NOMEM: .outOfMemory
        // SQLITE_NOLFS: the operating system does not support files of this size.
        case SQLITE_IOERR, SQLITE_NOLFS: .inputOutput
        case SQLITE_FULL: .diskFull
        case SQLITE_CANTOPEN: .cannotOpen
        case SQLITE_READONLY, SQLITE_PERM: .notPermitted
        case SQLITE_CORRUPT, SQLITE_FORMAT: .corrupt
        case SQLITE_NOTADB: .notADatabase
        case SQLITE_INTERRUPT: .interrupted
        case SQLITE_TOOBIG: .tooBig
        case SQLITE_CONSTRAINT, SQLITE_MISMATCH: .constraint
        case SQLITE_AUTH: .denied
        case SQLITE_ERROR: .statement
        // SQLITE_INTERNAL, SQLITE_ABORT, SQLITE_NOTFOUND, SQLITE_EMPTY, SQLITE_MISUSE, SQLITE_RANGE.
        default: .misuse
        }
    }
}
