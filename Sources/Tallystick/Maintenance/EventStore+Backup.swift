import Glibc
import TallystickSQLite

extension EventStore {
    /// Copies the store to a new file, as of one moment, while others go on using it. The copy is complete
    /// when the call returns, and has no write-ahead log.
    ///
    /// - throws: `StoreError`: `storeExists` when there is a file already; nothing is left behind on failure.
    public func backup(to destination: String) async throws(StoreError) {
        let (path, options) = (path, options)
        try await Self.attempt("back the store up", destination) {
            try await runOnThread { try BackupFile.write(path, to: destination, options) }
        }
    }

    /// Migrates a store to the schema of this release.
    ///
    /// - returns: the schema before and after.
    public static func upgrade(
        at path: String,
        options: StoreOptions = StoreOptions()
    ) async throws(StoreError) -> (before: Int, after: Int) {
        var options = options
        options.migratesOlderSchema = true
        let migrating = options
        return try await attempt("upgrade the store", path) {
            try await runOnThread {
                let before = try StoreFile.version(
                    of: try StoreFile.openForReading(path, migrating)
                )
                let connection = try StoreFile.openForWriting(path, migrating)
                return (before, try StoreFile.version(of: connection))
            }
        }
    }
}

enum BackupFile {
    static func write(_ path: String, to destination: String, _ options: StoreOptions) throws {
        let source = try StoreFile.openForReading(path, options)
        let descriptor = open(
            destination,
            O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
            0o600
        )
        guard descriptor >= 0 else {
            let exists = errno == EEXIST
            throw StoreError(
                exists ? .storeExists : .cannotCreate,
                during: "back the store up",
                on: destination,
                exists ? "there is a file already" : String(cString: strerror(errno)),
                hint: "Choose another path"
            )
        }
        // No database yet: closing drops no lock of SQLite's.
        close(descriptor)
        do {
            try source.execute("BEGIN")
            let copy = try Connection(path: destination, mode: .readWrite, firesTriggers: false)
            try source.backUp(to: copy)
        } catch {
            for suffix in ["", "-wal", "-shm", "-journal"] { unlink(destination + suffix) }
            throw error
        }
    }
}
