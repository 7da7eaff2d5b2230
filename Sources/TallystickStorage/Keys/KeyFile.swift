import CTallystickProcess
import Glibc
import TallystickCore

/// A key file: checked through its open descriptor, then read, and wiped from memory after use.
package struct KeyFile {
    package static let operation = "read the keys"

    private let path: String?
    private let descriptor: Int32

    package init(path: String) {
        self.path = path
        descriptor = -1
    }

    package init(descriptor: Int32) {
        path = nil
        self.descriptor = descriptor
    }

    /// What messages call the file.
    private var place: String { path ?? "descriptor \(descriptor)" }

    /// Reads the file, and passes its bytes to `body`.
    package func read<Result>(
        _ body: ([UInt8], String) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        MemoryProtection.turnDumpsOff()
        let opened = try path.map { path throws(StoreError) in try open(path) } ?? descriptor
        defer { if path != nil { close(opened) } }
        var bytes = try contents(of: opened)
        defer { KeyRing.wipe(&bytes) }
        return try body(bytes, place)
    }

    // MARK: Opening

    /// Opens without following a symbolic link, unless nobody else can place one there. Never blocks, as opening a
    /// FIFO would.
    private func open(_ path: String) throws(StoreError) -> Int32 {
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
        let opened = Glibc.open(path, flags | O_NOFOLLOW)
        if opened >= 0 { return opened }
        guard errno == ELOOP else { throw failure(errno) }
        let (folder, name) = Self.split(path)
        let parent = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { throw failure(errno) }
        defer { close(parent) }
        var status = stat()
        guard fstat(parent, &status) == 0 else { throw failure(errno) }
        guard Self.isTrusted(status.st_uid), status.st_mode & 0o022 == 0 else {
            throw refused(
                "it is a symbolic link in a folder that others can write to",
                "Name the file itself, or keep the link in a folder of your own"
            )
        }
        let followed = openat(parent, name, flags)
        guard followed >= 0 else { throw failure(errno) }
        return followed
    }

    private static func split(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (".", path) }
        let folder = String(path[..<slash])
        return (folder.isEmpty ? "/" : folder, String(path[path.utf8.index(after: slash)...]))
    }

    private static func isTrusted(_ user: uid_t) -> Bool { user == geteuid() || user == 0 }

    // MARK: Judging and reading

    private func contents(of opened: Int32) throws(StoreError) -> [UInt8] {
        let before = try validatedStatus(opened)
        var bytes = [UInt8](repeating: 0, count: Int(before.st_size))
        var count = 0
        while count < bytes.count {
            let read = bytes.withUnsafeMutableBytes { buffer in
                pread(
                    opened,
                    buffer.baseAddress.map { $0 + count },
                    buffer.count - count,
                    off_t(count)
                )
            }
            if read < 0 {
                if errno == EINTR { continue }
                throw failure(errno)
            }
            if read == 0 { break }
            count += read
        }
        let after = try validatedStatus(opened)
        guard count == bytes.count, Self.isSame(before, after) else {
            KeyRing.wipe(&bytes)
            throw refused("it changed while it was read", "Try again")
        }
        return bytes
    }

    private func validatedStatus(_ opened: Int32) throws(StoreError) -> stat {
        var status = stat()
        guard fstat(opened, &status) == 0 else { throw failure(errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw refused("it is not a regular file", "Keep the keys in a file")
        }
        guard Self.isTrusted(status.st_uid) else {
            throw refused(
                "it belongs to another user (\(status.st_uid))",
                "Keep the keys in a file of your own"
            )
        }
        guard status.st_mode & 0o007 == 0 else {
            throw refused("everybody can reach it", "Run 'chmod 600' on it")
        }
        // A descriptor was opened by somebody with permission to read it; a path can be tried by anybody.
        guard status.st_mode & (path == nil ? 0o020 : 0o070) == 0 else {
            throw refused(
                path == nil ? "a group can write to it" : "a group can reach it",
                path == nil
                    ? "Run 'chmod g-w' on it"
                    : "Run 'chmod 600' on it, or hand it over with --key-fd"
            )
        }
        guard status.st_size <= off_t(KeyRing.maximumFileBytes) else {
            throw refused(
                "it has more than \(KeyRing.maximumFileBytes) bytes",
                "Name a file of keys"
            )
        }
        return status
    }

    private static func isSame(_ a: stat, _ b: stat) -> Bool {
        a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_size == b.st_size
            && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec
            && a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec
    }

    private func refused(_ reason: String, _ hint: String) -> StoreError {
        StoreError(.keyRefused, during: Self.operation, on: place, reason, hint: hint)
    }

    private func failure(_ number: Int32) -> StoreError {
        let code: StoreError.Code =
            switch number {
            case ENOENT, ENOTDIR, EBADF: .noInput
            case EACCES, EPERM, ELOOP: .keyRefused
            default: .inputOutput
            }
        return StoreError(
            code,
            during: Self.operation,
            on: place,
            String(cString: strerror(number)),
            hint: "Check the path"
        )
    }
}

/// Keeps a process's memory out of core dumps, and out of reach of other processes of the user.
package enum MemoryProtection {
    /// Lasts for the life of the process: wiping is best effort, so remains of a key may still be in memory.
    package static func turnDumpsOff() {
        // Limits may always be lowered; if the kernel refuses all the same, the keys are as safe as those of any
        // other program.
        _ = tally_turn_dumps_off()
    }
}
