import Tallystick

/// A store for the time of one command: the only way in which commands open one.
enum OpenedStore {
    /// Opens a store, lets `body` work with it, and closes it whatever comes of that.
    static func with<Result>(
        _ path: String,
        keys: KeySource = .none,
        _ options: StoreOptions,
        _ body: (EventStore) async throws -> Result
    ) async throws -> Result {
        let store = try await EventStore.open(at: path, keys: keys, options: options)
        do {
            let result = try await body(store)
            await store.close()
            return result
        } catch {
            await store.close()
            throw error
        }
    }
}
