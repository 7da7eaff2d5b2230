import CTallystickSQLite
import Glibc

/// Keeps other processes from deleting a database's write-ahead log while this process has the database open.
///
/// SQLite's own locks are POSIX locks, which belong to the process: any code in it that closes a descriptor of the
/// database file drops them all (sqlite.org/howtocorrupt.html, section 2.2). Another program that closes the
/// database would then consider itself the last user, and delete the log. This lock belongs to its own descriptor,
/// is shared, and covers the bytes that SQLite must lock exclusively before it deletes the log.
final class SharedFileLock {
    private struct FileID: Hashable {
        var device: UInt
        var inode: UInt

        init(_ status: stat) {
            device = UInt(status.st_dev)
            inode = UInt(status.st_ino)
        }
    }

    private struct Holding {
        /// More than one if the file was renamed while it was being opened.
        var descriptors: [Int32] = []
        var count = 0
        let knowledge = WALDurability.Knowledge()
    }

    /// One for the whole process, like SQLite's own list of files and for the same reason: closing the descriptor
    /// drops SQLite's locks on the file, so it stays open while any connection of ours has the file open.
    private static let holdings = POSIXMutex<[FileID: Holding]>([:])

    /// SQLite's `SHARED_FIRST` and `SHARED_SIZE` (os_unix.c, "lock-byte page" in sqlite.org/fileformat2.html).
    private static let start: Int64 = 0x4000_0002
    private static let count: Int64 = 510

    private let file: FileID
    /// What this process knows of the database's log, as long as it has the file open.
    let knowledge: WALDurability.Knowledge

    /// Takes the lock on the file of a database in WAL mode. In other modes it would keep this process itself from
    /// writing.
    ///
    /// If the file system does not support such locks, nothing is locked; `HeldFiles` then detects the damage.
    init(_ path: String) throws(SystemCallError) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw SystemCallError(call: "stat", path: path, number: errno)
        }
        let found = FileID(status)
        typealias Held = (FileID, WALDurability.Knowledge)
        let result: Result<Held, SystemCallError> = Self.holdings.withLock { holdings in
            if let holding = holdings[found] {
                holdings[found]?.count += 1
                return .success((found, holding.knowledge))
            }
            let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
                return .failure(SystemCallError(call: "open", path: path, number: errno))
            }
            _ = tally_lock_shared(descriptor, Self.start, Self.count)
            var holding = holdings[FileID(status)] ?? Holding()
            holding.descriptors.append(descriptor)
            holding.count += 1
            holdings[FileID(status)] = holding
            return .success((FileID(status), holding.knowledge))
        }
        (file, knowledge) = try result.get()
    }

    deinit {
        Self.holdings.withLock { holdings in
            guard let holding = holdings[file] else { return }
            guard holding.count == 1 else {
                holdings[file]?.count -= 1
                return
            }
            for descriptor in holding.descriptors { close(descriptor) }
            holdings[file] = nil
        }
    }
}
