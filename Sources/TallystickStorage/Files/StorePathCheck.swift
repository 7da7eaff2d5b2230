import Glibc

/// Checks the file at a store's path before SQLite opens it.
///
/// SQLite itself follows no symbolic link here (SQLITE_OPEN_NOFOLLOW, and O_NOFOLLOW for the files next to it);
/// this check explains the problem, and refuses files that SQLite would accept.
package enum StorePathCheck {
    /// The endings of the files that SQLite keeps next to a database.
    package static let companions = ["-wal", "-shm", "-journal"]

    package static let opening = "open the store"

    /// - parameter operation: the failed operation for the error: files other than stores are checked in the same
    ///   way.
    /// - throws: `noStore`, `notAStore`, `notPermitted`, `inputOutput`.
    package static func check(
        _ path: String,
        forWriting: Bool,
        during operation: String = opening
    ) throws(StoreError) {
        do throws(StoreError) {
            try validate(path, forWriting)
        } catch {
            throw StoreError(
                error.code,
                during: operation,
                on: error.subject,
                error.message,
                hint: operation == opening ? error.hint : "Choose another file"
            )
        }
    }

    /// Whether a path names a store, or a file that SQLite keeps next to it, whether or not it exists.
    package static func isPart(_ path: String, of store: String) -> Bool {
        let (own, other) = (resolved(store), resolved(path))
        return ([""] + companions).contains { own + $0 == other }
    }

    /// A path whose folder part is free of links and `..`.
    private static func resolved(_ path: String) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = parts.count == 1
        let folder = isPlain ? "." : parts.dropLast().joined(separator: "/") + "/"
        guard let found = realpath(folder, nil) else { return path }
        defer { free(found) }
        return String(cString: found) + "/" + (parts.last ?? "")
    }

    private static func validate(_ path: String, _ forWriting: Bool) throws(StoreError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw unseen(path, errno) }
        try checkKind(path, status)
        if forWriting, let ending = companions.first(where: path.hasSuffix) {
            throw refused(
                .notPermitted,
                path,
                "names that end in \(ending) belong to SQLite, which may delete or overwrite the file",
                hint: "Rename the file"
            )
        }
        guard !forWriting || status.st_nlink == 1 else {
            // Each name would have its own write-ahead log (sqlite.org/howtocorrupt.html).
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

    /// Why the file could not be examined. Only a refusal is a permission problem: a failing disk is not.
    private static func unseen(_ path: String, _ number: Int32) -> StoreError {
        switch number {
        case ENOENT, ENOTDIR:
            refused(
                .noStore,
                path,
                "there is no file",
                hint: "Create it with 'tally init \(path)'"
            )
        case EACCES, EPERM, ELOOP, ENAMETOOLONG:
            refused(
                .notPermitted,
                path,
                String(cString: strerror(number)),
                hint: "Check its permissions"
            )
        default:
            refused(
                .inputOutput,
                path,
                String(cString: strerror(number)),
                hint: "Check the disk and its folder, then run the command again"
            )
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
            throw refused(.notAStore, path, "this is not a regular file", hint: "Check the path")
        }
    }

    private static func refused(
        _ code: StoreError.Code,
        _ path: String,
        _ message: String,
        hint: String
    ) -> StoreError {
        StoreError(code, during: opening, on: path, message, hint: hint)
    }
}
