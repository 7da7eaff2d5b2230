import Glibc
import TallystickSQLite

/// Files that are made by us, so that they are ours alone from their first moment, and never another's.
package enum NewFile {
    /// Makes an empty file, which only its owner can read, and follows no link.
    ///
    /// - parameter code: for a file that is there already.
    /// - returns: a descriptor. Closing it before SQLite has the file open drops no lock of SQLite's.
    /// - throws: `StoreError` with `code`, or `cannotCreate`.
    package static func create(
        _ path: String,
        during operation: String,
        ifThere code: StoreError.Code = .cannotCreate
    ) throws(StoreError) -> Int32 {
        try checkName(path, during: operation)
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let number = errno
            let isThere = number == EEXIST
            throw StoreError(
                isThere ? code : Self.code(number),
                during: operation,
                on: path,
                isThere ? "there is a file already" : reason(number, path),
                hint: isThere ? "Choose another path; nothing was changed" : hint(number)
            )
        }
        return descriptor
    }

    /// Refuses a name that a file must not have: SQLite deletes, overwrites or plays back what it finds beside a
    /// database under the names of its own files, and what is called as an unpublished file makes way for the next one.
    ///
    /// - throws: `StoreError` with `cannotCreate`.
    package static func checkName(
        _ path: String,
        during operation: String
    ) throws(StoreError) {
        for ending in StorePathCheck.companions where path.hasSuffix(ending) {
            throw StoreError(
                .cannotCreate,
                during: operation,
                on: path,
                "names that end in \(ending) belong to SQLite, which deletes or overwrites such files",
                hint: "Choose another name; nothing was changed"
            )
        }
        guard !path.hasSuffix(PendingFile.ending) else {
            throw StoreError(
                .cannotCreate,
                during: operation,
                on: path,
                "names that end in \(PendingFile.ending) belong to files that are not complete yet",
                hint: "Choose another name; nothing was changed"
            )
        }
    }

    /// Refuses a new database beside the log or the journal of an earlier one of the same name: SQLite would take
    /// it for the new one's own, and play it back.
    ///
    /// - parameter code: as for a file that is there already.
    package static func refuseLeftLog(
        beside path: String,
        during operation: String,
        _ code: StoreError.Code = .cannotCreate
    ) throws(StoreError) {
        for ending in ["-wal", "-journal"] {
            var status = stat()
            // An empty one holds nothing that could be played back.
            guard lstat(path + ending, &status) == 0, status.st_size > 0 else { continue }
            throw StoreError(
                code,
                during: operation,
                on: path + ending,
                "this is what an earlier database of that name has left, and it would change the new one",
                hint: "Move it to where that database is now, or remove it; or choose another path"
            )
        }
    }

    /// Why a file cannot be made.
    package static func reason(_ number: Int32, _ path: String) -> String {
        number == ENOENT
            ? "there is no folder '\(Folder.name(containing: path))'"
            : String(cString: strerror(number))
    }

    /// What to do where a file cannot be made.
    package static func hint(_ number: Int32) -> String {
        switch number {
        case ENOSPC, EDQUOT: "Free some space, and try again"
        case ENOENT: "Create the folder first, or choose another path"
        case EROFS: "Choose a path on a file system that can be written to"
        default: "Check the folder and its permissions"
        }
    }

    /// What it says that a file cannot be made: of the path, or of what the system and the process have left.
    package static func code(
        _ number: Int32,
        otherwise code: StoreError.Code = .cannotCreate
    ) -> StoreError.Code {
        switch number {
        case ENOSPC, EDQUOT: .diskFull
        case EIO, EMFILE, ENFILE: .inputOutput
        case ENOMEM: .outOfMemory
        default: code
        }
    }
}
