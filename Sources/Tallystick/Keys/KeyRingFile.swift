import Glibc
public import TallystickCore

/// Changes files of keys: each change takes the file's place at once, or not at all.
public enum KeyRingFile {
    /// Changes a ring's file, which is made when there is none.
    ///
    /// - parameter body: changes the ring; its result is returned. When it leaves the ring as it was, nothing
    ///   is written.
    /// - throws: `StoreError`: as `KeySource.load()`; `busy` while another process changes the file;
    ///   `cannotCreate`.
    public static func change<Result>(
        _ path: String,
        _ body: (inout KeyRing) throws -> Result
    ) throws(StoreError) -> Result {
        try refuseLink(path)
        let next = path + ".new"
        // Its name is the lock: who can make it, and nobody else, changes the file.
        let descriptor = try create(next)
        var isDone = false
        defer {
            close(descriptor)
            if !isDone { unlink(next) }
        }
        var ring = access(path, F_OK) == 0 ? try KeySource.file(path).load() : KeyRing()
        MemoryProtection.turnDumpsOff()
        let before = state(ring)
        let result: Result
        do {
            result = try body(&ring)
        } catch {
            throw StoreError(error, during: "change the keys", on: path)
        }
        guard state(ring) != before else { return result }
        var bytes = ring.json()
        defer { KeyRing.wipe(&bytes) }
        try write(bytes, to: descriptor, next)
        guard rename(next, path) == 0 else { throw failure(path) }
        isDone = true
        syncFolder(of: path)
        return result
    }

    /// Writes a new signing key's file.
    ///
    /// - throws: `StoreError`: `cannotCreate` when there is a file already.
    public static func write(_ signer: NoteSigner, to path: String) throws(StoreError) {
        MemoryProtection.turnDumpsOff()
        let descriptor = try create(path)
        defer { close(descriptor) }
        var bytes = signer.file()
        defer { KeyRing.wipe(&bytes) }
        do throws(StoreError) {
            try write(bytes, to: descriptor, path)
        } catch {
            unlink(path)
            throw error
        }
        syncFolder(of: path)
    }

    /// The change would take the link's place, and leave the file that it names as it was.
    private static func refuseLink(_ path: String) throws(StoreError) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return }
        throw StoreError(
            .invalidArgument,
            during: "change the keys",
            on: path,
            "it is a symbolic link",
            hint: "Name the file itself; nothing was changed"
        )
    }

    private static func state(_ ring: KeyRing) -> [String] {
        ring.keys.map { "\($0.id) \($0.state.rawValue) \($0.fingerprint)" }
    }

    private static func create(_ path: String) throws(StoreError) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            guard errno == EEXIST else { throw failure(path) }
            throw StoreError(
                .cannotCreate,
                during: "write the keys",
                on: path,
                "there is a file already",
                hint: path.hasSuffix(".new")
                    ? "Another process changes the keys; or one was interrupted, then remove the file"
                    : "Choose another path; nothing was changed"
            )
        }
        return descriptor
    }

    private static func write(
        _ bytes: [UInt8],
        to descriptor: Int32,
        _ path: String
    ) throws(StoreError) {
        var offset = 0
        while offset < bytes.count {
            let written = bytes.withUnsafeBytes { buffer in
                Glibc.write(
                    descriptor,
                    buffer.baseAddress.map { $0 + offset },
                    buffer.count - offset
                )
            }
            if written < 0 {
                if errno == EINTR { continue }
                throw failure(path)
            }
            offset += written
        }
        guard fsync(descriptor) == 0 else { throw failure(path) }
    }

    /// Makes the file's name last. Best effort: some file systems refuse, and the file itself is safe.
    private static func syncFolder(of path: String) {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let folder = slash.map { String(path[...$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = fsync(descriptor)
        close(descriptor)
    }

    private static func failure(_ path: String) -> StoreError {
        StoreError(
            .cannotCreate,
            during: "write the keys",
            on: path,
            String(cString: strerror(errno)),
            hint: "Check the folder and its permissions"
        )
    }
}
