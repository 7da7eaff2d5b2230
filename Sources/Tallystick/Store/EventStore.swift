import TallystickCore
import TallystickSQLite

/// A verifiable event store in one SQLite file.
///
/// ```swift
/// let store = try await EventStore.open(at: "events.db", keys: .file("ring.json"))
/// let report = try await store.ingest(.ndjson("events.ndjson"), from: "websocket")
/// await store.close()
/// ```
///
/// A handle may be used from many tasks at once. Its work runs on dedicated threads and never blocks Swift's
/// cooperative threads. Several processes may have the same store open.
public final class EventStore: Sendable {
    /// The file.
    public let path: String
    /// 32 hexadecimal digits that stay the same for the store's life.
    public let storeID: String
    let options: StoreOptions
    let owner: StoreOwner
    let settings: CurrentSettings
    let isClosed = StopFlag()
    private let readers: ReadingConnections

    private init(
        path: String,
        storeID: String,
        options: StoreOptions,
        owner: StoreOwner,
        settings: CurrentSettings
    ) {
        self.path = path
        self.storeID = storeID
        self.options = options
        self.owner = owner
        self.settings = settings
        readers = ReadingConnections(path, options)
    }

    /// Creates an empty store and opens it.
    ///
    /// - throws: `StoreError`: `storeExists`, `cannotCreate`, `badInput` for an invalid settings file. Nothing is
    ///   left behind then.
    public static func create(
        at path: String,
        _ creation: StoreCreation = StoreCreation(),
        keys: KeySource = .none,
        options: StoreOptions = StoreOptions()
    ) async throws(StoreError) -> EventStore {
        try await attempt("create the store", path) {
            try await runOnThread { try StoreCreator.create(path, creation, options) }
        }
        return try await open(at: path, keys: keys, options: options)
    }

    /// Opens a store.
    ///
    /// - parameter path: the store's file.
    /// - parameter keys: the keys for checksums that need one. Without them such checksums are not
    ///   checked, and events whose category demands one are refused with `keyMissing`.
    /// - parameter options: access, timeouts, the clock and the logger; the default may write.
    /// - throws: `StoreError`: `keyRefused`, `noStore`, `notAStore`, `schemaNewer`, `schemaOlder`, `schemaAltered`,
    ///   `notPermitted`, `corrupt`, `busy`.
    public static func open(
        at path: String,
        keys: KeySource = .none,
        options: StoreOptions = StoreOptions()
    ) async throws(StoreError) -> EventStore {
        return try await attempt("open the store", path) {
            let owner = try StoreOwner()
            let ring = try await runOnThread { try keys.load() }
            var options = options
            options.checksummer = Checksummer(ring)
            let opened = options
            let writes = options.access == .readWrite
            if writes { try await owner.open(path, opened) }
            let (identity, settings) = try await runOnThread {
                let connection = try StoreFile.openForReading(path, opened)
                let identity = try StoreIdentity.read(from: connection)
                return (identity, try CurrentSettings(identity, opened, connection))
            }
            if writes { await owner.publishSettings(to: settings) }
            return EventStore(
                path: path,
                storeID: identity.storeID,
                options: opened,
                owner: owner,
                settings: settings
            )
        }
    }

    /// Checkpoints the write-ahead log and closes the file. Further calls throw `closed`.
    public func close() async {
        isClosed.set()
        readers.close()
        await owner.close()
    }

    /// Reads in one transaction, on its own thread.
    func reading<Result: Sendable>(
        _ operation: String,
        _ body: @escaping @Sendable (Connection) throws -> Result
    ) async throws(StoreError) -> Result {
        let readers = readers
        return try await Self.attempt(operation, path) {
            try await runOnThread { try readers.read(body) }
        }
    }

    static func attempt<Result>(
        _ operation: String,
        _ path: String,
        _ body: () async throws -> Result
    ) async throws(StoreError) -> Result {
        do {
            return try await body()
        } catch {
            throw StoreError(error, during: operation, on: path)
        }
    }
}
