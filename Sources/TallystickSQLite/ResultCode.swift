import CTallystickSQLite

/// A result code of SQLite, primary or extended (sqlite.org/rescode.html).
public struct ResultCode: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int32
    @inlinable public init(rawValue: Int32) { self.rawValue = rawValue }

    /// The code without its extension: `SQLITE_IOERR` for `SQLITE_IOERR_FSYNC`.
    public var primary: ResultCode { ResultCode(rawValue: rawValue & 0xFF) }

    /// What the code means for the call and the file, and what can be done about it.
    public var kind: FailureKind { FailureKind(self) }

    /// SQLite's description of the code.
    public var text: String { String(cString: sqlite3_errstr(rawValue)) }

    /// An extended code matches itself and its primary code.
    public static func ~= (pattern: ResultCode, code: ResultCode) -> Bool {
        pattern == code || (pattern.rawValue <= 0xFF && pattern == code.primary)
    }

    public static let ok = ResultCode(rawValue: SQLITE_OK)
    public static let error = ResultCode(rawValue: SQLITE_ERROR)
    public static let permission = ResultCode(rawValue: SQLITE_PERM)
    public static let busy = ResultCode(rawValue: SQLITE_BUSY)
    public static let locked = ResultCode(rawValue: SQLITE_LOCKED)
    public static let readOnly = ResultCode(rawValue: SQLITE_READONLY)
    /// The database's file was deleted, renamed or replaced while it was open.
    public static let databaseMoved = ResultCode(rawValue: SQLITE_READONLY | 4 << 8)
    /// A hot journal has to be rolled back by a connection that may write.
    public static let hotJournal = ResultCode(rawValue: SQLITE_READONLY | 3 << 8)
    public static let interrupt = ResultCode(rawValue: SQLITE_INTERRUPT)
    public static let inputOutput = ResultCode(rawValue: SQLITE_IOERR)
    /// SQLITE_IOERR_DIR_FSYNC.
    static let folderNotSynced = ResultCode(rawValue: SQLITE_IOERR | 5 << 8)
    /// SQLITE_IOERR_CORRUPTFS: the operating system reports that it cannot read the data on disk.
    static let unreadable = ResultCode(rawValue: SQLITE_IOERR | 33 << 8)
    /// SQLITE_IOERR_DATA: the bytes read do not match their checksum.
    static let dataLost = ResultCode(rawValue: SQLITE_IOERR | 32 << 8)
    public static let corrupt = ResultCode(rawValue: SQLITE_CORRUPT)
    public static let full = ResultCode(rawValue: SQLITE_FULL)
    public static let cannotOpen = ResultCode(rawValue: SQLITE_CANTOPEN)
    public static let noMemory = ResultCode(rawValue: SQLITE_NOMEM)
    public static let tooBig = ResultCode(rawValue: SQLITE_TOOBIG)
    public static let constraint = ResultCode(rawValue: SQLITE_CONSTRAINT)
    public static let misuse = ResultCode(rawValue: SQLITE_MISUSE)
    public static let denied = ResultCode(rawValue: SQLITE_AUTH)
    public static let notADatabase = ResultCode(rawValue: SQLITE_NOTADB)
    public static let row = ResultCode(rawValue: SQLITE_ROW)
    public static let done = ResultCode(rawValue: SQLITE_DONE)
}

/// The SQLite library that is linked.
public enum SQLiteLibrary {
    public static var version: String { String(cString: sqlite3_libversion()) }
    /// 3040001 for 3.40.1.
    public static var number: Int { Int(sqlite3_libversion_number()) }
}
