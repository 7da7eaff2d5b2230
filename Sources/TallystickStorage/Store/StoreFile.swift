import Glibc
import TallystickCore
import TallystickMigrations
package import TallystickSQLite

/// The store as a file: creating, opening, recognising and migrating it.
package enum StoreFile {
    /// Opens a connection that writes.
    ///
    /// - parameter other: another connection of the same owner to the same store.
    package static func openForWriting(
        _ path: String,
        _ options: StoreOptions
    ) throws -> Connection {
        try StorePathCheck.check(path, forWriting: true)
        let connection = try Connection(
            path: path,
            mode: .readWrite,
            busyTimeoutMilliseconds: options.busyTimeout.wholeMilliseconds,
            firesTriggers: false
        )
        try recognise(connection, path)
        if access(path, W_OK) != 0 {
            throw notWritable(path, errno)
        }
        let schema = try StoreSchema.version(of: connection)
        if schema < StoreSchema.newest {
            guard options.migratesOlderSchema else {
                throw StoreError(
                    .schemaOlder,
                    during: "open the store",
                    on: path,
                    "its schema is \(schema), this release writes \(StoreSchema.newest)",
                    hint: "Run 'tally upgrade' first; reading works without"
                )
            }
        }
        // Before the migration, which is then atomic in the log: a rollback journal left by a loss of power would
        // keep others from reading.
        try bringWriteAheadLogBack(connection, path)
        try connection.protectLog()
        if schema < StoreSchema.newest {
            try SchemaMigrator.migrate(connection, clock: options.clock)
        }
        try watchSchema(of: connection, path)
        try connection.execute("PRAGMA cache_size = -\(StoreLimits.cacheKibibytes)")
        try connection.execute("PRAGMA journal_size_limit = \(StoreLimits.walBytes)")
        return connection
    }

    private static func notWritable(_ path: String, _ number: Int32) -> StoreError {
        let (code, reason, hint): (StoreError.Code, String, String) =
            switch number {
            case EROFS:
                (
                    .notPermitted, "its file system is read-only",
                    "Mount the file system for writing, or copy the store with 'tally backup'"
                )
            case EACCES, EPERM:
                (
                    .notPermitted, "the file is read-only",
                    "Check who owns it, and its permissions"
                )
            default:
                (
                    .inputOutput, String(cString: strerror(number)),
                    "Check the disk, then run the command again"
                )
            }
        return StoreError(code, during: "open the store", on: path, reason, hint: hint)
    }

    /// A backup has no write-ahead log; when one is used as the store, its first writer creates it again.
    private static func bringWriteAheadLogBack(_ connection: Connection, _ path: String) throws {
        let mode = try connection.prepare("PRAGMA journal_mode").first { $0.text(at: 0) }
        if mode == "wal" { return }
        try checkRoom(for: path)
        let set = try connection.prepare("PRAGMA journal_mode = WAL").first { $0.text(at: 0) }
        guard set == "wal" else {
            throw StoreError(
                .busy,
                during: "open the store",
                on: path,
                "its journal mode is \(set ?? "unknown") and cannot be changed to WAL now",
                hint: "Let other programs close it, and try again",
                isRetryable: true
            )
        }
    }

    /// Checks that a file can be given a write-ahead log: if there is room for the switch but not for the log's
    /// index, nobody could read the file any more.
    private static func checkRoom(for path: String) throws(StoreError) {
        var disk = statvfs()
        // A file system that reports no size has no limit of its own.
        guard statvfs(path, &disk) == 0, disk.f_blocks > 0 else { return }
        let free = UInt64(geteuid() == 0 ? disk.f_bfree : disk.f_bavail) * UInt64(disk.f_frsize)
        guard free < UInt64(StoreLimits.roomForLog) else { return }
        throw StoreError(
            .diskFull,
            during: "open the store",
            on: path,
            "there is no room for its write-ahead log",
            hint: "Free some space and run the command again; reading still works",
            isRetryable: true
        )
    }

    /// Opens a connection that reads.
    package static func openForReading(_ path: String, _ options: StoreOptions) throws -> Connection
    {
        try StorePathCheck.check(path, forWriting: false)
        let connection = try HotJournal.playingBack(path, options) {
            () throws(SQLiteError) in
            try Connection(
                path: path,
                mode: .readOnly,
                busyTimeoutMilliseconds: options.busyTimeout.wholeMilliseconds
            )
        }
        try recognise(connection, path)
        try watchSchema(of: connection, path, toleratesDamage: options.toleratesDamage)
        let mode = try connection.prepare("PRAGMA journal_mode").first { $0.text(at: 0) }
        if mode == "wal" { try connection.holdFile() }
        return connection
    }

    /// Checks that a file is a store, with a schema that this release knows.
    private static func recognise(_ connection: Connection, _ path: String) throws {
        let id: Int64
        do {
            id = try connection.prepare("PRAGMA application_id").optionalInt64() ?? 0
        } catch {
            throw StoreError(error, during: "open the store", on: path)
        }
        guard id == StoreSchema.applicationID else {
            throw StoreError(
                .notAStore,
                during: "open the store",
                on: path,
                "the file is a database, but not a Tallystick store",
                hint: "Check the path"
            )
        }
        let schema = try StoreSchema.version(of: connection)
        guard schema > 0 else {
            throw StoreError(
                .schemaAltered,
                during: "open the store",
                on: path,
                "its user_version is \(schema), which no release wrote",
                hint: "Someone changed it; restore a backup, or undo the change"
            )
        }
        guard schema <= StoreSchema.newest else {
            throw StoreError(
                .schemaNewer,
                during: "open the store",
                on: path,
                "its schema is \(schema); this release knows \(StoreSchema.newest)",
                hint: "Use the release that wrote it, or a newer one"
            )
        }
    }

    /// Checks the schema now, and again at the beginning of each transaction that finds it changed.
    private static func watchSchema(
        of connection: Connection,
        _ path: String,
        toleratesDamage: Bool = false
    ) throws {
        try connection.watchSchema { connection in
            try SchemaCheck.check(connection, path, toleratesDamage: toleratesDamage)
        }
    }
}
