import Glibc
package import TallystickCore

/// Changes key files: each change replaces the file atomically.
package enum KeyRingFile {
    /// Changes the file of a ring, creating it if there is none.
    ///
    /// - parameter body: changes the ring; its result is returned. If it leaves the ring unchanged, nothing is
    ///   written.
    /// - throws: `StoreError`: as `KeySource.load()`; `busy` while another process changes the file;
    ///   `cannotCreate`.
    package static func change<Result>(
        _ path: String,
        _ body: (inout KeyRing) throws -> Result
    ) throws(StoreError) -> Result {
        try refuseLink(path)
        // Its lock keeps other processes from changing the ring at the same time.
        let file = try PendingFile(for: path, permissions: 0o600, during: writing)
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
        try write(bytes, to: file)
        try file.publish(replacing: true)
        return result
    }

    /// Writes the file of a new signing key.
    ///
    /// - throws: `StoreError`: `cannotCreate` if the file exists.
    package static func write(_ signer: NoteSigner, to path: String) throws(StoreError) {
        MemoryProtection.turnDumpsOff()
        guard access(path, F_OK) != 0 else {
            throw PendingFile.alreadyThere(path, writing, .cannotCreate)
        }
        let file = try PendingFile(for: path, permissions: 0o600, during: writing)
        var bytes = signer.file()
        defer { KeyRing.wipe(&bytes) }
        try write(bytes, to: file)
        try file.publish(replacing: false)
    }

    /// Writes the file of a public key, readable by everybody.
    ///
    /// - throws: `StoreError`: `cannotCreate` if the file exists.
    package static func write(_ verifier: NoteVerifier, to path: String) throws(StoreError) {
        guard access(path, F_OK) != 0 else {
            throw PendingFile.alreadyThere(path, writing, .cannotCreate)
        }
        let file = try PendingFile(for: path, permissions: 0o644, during: writing)
        try write(Array("\(verifier)\n".utf8), to: file)
        try file.publish(replacing: false)
    }

    private static let writing = "write the keys"

    private static func write(_ bytes: [UInt8], to file: PendingFile) throws(StoreError) {
        let result = bytes.withUnsafeBytes { buffer -> Swift.Result<Void, StoreError> in
            do throws(StoreError) {
                return .success(try file.write(buffer))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// The change would replace the link, and leave the file behind it unchanged.
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
}
