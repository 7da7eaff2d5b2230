public import Logging
public import TallystickCore

/// How a store is opened. Nothing here is stored in the file.
public struct StoreOptions: Sendable {
    /// What a handle may do.
    public enum Access: Sendable {
        case readOnly
        case readWrite
    }

    /// Read-only handles never write, not even to migrate.
    public var access: Access = .readWrite
    /// How long a write waits for another writer before it fails with `busy`.
    public var busyTimeout: Duration = .seconds(5)
    /// Whether an older schema is migrated when the store is opened for writing; otherwise it is refused.
    public var migratesOlderSchema = false
    /// Settings from the program's environment, such as environment variables, that override the store's own. They
    /// are recorded as a version of the settings before a write first uses them.
    public var overrides: SettingsOverrides?
    /// The clock for `recorded_at`: microseconds since 1970-01-01T00:00:00Z.
    public var clock: @Sendable () -> Int64 = SystemClock.microsecondsSince1970
    /// Silent unless the program bootstraps swift-log. Its plain stream handler counts as not set up, because
    /// swift-log uses it by default: a program that wants it sets this logger.
    public var logger = Self.defaultLogger
    /// The keys given when the store was opened.
    package var checksummer = Checksummer()

    /// How long transactions may last, and how large the write-ahead log may grow.
    package var writerLimits = WriterLimits()

    /// Whether a store with damaged pages is opened, for verification, if they are not needed to read others.
    package var toleratesDamage = false

    /// The defaults: reading and writing, five seconds of waiting for another writer.
    public init() {}

    /// Read-only: the store is never written to, not even to migrate an older schema.
    public static var readOnly: Self {
        var options = Self()
        options.access = .readOnly
        return options
    }

    private static var defaultLogger: Logger {
        let logger = Logger(label: label)
        guard logger.handler is StreamLogHandler else { return logger }
        return Logger(label: label) { _ in SwiftLogNoOpLogHandler() }
    }

    private static let label = "tallystick"
}

/// How a store is created. All of it is fixed for the store's life.
public struct StoreCreation: Sendable {
    /// Attributes that describe a delivery instead of the fact, besides the built-in ones: they are stored
    /// separately and never compared. Names as in CloudEvents: lower-case letters and digits.
    public var deliveryAttributes: [String] = []
    /// The settings file (JSON) that the store starts with; nil for the defaults.
    public var configuration: [UInt8]?
    /// Who creates the store, for the audit trail.
    public var actor = "local"

    /// The defaults: built-in delivery attributes, default settings, actor `local`.
    public init() {}
}

extension Duration {
    /// In the form of SQLite's busy timeout.
    package var wholeMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        let total = seconds.multipliedReportingOverflow(by: 1000)
        guard !total.overflow else { return .max }
        return Int32(clamping: total.partialValue + attoseconds / 1_000_000_000_000_000)
    }
}
