public import TallystickCore
import TallystickSQLite

/// A recorded version of the settings.
public struct SettingsVersion: Sendable, Equatable {
    /// 1-based, contiguous.
    public var version: Int64
    /// The complete settings.
    public var settings: StoreSettings
    /// Microseconds since 1970-01-01T00:00:00Z.
    public var recordedAt: Timestamp
    /// The actor who recorded them; `environment` for a version that holds a process's overrides.
    public var actor: String
    /// Why they were recorded; nil if no reason was given.
    public var reason: String?
}

/// The result of applying settings.
public struct AppliedSettings: Sendable, Equatable {
    /// The version that holds them.
    public var version: Int64
    /// The changes; empty if nothing changed and no version was added.
    public var changes: [StoreSettings.Change]
}

extension EventStore {
    /// The settings that apply to this handle, with its overrides, as last read. Each write checks for newer ones.
    public var settingsInForce: StoreSettings { settings.inForce.settings }

    /// Names of the overrides that apply to this handle, as last read.
    public var settingsOverrides: [String] { settings.inForce.overrides }

    /// The store's own settings, without any overrides.
    ///
    /// - parameter version: an older version, or one with overrides; nil for the newest of the store's own.
    /// - throws: `StoreError`: `notFound`.
    public func settings(version: Int64? = nil) async throws(StoreError) -> SettingsVersion {
        return try await reading("read the settings") { connection in
            let rows = try ConfigurationRows(in: connection)
            let stored = try version.map { try rows.configuration($0) } ?? rows.base()
            guard let stored else {
                throw StoreError(
                    .notFound,
                    during: "read the settings",
                    on: "version \(version ?? 0)",
                    "there is no such version",
                    hint: "See 'tally config history'"
                )
            }
            return try SettingsVersion(stored)
        }
    }

    /// Applies a settings file as a new version, with an actor and a reason.
    ///
    /// A file contains only changes, unless it replaces everything. Settings that equal those in force add no version.
    ///
    /// - parameter file: the settings file (JSON).
    /// - parameter replaces: whether the file is the complete configuration; otherwise it is merged into the store's
    ///   own settings.
    /// - parameter actor: the actor who applies it, for the audit trail; not empty.
    /// - parameter reason: why; not empty.
    /// - throws: `StoreError`: `badInput`, with line and column; `invalidArgument` for an actor or a reason that
    ///   cannot be recorded.
    @discardableResult
    public func apply(
        settings file: [UInt8],
        replacing replaces: Bool = false,
        actor: String,
        reason: String
    ) async throws(StoreError) -> AppliedSettings {
        try await owner.apply(settings: file, replacing: replaces, actor: actor, reason: reason)
    }

    /// The changes that applying a settings file would make.
    ///
    /// - throws: `StoreError` like ``apply(settings:replacing:actor:reason:)``.
    public func changes(
        applying file: [UInt8],
        replacing replaces: Bool = false
    ) async throws(StoreError) -> [StoreSettings.Change] {
        let own = try await settings().settings
        return own.changes(to: try SettingsWriter.read(file, onto: replaces ? nil : own))
    }

    /// The versions of the settings as they are recorded, by any process: first the newest one, then each new one, at
    /// most about a second after it was recorded. Ends when the store is closed or the task is cancelled.
    public var settingsChanges: SettingsChanges {
        SettingsChanges(store: self)
    }
}

extension SettingsVersion {
    init(_ stored: StoredConfiguration) throws(StoreError) {
        self.init(
            version: stored.version,
            settings: try stored.settings(),
            recordedAt: Timestamp(microseconds: stored.recordedAt),
            actor: stored.actor,
            reason: stored.reason
        )
    }
}

/// Commits settings.
struct SettingsWriter {
    private let store: StoreWriter

    init(_ store: StoreWriter) { self.store = store }

    func apply(
        _ file: [UInt8],
        replacing replaces: Bool,
        actor: String,
        reason: String
    ) throws -> AppliedSettings {
        let operation = "apply the settings"
        try AuditText.validate(actor: actor, reason: reason, during: operation)
        guard actor != StoredConfiguration.environment else {
            throw StoreError(
                .invalidArgument,
                during: operation,
                on: "actor '\(actor)'",
                "the name stands for overrides by environment variables",
                hint: "Name who applies the settings"
            )
        }
        return try store.transaction(operation, recordingOverrides: false) {
            guard let base = try store.configurations.base() else {
                throw StoreError(
                    .integrity,
                    during: operation,
                    on: "configurations",
                    "there are no settings",
                    hint: "Run 'tally verify'"
                )
            }
            let own = try base.settings()
            let new = try Self.read(file, onto: replaces ? nil : own)
            guard try store.configurations.knowsOverrideOrigin(of: new) else {
                throw StoreError(
                    .badInput,
                    during: operation,
                    on: "override_origin",
                    "there is no origin '\(new.overrideOrigin ?? "")': none of that name is configured,"
                        + " and none ever delivered anything",
                    hint: "Name one of 'origins'"
                )
            }
            let changes = own.changes(to: new)
            guard !changes.isEmpty else {
                return AppliedSettings(version: base.version, changes: [])
            }
            let version = try store.addConfiguration(new, actor: actor, reason: reason)
            try store.followSettings()
            return AppliedSettings(version: version, changes: changes)
        }
    }

    /// Reads a settings file.
    ///
    /// - throws: `StoreError` with `badInput`, and line and column.
    static func read(
        _ file: [UInt8],
        onto base: StoreSettings?
    ) throws(StoreError) -> StoreSettings {
        do throws(SettingsError) {
            return try StoreSettings(json: file, onto: base)
        } catch {
            throw StoreError(
                .badInput,
                during: "read the settings",
                on: "line \(error.line), column \(error.column)",
                error.message
            )
        }
    }
}
