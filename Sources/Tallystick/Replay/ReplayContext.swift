import TallystickCore
import TallystickSQLite

/// What a replay is told once: which projection, over which store, and how.
struct ReplayContext: Sendable {
    var path: String
    var storeID: String
    var storeOptions: StoreOptions
    var options: ReplayOptions
    var definition: ReplayDefinition
    /// Categories whose open conflicts hold the replay.
    var heldCategories: @Sendable () -> [String]
    /// The settings of breakers.
    var breakers: @Sendable () -> [StoreSettings.Breaker]
    var stop: StopFlag
    /// Where the replay writes, as the store shows it.
    var place: ReplayDestination
    /// Puts on record that an event is left out, once for each place, and why.
    var auditSkip: @Sendable (LogPlace, String) throws -> Void
    /// Writes the store's log back where it has grown.
    var checkpointStore: @Sendable () throws -> Void
    /// Whether the replay waits for more at the end, until it is stopped.
    var follows = false
    /// Whether a scratch file is filled, of which the store is told nothing.
    var isScratch = false

    /// Events and corrections of one transaction, or batch.
    var batch: Int { min(max(1, options.batch), ReplayLimits.batch) }
}

/// Makes a projection on the connection that holds its tables.
typealias DriverFactory = @Sendable (Connection, Authorizer) -> any ProjectionDriver

extension ReplayDestination {
    init(_ target: ReplayTarget) {
        switch target {
        case .store: self = .store
        case .file(let path): self = .file(path)
        }
    }
}
