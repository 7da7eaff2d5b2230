package import TallystickCore
package import TallystickSQLite

/// The settings that apply to a handle: the store's own, with the overrides of its process.
package struct SettingsInForce: Sendable {
    /// The version in `configurations` that holds exactly these settings; 0 if the overrides have not been
    /// recorded yet; the first transaction records them.
    package var version: Int64
    package var settings: StoreSettings
    /// The version of the store's own settings.
    package var base: Int64
    /// The newest version when these were read.
    package var newest: Int64
    /// Names of the overrides.
    package var overrides: [String] = []

    /// The version that holds these settings; nil if none does yet.
    package var recordedVersion: Int64? {
        if version > 0 { return version }
        return overrides.isEmpty ? base : nil
    }

    /// Reads the current settings.
    ///
    /// - returns: nil for a store that has none yet, because it is being created.
    package static func read(
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
        let result: SettingsInForce
        do throws(SettingsOverrides.Failure) {
            let (settings, names) = try overrides.applied(to: own)
            result = SettingsInForce(
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
        guard try rows.knowsOverrideOrigin(of: result.settings) else {
            throw StoreError(
                .invalidArgument,
                during: "read the settings",
                on: result.overrides.joined(separator: ", "),
                "there is no origin '\(result.settings.overrideOrigin ?? "")' for override_origin",
                hint: "Correct the variable, or unset it; nothing was changed"
            )
        }
        return result
    }
}

/// The settings in force as last read, shared by all threads.
package final class CurrentSettings: Sendable {
    private let state: POSIXMutex<(inForce: SettingsInForce, configuration: IngestConfiguration)>

    /// Why the stored settings could not be read. A read-only handle is opened all the same, so that a
    /// verification can report what was changed.
    private let failure: StoreError?

    /// The settings as read by a reading connection.
    package init(
        _ identity: StoreIdentity,
        _ options: StoreOptions,
        _ connection: Connection
    ) throws {
        let (inForce, failure) = try Self.read(options, connection)
        self.failure = failure
        let configuration = try IngestConfiguration(
            inForce,
            identity,
            options.checksummer,
            from: connection
        )
        state = POSIXMutex((inForce: inForce, configuration: configuration))
    }

    private static func read(
        _ options: StoreOptions,
        _ connection: Connection
    ) throws -> (SettingsInForce, StoreError?) {
        do {
            let rows = try ConfigurationRows(in: connection)
            if let inForce = try SettingsInForce.read(rows, options.overrides) {
                return (inForce, nil)
            }
            throw StoreError(
                .integrity,
                during: "read the settings",
                on: "configurations",
                "there are no settings",
                hint: "Run 'tally verify'"
            )
        } catch let error as StoreError
            where error.code == .integrity && options.access == .readOnly
        {
            let standard = SettingsInForce(version: 0, settings: .standard, base: 0, newest: 0)
            return (standard, error)
        }
    }

    /// Checks that the settings are those stored in the store.
    ///
    /// - throws: `StoreError` with `integrity`.
    package func check() throws(StoreError) {
        if let failure { throw failure }
    }

    package var inForce: SettingsInForce { state.withLock { $0.inForce } }
    package var configuration: IngestConfiguration { state.withLock { $0.configuration } }

    package func set(_ inForce: SettingsInForce, _ configuration: IngestConfiguration) {
        state.withLock { $0 = (inForce: inForce, configuration: configuration) }
    }
}

/// Follows the settings for a writer, in its transactions.
package struct SettingsFollower {
    private let rows: ConfigurationRows
    private let connection: Connection
    private let overrides: SettingsOverrides?
    private let checksummer: Checksummer
    package private(set) var inForce: SettingsInForce?
    package private(set) var configuration: IngestConfiguration?

    package init(_ rows: ConfigurationRows, _ connection: Connection, _ options: StoreOptions) {
        self.rows = rows
        self.connection = connection
        overrides = options.overrides
        checksummer = options.checksummer
    }

    /// Reads the settings again if there is a new version.
    ///
    /// - returns: settings to be recorded as the next version before they are first used.
    package mutating func refresh() throws -> SettingsInForce? {
        if let inForce, try rows.newestVersion() == inForce.newest { return nil }
        guard var current = try SettingsInForce.read(rows, overrides) else { return nil }
        if let inForce, current.version == 0 {
            // A new version holds another process's overrides; ours still apply.
            if inForce.base == current.base {
                current.version = inForce.version
            } else if current.overrides.isEmpty {
                current.version = current.base
            }
        }
        try set(current)
        return current.version == 0 ? current : nil
    }

    /// Notes that the settings were recorded.
    package mutating func recorded(as version: Int64) throws {
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
