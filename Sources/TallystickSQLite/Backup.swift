import CTallystickSQLite

extension Connection {
    /// Copies the whole database, as of one moment, to an empty one, and leaves the copy without a write-ahead log.
    ///
    /// Other connections may keep reading and writing the source.
    ///
    /// - parameter onProgress: pages left, and all pages; return false to stop the copy.
    /// - throws: `SQLiteError` with operation "backup"; its code is `interrupt` if the copy was stopped.
    public func backUp(
        to destination: Connection,
        onProgress: (Int, Int) -> Bool = { _, _ in true }
    ) throws(SQLiteError) {
        guard let backup = sqlite3_backup_init(destination.handle, "main", handle, "main") else {
            throw destination.failure(sqlite3_errcode(destination.handle), "backup")
        }
        var code = SQLITE_OK
        var isStopped = false
        // The read transaction keeps the source's pages as they are from the first step to the last.
        while code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED {
            code = sqlite3_backup_step(backup, 1024)
            let left = Int(sqlite3_backup_remaining(backup))
            if code == SQLITE_OK, !onProgress(left, Int(sqlite3_backup_pagecount(backup))) {
                isStopped = true
                break
            }
            if code == SQLITE_BUSY || code == SQLITE_LOCKED { sqlite3_sleep(10) }
        }
        let finished = sqlite3_backup_finish(backup)
        if isStopped {
            throw SQLiteError(
                code: .interrupt,
                message: "the copy was stopped",
                operation: "backup"
            )
        }
        guard code == SQLITE_DONE, finished == SQLITE_OK else {
            throw destination.failure(code == SQLITE_DONE ? finished : code, "backup")
        }
        try destination.execute("PRAGMA journal_mode = DELETE")
    }
}
