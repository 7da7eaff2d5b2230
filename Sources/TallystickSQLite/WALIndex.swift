import CTallystickSQLite

/// What the shared index of a write-ahead log says about the log (sqlite.org/walformat.html, "The WAL-Index
/// Header"). It is stable only while this process holds the write lock.
struct WALIndex: Equatable {
    /// Incremented by each committed transaction.
    let change: UInt32
    /// Valid frames.
    let frames: UInt32
    let pageBytes: Int
    /// The checksum of the last frame and all before it.
    let checksum: [UInt32]
    /// As in the log's header; changes each time the log is restarted.
    let salt: UInt64
    /// Whether the log's checksums use this machine's byte order.
    let isSwapped: Bool
    /// Frames that are already in the database, and synced there.
    let backfilled: UInt32

    private enum Offset {
        static let change = 8
        static let isBigEndian = 13
        static let pageBytes = 14
        static let frames = 16
        static let checksum = 24
        static let salt = 32
        static let backfilled = 96
        /// Size of one region of the index.
        static let regionBytes: Int32 = 32_768
    }

    /// Reads the index through the database's own mapping of it.
    ///
    /// - throws: `SQLiteError` with operation "read the index of the log".
    init(of connection: Connection) throws(SQLiteError) {
        let database = try connection.file(SQLITE_FCNTL_FILE_POINTER)
        var region: UnsafeMutableRawPointer?
        let code =
            database.pointee.pMethods.pointee.xShmMap?(database, 0, Offset.regionBytes, 0, &region)
            ?? SQLITE_MISUSE
        guard code == SQLITE_OK, let region else {
            throw SQLiteError(
                code: ResultCode(rawValue: code == SQLITE_OK ? SQLITE_PROTOCOL : code),
                message: "the index of the write-ahead log cannot be read",
                operation: "read the index of the log"
            )
        }
        func word(_ offset: Int) -> UInt32 { region.load(fromByteOffset: offset, as: UInt32.self) }
        change = word(Offset.change)
        frames = word(Offset.frames)
        let stored = Int(region.load(fromByteOffset: Offset.pageBytes, as: UInt16.self))
        // 65,536 does not fit in the field, and is stored as 1.
        pageBytes = stored & 0xFE00 | (stored & 1) << 16
        checksum = [word(Offset.checksum), word(Offset.checksum + 4)]
        salt = region.load(fromByteOffset: Offset.salt, as: UInt64.self)
        let isBigEndian = region.load(fromByteOffset: Offset.isBigEndian, as: UInt8.self) != 0
        isSwapped = isBigEndian != (1.bigEndian == 1)
        backfilled = word(Offset.backfilled)
    }
}

extension Connection {
    typealias FilePointer = UnsafeMutablePointer<sqlite3_file>

    /// A file that the connection has open: `SQLITE_FCNTL_FILE_POINTER` or `SQLITE_FCNTL_JOURNAL_POINTER`.
    func file(_ which: Int32) throws(SQLiteError) -> FilePointer {
        var file: FilePointer?
        let code = sqlite3_file_control(handle, "main", which, &file)
        guard code == SQLITE_OK, let file, file.pointee.pMethods != nil else {
            throw SQLiteError(
                code: ResultCode(rawValue: code == SQLITE_OK ? SQLITE_NOTFOUND : code),
                message: "the file is not open",
                operation: "find the file"
            )
        }
        return file
    }
}
