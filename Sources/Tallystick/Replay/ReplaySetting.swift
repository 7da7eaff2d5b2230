import TallystickSQLite

/// What a replay is told once: which projection, over which store, and how.
struct ReplaySetting: Sendable {
    var path: String
    var storeID: String
    var storeOptions: StoreOptions
    var options: ReplayOptions
    var definition: ReplayDefinition
    /// Categories whose open conflicts hold the replay.
    var heldCategories: @Sendable () -> [String]
    var stop: StopFlag
    /// Makes the projection on the connection that holds its tables.
    var makeDriver: @Sendable (Connection, Authorizer) -> any ProjectionDriver
    /// Puts on record that an event is left out, once for each place, and why.
    var auditSkip: @Sendable (ReplayPlace, String) throws -> Void
    /// Writes the store's log back where it has grown.
    var checkpointStore: @Sendable () throws -> Void
    /// Whether the replay waits for more at the end, until it is stopped.
    var follows = false
    /// Whether a scratch file is filled, of which the store is told nothing.
    var isScratch = false
}
