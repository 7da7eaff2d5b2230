import Glibc
import TallystickCore
import TallystickSQLite

/// Creates a store under a temporary name, so that it appears complete and on disk, or not at all.
package struct StoreCreator {
    private let path: String
    private let creation: StoreCreation
    private let options: StoreOptions
    private static let operation = "create the store"

    package static func create(
        _ path: String,
        _ creation: StoreCreation,
        _ options: StoreOptions
    ) throws {
        try StoreCreator(path: path, creation: creation, options: options).run()
    }

    private func run() throws {
        try NewFile.checkName(path, during: Self.operation)
        try removeUnfinishedStore()
        try NewFile.refuseLeftLog(beside: path, during: Self.operation, .storeExists)
        let file = try PendingFile(for: path, permissions: 0o600, during: Self.operation)
        try fill(file.temporaryPath)
        try closeLog(file.temporaryPath)
        try file.publish(replacing: false, ifThere: .storeExists)
    }

    private func fill(_ path: String) throws {
        let connection = try Connection(path: path, mode: .readWrite, firesTriggers: false)
        try connection.execute("PRAGMA page_size = \(StoreLimits.pageBytes)")
        try connection.execute("PRAGMA journal_mode = WAL")
        try SchemaMigrator.migrate(connection, clock: options.clock)
        let writer = try StoreWriter(
            path: path,
            connection: connection,
            lockConnection: try Connection(path: path, mode: .readWrite, firesTriggers: false),
            options: options
        )
        let attributes = try deliveryAttributes()
        let configuration = try StoreSettings(json: creation.configuration ?? Array("{}".utf8))
        try writer.transaction(Self.operation) {
            let row = AuditRow(
                kind: .storeCreated,
                recordedAt: writer.clock(),
                actor: creation.actor,
                detail: StoreIdentity.detail(
                    storeID: Self.randomID(),
                    deliveryAttributes: attributes
                )
            )
            try writer.addAudit(row, tables: [.configurations]) { sequence in
                try writer.configurations.add(
                    configuration.canonical,
                    version: 1,
                    auditSequence: sequence
                )
            }
        }
    }

    /// Moves the whole log into the database, which is then one file that can be renamed.
    private func closeLog(_ temporaryPath: String) throws {
        do {
            // No other process knows the file: the last connection may write the log back, and delete it.
            _ = try Connection(path: temporaryPath, mode: .readWrite, checkpointsOnClose: true)
        }
        guard access(temporaryPath + "-wal", F_OK) != 0 else {
            throw StoreError(
                .inputOutput,
                during: Self.operation,
                on: path,
                "the write-ahead log could not be written back",
                hint: "Check the disk, and try again"
            )
        }
    }

    private func deliveryAttributes() throws -> [String] {
        for name in creation.deliveryAttributes where !EventAttributes.isExtensionName(name) {
            throw StoreError(
                .invalidArgument,
                during: Self.operation,
                on: "delivery attribute '\(name)'",
                "a delivery attribute's name has lower-case letters and digits, and is not one of CloudEvents' own"
            )
        }
        return Set(creation.deliveryAttributes).union(EventAttributes.builtInDelivery).sorted()
    }

    private static func randomID() -> String {
        var random = SystemRandomNumberGenerator()
        let words = [random.next(), random.next()]
        return words.withUnsafeBytes { Hex.string($0) }
    }

    // MARK: What is there

    /// Removes the remains of an interrupted `init` of release 0.1: a database without content.
    ///
    /// - throws: `storeExists` for every other file.
    private func removeUnfinishedStore() throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), try holdsNothing()
        else {
            throw PendingFile.alreadyThere(path, Self.operation, .storeExists)
        }
        // The log and the journal first: next to a new store they would be taken for its own.
        for ending in StorePathCheck.companions + [""] { unlink(path + ending) }
    }

    /// Whether the file is an empty database, or a store with a schema but without a single row.
    private func holdsNothing() throws -> Bool {
        do throws(SQLiteError) {
            let connection = try Connection(path: path, mode: .readWrite, firesTriggers: false)
            let tables = try connection.prepare("SELECT count(*) FROM sqlite_schema")
                .optionalInt64()
            let id = try connection.prepare("PRAGMA application_id").optionalInt64()
            if tables == 0 { return id == 0 }
            guard id == StoreSchema.applicationID else { return false }
            return try connection.prepare("SELECT count(*) FROM audit_trail").optionalInt64() == 0
        } catch {
            // Whatever it is, we may not remove it.
            return false
        }
    }
}
