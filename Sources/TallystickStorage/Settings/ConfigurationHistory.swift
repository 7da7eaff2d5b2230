package import TallystickCore
package import TallystickSQLite

/// Every configuration that was ever in force, with the event at which it took effect.
///
/// Whether copies of an event are compared is decided by the configuration in force when the event was recorded.
package final class ConfigurationHistory {
    private struct Entry {
        var version: Int64
        /// The head when the configuration was recorded: it applies to the events after it.
        var after: Int64
        var settings: StoreSettings
    }

    private let rows: ConfigurationRows
    private let connection: Connection
    private var entries: [Entry] = []

    package init(in connection: Connection) throws {
        rows = try ConfigurationRows(in: connection)
        self.connection = connection
        try refresh()
    }

    /// Takes in configurations that were added meanwhile.
    package func refresh() throws {
        while let row = try rows.next(after: entries.last?.version ?? 0) {
            let after = try rows.start(of: row.version) ?? head(at: row.recordedAt)
            entries.append(
                Entry(version: row.version, after: after, settings: try row.settings())
            )
        }
    }

    /// The newest configuration.
    package var newest: (version: Int64, settings: StoreSettings) {
        entries.last.map { ($0.version, $0.settings) } ?? (0, .standard)
    }

    /// The settings of a version; nil if there is none.
    package func settings(of version: Int64) -> StoreSettings? {
        entries.first { $0.version == version }?.settings
    }

    /// The settings in force when the event at a position was recorded.
    package func settings(at position: Int64) -> StoreSettings {
        settings(index: index(at: position))
    }

    /// Which settings were in force then.
    package func index(at position: Int64) -> Int {
        entries.lastIndex { $0.after < position } ?? 0
    }

    package func settings(index: Int) -> StoreSettings {
        entries.indices.contains(index) ? entries[index].settings : .standard
    }

    /// The shortest window of any category that was ever in force, in microseconds.
    package var shortestWindow: Int64 {
        entries.flatMap(\.settings.categories).map(\.window.microseconds).min() ?? 0
    }

    /// The last event recorded before a time, found by bisection: positions grow with time.
    private func head(at time: Int64) throws -> Int64 {
        let recorded = try connection.cached("SELECT recorded_at FROM events WHERE position = ?1")
        var low: Int64 = 0
        var high = try connection.cached("SELECT max(position) FROM events").optionalInt64() ?? 0
        while low < high {
            let middle = low + (high - low + 1) / 2
            try recorded.bind(middle, at: 1)
            if let at = try recorded.optionalInt64(), at < time {
                low = middle
            } else {
                high = middle - 1
            }
        }
        return low
    }
}
