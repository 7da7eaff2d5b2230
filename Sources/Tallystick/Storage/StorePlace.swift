import Glibc

/// Judges what lies at a store's path before SQLite opens it.
///
/// SQLite itself follows no symbolic link here (SQLITE_OPEN_NOFOLLOW, and O_NOFOLLOW for the files beside); this
/// says what is wrong, and refuses what SQLite would take.
enum StorePlace {
    /// The endings of the files that SQLite keeps beside a database.
    static let companions = ["-wal", "-shm", "-journal"]

    /// - throws: `noStore`, `notAStore`, `notPermitted`.
    static func check(_ path: String, forWriting: Bool) throws(StoreError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            let missing = errno == ENOENT || errno == ENOTDIR
            throw refused(
                missing ? .noStore : .notPermitted,
                path,
                missing ? "there is no file" : String(cString: strerror(errno)),
                hint: missing ? "Create it with 'tally init \(path)'" : "Check its permissions"
            )
        }
        try checkKind(path, status)
        guard !forWriting || status.st_nlink == 1 else {
            // Each name would have a write-ahead log of its own (sqlite.org/howtocorrupt.html).
            throw refused(
                .notPermitted,
                path,
                "the file has \(status.st_nlink) names (hard links): writing under one damages it for the other",
                hint: "Make a copy with 'tally backup', or remove the other name"
            )
        }
        for ending in companions where lstat(path + ending, &status) == 0 {
            try checkKind(path + ending, status)
        }
    }

    private static func checkKind(_ path: String, _ status: stat) throws(StoreError) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFLNK:
            throw refused(
                .notPermitted,
                path,
                "symbolic links are refused",
                hint: "Name the file itself"
            )
        default:
            throw refused(.notAStore, path, "this is no regular file", hint: "Check the path")
        }
    }

    private static func refused(
        _ code: StoreError.Code,
        _ path: String,
        _ message: String,
        hint: String
    ) -> StoreError {
        StoreError(code, during: "open the store", on: path, message, hint: hint)
    }
}
