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

    /// How long a version may go unnoticed.
    static let interval = Duration.seconds(1)

    let path: String
    let options: StoreOptions
    let isClosed: StopFlag

    public func makeAsyncIterator() -> Iterator {
        Iterator(path: path, options: options, isClosed: isClosed)
    }

    public struct Iterator: AsyncIteratorProtocol {
        let path: String
        let options: StoreOptions
        let isClosed: StopFlag
        private var last: Int64?

        init(path: String, options: StoreOptions, isClosed: StopFlag) {
            self.path = path
            self.options = options
            self.isClosed = isClosed
        }

        public mutating func next() async throws(StoreError) -> SettingsVersion? {
            try await next(isolation: nil)
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> SettingsVersion? {
            while !isClosed.isSet && !Task.isCancelled {
                if let found = try await Self.read(path, options, after: last) {
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
            _ path: String,
            _ options: StoreOptions,
            after last: Int64?
        ) async throws(StoreError) -> SettingsVersion? {
            try await EventStore.attempt("read the settings", path) {
                try await runOnThread {
                    let rows = try ConfigurationRows(
                        in: StoreFile.openForReading(path, options)
                    )
                    let stored = try last.map { try rows.next(after: $0) } ?? rows.newest()
                    return try stored.map { try SettingsVersion($0) }
                }
            }
        }
    }
}
