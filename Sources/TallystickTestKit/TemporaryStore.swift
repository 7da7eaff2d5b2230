public import Tallystick
public import TallystickCore

/// A store in a folder of its own, for one test. The folder is removed when the value is released.
///
/// ```swift
/// let temporary = try await TemporaryStore(clock: ManualClock())
/// try await temporary.ingest([event], from: "webhook")
/// #expect(try await temporary.store.verify().isIntact)
/// ```
public final class TemporaryStore: Sendable {
    /// The store's file.
    public let path: String
    /// The store, open for writing.
    public let store: EventStore
    /// Removes the folder when it is released.
    private let folder: any Sendable

    /// Creates and opens a store under `/tmp`.
    ///
    /// - parameters:
    ///   - settings: a settings file (JSON), merged into the defaults; nil for the defaults alone.
    ///   - clock: the clock that the store reads, in place of that of `options`; nil to leave that as it is.
    ///   - options: how the store is opened.
    /// - throws: `TemporaryFolderError`; `StoreError` as `EventStore.create`.
    public convenience init(
        settings: String? = nil,
        clock: ManualClock? = nil,
        options: StoreOptions = StoreOptions()
    ) async throws {
        let folder = try RemovedFolder()
        try await self.init(
            at: folder.path + "/store.db",
            heldBy: folder,
            settings: settings,
            clock: clock,
            options: options
        )
    }

    /// Creates and opens a store in a folder that somebody else removes, once `folder` is released.
    package init(
        at path: String,
        heldBy folder: any Sendable,
        settings: String?,
        clock: ManualClock?,
        options: StoreOptions
    ) async throws {
        self.folder = folder
        self.path = path
        var creation = StoreCreation()
        creation.configuration = settings.map { Array($0.utf8) }
        var options = options
        if let clock { options.clock = { clock.now } }
        store = try await EventStore.create(at: path, creation, options: options)
    }

    /// Calls `body` with a store, which is closed when `body` returns or throws, and removed with its folder.
    ///
    /// - throws: `TemporaryFolderError`; `StoreError` as `EventStore.create`; what `body` throws.
    public static func with<Result>(
        settings: String? = nil,
        clock: ManualClock? = nil,
        options: StoreOptions = StoreOptions(),
        isolation: isolated (any Actor)? = #isolation,
        _ body: (TemporaryStore) async throws -> Result
    ) async throws -> Result {
        let temporary = try await TemporaryStore(
            settings: settings,
            clock: clock,
            options: options
        )
        do {
            let result = try await body(temporary)
            await temporary.store.close()
            return result
        } catch {
            await temporary.store.close()
            throw error
        }
    }

    /// Ingests events as one delivery from an origin.
    ///
    /// - throws: `StoreError` as `EventStore.ingest`.
    @discardableResult
    public func ingest(
        _ events: [Event],
        from origin: String
    ) async throws(StoreError) -> IngestReport {
        var bytes: [UInt8] = []
        for event in events {
            event.writeJSON(to: &bytes)
            bytes.append(0x0A)
        }
        return try await store.ingest(.bytes(bytes, named: "events"), from: origin)
    }
}

/// A folder that is removed with everything in it when the value is released.
private final class RemovedFolder: Sendable {
    let path: String

    init() throws(TemporaryFolderError) {
        path = try FolderTree.create(named: "tallystick", in: "/tmp")
    }

    deinit { FolderTree.remove(path) }
}
