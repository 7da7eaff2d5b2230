import Glibc
import TallystickSQLite

/// Files that we create, so that they belong to us alone from the first moment.
package enum NewFile {
    /// Creates an empty file that only its owner can read; follows no link.
    ///
    /// - parameter code: the error code if the file exists.
    /// - returns: a descriptor. Closing it before SQLite opens the file drops none of SQLite's locks.
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

    /// Refuses names that a file must not have: SQLite deletes, overwrites or applies files that have the names of
    /// its own files next to a database, and a file with the name of an unpublished file is removed by the next
    /// attempt.
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

    /// Refuses a new database next to the log or the journal of an earlier one of the same name: SQLite would take
    /// it for the new database's own, and apply it.
    ///
    /// - parameter code: the error code if such a file exists.
    package static func refuseLeftLog(
        beside path: String,
        during operation: String,
        _ code: StoreError.Code = .cannotCreate
    ) throws(StoreError) {
        for ending in ["-wal", "-journal"] {
            var status = stat()
            // An empty one has nothing to apply.
            guard lstat(path + ending, &status) == 0, status.st_size > 0 else { continue }
            throw StoreError(
                code,
                during: operation,
                on: path + ending,
                "it is left over from an earlier database of that name, and would change the new one",
                hint: "Move it to where that database is now, or remove it; or choose another path"
            )
        }
    }

    /// Why a file cannot be created.
    package static func reason(_ number: Int32, _ path: String) -> String {
        number == ENOENT
            ? "there is no folder '\(Folder.name(containing: path))'"
            : String(cString: strerror(number))
    }

    /// What to do if a file cannot be created.
    package static func hint(_ number: Int32) -> String {
        switch number {
        case ENOSPC, EDQUOT: "Free some space, and try again"
        case ENOENT: "Create the folder first, or choose another path"
        case EROFS: "Choose a path on a writable file system"
        default: "Check the folder and its permissions"
        }
    }

    /// The code for a file that cannot be created: it depends on the path, or on what the system and the process
    /// have left.
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

    /// Makes a folder that nobody else can read, in the folder for temporary files, under a name that nothing else has.
    ///
    /// - throws: `StoreError` with `cannotCreate`.
    package static func createTemporaryFolder(
        named name: String,
        during operation: String
    ) throws(StoreError) -> String {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var path = Array("\(parent)/\(name)-XXXXXX".utf8CString)
        guard mkdtemp(&path) != nil else {
            throw StoreError(
                .cannotCreate,
                during: operation,
                on: parent,
                String(cString: strerror(errno)),
                hint: "Name another folder for temporary files in TMPDIR"
            )
        }
        return String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
