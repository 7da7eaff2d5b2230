import Glibc

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
        ifThere code: StoreError.Code = .cannotCreate,
        hint: String
    ) throws(StoreError) -> Int32 {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let number = errno
            let isThere = number == EEXIST
            throw StoreError(
                isThere ? code : Self.code(number),
                during: operation,
                on: path,
                isThere ? "there is a file already" : String(cString: strerror(number)),
                hint: isThere ? "Choose another path; nothing was changed" : hint
            )
        }
        return descriptor
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
