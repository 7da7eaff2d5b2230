import CTallystickProcess
import Glibc
package import TallystickSQLite

/// A file that gets its name only once it is complete and on disk.
///
/// Until then it is called `PATH.tally-new`. The writer holds a lock on it (flock(2)), so that a killed process's
/// leftover can be distinguished from a file that another process is writing, and be replaced by the next attempt.
package final class PendingFile {
    /// The ending of the name that the file has until it is published. It is unlikely for users' own files,
    /// because files with it are removed.
    package static let ending = ".tally-new"

    /// The final name of the file.
    package let path: String
    /// Its name until then.
    package let temporaryPath: String
    /// Open for reading and writing.
    package let descriptor: Int32
    private let operation: String
    private var isOpen = true

    /// Creates the file under its temporary name.
    ///
    /// - parameters:
    ///   - permissions: before the process's umask.
    ///   - operation: for errors, as a verb phrase.
    /// - throws: `StoreError`: `busy` while another process writes the same file; `cannotCreate`, also for a name
    ///   that belongs to SQLite.
    package init(
        for path: String,
        permissions: UInt32,
        during operation: String
    ) throws(StoreError) {
        try NewFile.checkName(path, during: operation)
        self.path = path
        self.operation = operation
        temporaryPath = path + Self.ending
        var created: Int32?
        for _ in 0..<Self.attempts where created == nil {
            created = try Self.create(path, permissions, operation)
        }
        guard let created else { throw Self.busy(path, operation) }
        descriptor = created
    }

    deinit { discard() }

    /// How often to create the file again if another process removes it as a leftover before it is locked.
    private static let attempts = 10
    /// - returns: nil if the caller must try again.
    private static func create(
        _ path: String,
        _ permissions: UInt32,
        _ operation: String
    ) throws(StoreError) -> Int32? {
        let temporary = path + ending
        let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let descriptor = open(temporary, flags, permissions)
        if descriptor < 0 {
            guard errno == EEXIST else { throw failure(.cannotCreate, operation, path, errno) }
            try removeAbandoned(path, operation)
            return nil
        }
        var (own, there) = (stat(), stat())
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &own) == 0,
            lstat(temporary, &there) == 0, own.st_ino == there.st_ino, own.st_dev == there.st_dev
        else {
            close(descriptor)
            return nil
        }
        // SQLite would take the remains of an earlier file for this one's own.
        for ending in StorePathCheck.companions
        where unlink(temporary + ending) != 0 && errno != ENOENT {
            let number = errno
            unlink(temporary)
            close(descriptor)
            throw failure(.cannotCreate, operation, path, number)
        }
        return descriptor
    }

    /// Removes the file of a process that no longer exists.
    private static func removeAbandoned(_ path: String, _ operation: String) throws(StoreError) {
        let temporary = path + ending
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
        let descriptor = open(temporary, flags)
        guard descriptor >= 0 else {
            if errno == ENOENT { return }
            throw failure(.cannotCreate, operation, temporary, errno)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw StoreError(
                .cannotCreate,
                during: operation,
                on: temporary,
                "the path exists, but is not a regular file",
                hint: "Remove it, or choose another path"
            )
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw busy(path, operation) }
        removeFiles(temporary)
    }

    /// The file itself is removed last: it tells the next attempt that a killed process left files.
    private static func removeFiles(_ path: String) {
        for ending in StorePathCheck.companions + [""] { unlink(path + ending) }
    }

    /// Writes all of the bytes.
    ///
    /// - throws: `StoreError`: `diskFull`, `inputOutput`.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        do throws(SystemCallError) {
            try descriptor.writeAll(bytes, path: temporaryPath)
        } catch {
            throw Self.failure(.inputOutput, operation, path, error.number)
        }
    }

    /// Gives the file its name once its content is on disk; on return, the name is on disk, too.
    ///
    /// - parameter replaces: whether it may replace an existing file; otherwise the call throws `cannotCreate`, or
    ///   `code`.
    /// - throws: `StoreError`. With `outcomeUnknown` the file exists, but its name may not survive a loss of
    ///   power.
    package func publish(
        replacing replaces: Bool,
        ifThere code: StoreError.Code = .cannotCreate
    ) throws(StoreError) {
        guard fsync(descriptor) == 0 else {
            throw Self.failure(.inputOutput, operation, path, errno)
        }
        if replaces {
            guard rename(temporaryPath, path) == 0 else {
                throw Self.failure(.cannotCreate, operation, path, errno)
            }
        } else {
            try publishBesideNone(code)
        }
        isOpen = false
        close(descriptor)
        do throws(SystemCallError) {
            try Folder.sync(containing: path)
        } catch {
            throw StoreError(
                .outcomeUnknown,
                during: operation,
                on: path,
                "the file is written, but its folder could not be synced: \(error.reason)",
                hint: "Check the disk, and run the command again"
            )
        }
    }

    private func publishBesideNone(_ code: StoreError.Code) throws(StoreError) {
        if tally_rename_new(temporaryPath, path) == 0 { return }
        guard errno == EEXIST else { throw Self.failure(.cannotCreate, operation, path, errno) }
        throw Self.alreadyThere(path, operation, code)
    }

    package static func alreadyThere(
        _ path: String,
        _ operation: String,
        _ code: StoreError.Code
    ) -> StoreError {
        var status = stat()
        let isLink = lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
        return StoreError(
            code,
            during: operation,
            on: path,
            isLink ? "there is a symbolic link already" : "there is a file already",
            hint: "Choose another path; nothing was changed"
        )
    }

    /// Removes the file, unless it was published.
    package func discard() {
        guard isOpen else { return }
        isOpen = false
        Self.removeFiles(temporaryPath)
        close(descriptor)
    }

    private static func busy(_ path: String, _ operation: String) -> StoreError {
        StoreError(
            .busy,
            during: operation,
            on: path,
            "another process is writing the file",
            hint: "Let it finish, and try again",
            isRetryable: true
        )
    }

    private static func failure(
        _ code: StoreError.Code,
        _ operation: String,
        _ path: String,
        _ number: Int32
    ) -> StoreError {
        StoreError(
            NewFile.code(number, otherwise: code),
            during: operation,
            on: path,
            NewFile.reason(number, path),
            hint: NewFile.hint(number)
        )
    }
}

extension Int32 {
    /// Writes all of the bytes to this descriptor.
    package func writeAll(_ bytes: UnsafeRawBufferPointer, path: String) throws(SystemCallError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(
                self,
                UnsafeRawBufferPointer(rebasing: rest).baseAddress,
                rest.count
            )
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemCallError(call: "write", path: path, number: errno)
            }
            rest = rest.dropFirst(count)
        }
    }
}
