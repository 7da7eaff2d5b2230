import TallystickSQLite

/// The versions of a store's settings as they are recorded.
///
/// ```swift
/// for try await version in store.settingsChanges {
///     print("settings \(version.version) by \(version.actor)")
/// }
/// ```
public struct SettingsChanges: AsyncSequence, Sendable {
    public typealias Element = SettingsVersion
    public typealias Failure = StoreError

    /// The maximum delay before a version is noticed.
    static let interval = Duration.seconds(1)

    let store: EventStore

    public func makeAsyncIterator() -> Iterator {
        Iterator(store: store)
    }

    /// Waits for the next version of the settings.
    public struct Iterator: AsyncIteratorProtocol {
        let store: EventStore
        private var last: Int64?

        init(store: EventStore) { self.store = store }

        public mutating func next() async throws(StoreError) -> SettingsVersion? {
            try await next(isolation: nil)
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> SettingsVersion? {
            while !store.isClosed.isSet && !Task.isCancelled {
                if let found = try await Self.read(store, after: last) {
                    last = found.version
                    return found
                }
                do {
                    try await Task.sleep(for: SettingsChanges.interval)
                } catch {
                    // Cancelled: the sequence ends.
                    return nil
                }
            }
            return nil
        }

        private static func read(
            _ store: EventStore,
            after last: Int64?
        ) async throws(StoreError) -> SettingsVersion? {
            try await store.reading("read the settings") { connection in
                let rows = try ConfigurationRows(in: connection)
                let stored = try last.map { try rows.next(after: $0) } ?? rows.newest()
                return try stored.map { try SettingsVersion($0) }
            }
        }
    }
}
