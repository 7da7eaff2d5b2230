import Synchronization
import TallystickCore
import TallystickSQLite

/// The settings that count for a handle: the store's own, with the overrides of its process.
struct SettingsInForce: Sendable {
    /// The version in `configurations` that holds exactly these settings; 0 where the overrides were not
    /// recorded yet, which the first transaction does.
    var version: Int64
    var settings: StoreSettings
    /// The version of the store's own settings.
    var base: Int64
    /// The newest version that was there when these were read.
    var newest: Int64
    /// Names of the overrides.
    var overrides: [String] = []

    /// Reads the settings as they are now.
    ///
    /// - returns: nil for a store that has none yet, because it is being created.
    static func read(
        _ rows: ConfigurationRows,
        _ overrides: SettingsOverrides?
    ) throws -> SettingsInForce? {
        guard let newest = try rows.newest(), let base = try rows.base() else { return nil }
        let own = try base.settings()
        guard let overrides else {
            let isRecorded = newest.content == base.content
            return SettingsInForce(
                version: isRecorded ? newest.version : 0,
                settings: own,
                base: base.version,
                newest: newest.version
            )
        }
        do throws(SettingsOverrides.Failure) {
            let (settings, names) = try overrides.applied(to: own)
            return SettingsInForce(
                version: settings.canonical == newest.content ? newest.version : 0,
                settings: settings,
                base: base.version,
                newest: newest.version,
                overrides: names
            )
        } catch {
            throw StoreError(
                .invalidArgument,
                during: "read the settings",
                on: error.name,
                error.message,
                hint: "Correct the variable, or unset it; nothing was changed"
            )
        }
    }
}

/// The settings in force as last seen, for whoever asks.
final class SettingsBox: Sendable {
    private let state: Mutex<(inForce: SettingsInForce, configuration: IngestConfiguration)>

    /// The settings as a connection that reads finds them.
    init(
        _ identity: StoreIdentity,
        _ options: StoreOptions,
        _ connection: Connection
    ) throws {
        let rows = try ConfigurationRows(in: connection)
        guard let inForce = try SettingsInForce.read(rows, options.overrides) else {
            throw StoreError(
                .integrity,
                during: "read the settings",
                on: "configurations",
                "there are no settings",
                hint: "Run 'tally verify'"
            )
        }
        let configuration = try IngestConfiguration(
            inForce,
            identity,
            options.checksummer,
            from: connection
        )
        state = Mutex((inForce: inForce, configuration: configuration))
    }

    var inForce: SettingsInForce { state.withLock { $0.inForce } }
    var configuration: IngestConfiguration { state.withLock { $0.configuration } }

    func set(_ inForce: SettingsInForce, _ configuration: IngestConfiguration) {
        state.withLock { $0 = (inForce: inForce, configuration: configuration) }
    }
}

/// Follows the settings for a writer, in its transactions.
struct SettingsFollower {
    private let rows: ConfigurationRows
    private let connection: Connection
    private let overrides: SettingsOverrides?
    private let checksummer: Checksummer
    private(set) var inForce: SettingsInForce?
    private(set) var configuration: IngestConfiguration?

    init(_ rows: ConfigurationRows, _ connection: Connection, _ options: StoreOptions) {
        self.rows = rows
        self.connection = connection
        overrides = options.overrides
        checksummer = options.checksummer
    }

    /// Reads the settings again where there is a new version.
    ///
    /// - returns: settings to be recorded before they are used for the first time, as the next version.
    mutating func refresh() throws -> SettingsInForce? {
        if let inForce, try rows.newestVersion() == inForce.newest { return nil }
        guard var current = try SettingsInForce.read(rows, overrides) else { return nil }
        if let inForce, current.version == 0 {
            // A new version of another process's surroundings: ours go on.
            if inForce.base == current.base {
                current.version = inForce.version
            } else if current.overrides.isEmpty {
                current.version = current.base
            }
        }
        try set(current)
        return current.version == 0 ? current : nil
    }

    /// Takes note that the settings were recorded.
    mutating func recorded(as version: Int64) throws {
        guard var current = inForce else { return }
        (current.version, current.newest) = (version, version)
        try set(current)
    }

    private mutating func set(_ current: SettingsInForce) throws {
        inForce = current
        let identity = try StoreIdentity.read(from: connection)
        configuration = try IngestConfiguration(current, identity, checksummer, from: connection)
    }
}
