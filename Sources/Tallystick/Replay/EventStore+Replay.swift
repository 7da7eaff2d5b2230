import TallystickCore
import TallystickSQLite

extension EventStore {
    /// Replays events into a SQL projection, from where the last run stopped up to the head.
    ///
    /// Every event is verified against its checksum and the Merkle tree before it is applied, and every decision
    /// against the audit trail's. The checkpoint is stored in the same transaction and file as the projection's
    /// own writes, so that a run can be killed at any moment and resumed. A cancelled task finishes its
    /// transaction and returns `paused`.
    ///
    /// - parameter definition: the bytes of a projection file.
    /// - parameter options: the target, and what happens at an event that cannot be applied.
    /// - throws: `StoreError`: `projectionInvalid`, `projectionChanged`, `historyDiffers`, `integrity`, `busy`.
    public func replay(
        projection definition: [UInt8],
        options: ReplayOptions = ReplayOptions()
    ) async throws(StoreError) -> ReplayOutcome {
        try await run(try Self.unbound(definition), options, follows: false)
    }

    /// Replays like ``replay(projection:options:)``, and at the head waits for more, until the task is
    /// cancelled; then it returns `paused`.
    public func follow(
        projection definition: [UInt8],
        options: ReplayOptions = ReplayOptions()
    ) async throws(StoreError) -> ReplayOutcome {
        try await run(try Self.unbound(definition), options, follows: true)
    }

    /// Applies parked events again, in order; those that still fail stay parked with the rest of their stream.
    ///
    /// - returns: how many events and corrections were applied, and how many stay parked.
    public func retryParked(
        projection definition: [UInt8],
        options: ReplayOptions = ReplayOptions()
    ) async throws(StoreError) -> (applied: Int, parked: Int) {
        try await retryParked(try Self.unbound(definition), options)
    }

    /// Removes a replay: its tables, checkpoint and parked events.
    ///
    /// - throws: `StoreError` with `notFound`.
    public func dropReplay(_ name: String) async throws(StoreError) {
        let removal = ReplayRemoval(path: path, options: options)
        try await Self.attempt("drop the replay", path) {
            try await runOnThread { try removal.remove(name) }
        }
    }

    // MARK: Running

    /// A projection before it has a connection.
    struct UnboundProjection: Sendable {
        var definition: ReplayDefinition
        var makeDriver: DriverFactory
    }

    private static func unbound(_ bytes: [UInt8]) throws(StoreError) -> UnboundProjection {
        do throws(ProjectionFileError) {
            let file = try ProjectionFile(bytes)
            return UnboundProjection(definition: SQLProjection.definition(of: file)) {
                SQLProjection(file, in: $0, $1)
            }
        } catch {
            throw StoreError(
                .projectionInvalid,
                during: "read the projection",
                on: "line \(error.line)",
                error.message
            )
        }
    }

    func run(
        _ projection: UnboundProjection,
        _ options: ReplayOptions,
        follows: Bool
    ) async throws(StoreError) -> ReplayOutcome {
        let definition = projection.definition
        let outcome = try await withSetting("replay", definition, options) { setting in
            var setting = setting
            setting.follows = follows
            return try ReplayEngine(setting, projection.makeDriver).run()
        }
        StoreMetrics.replayed(definition.name, to: outcome.position)
        return outcome
    }

    func retryParked(
        _ projection: UnboundProjection,
        _ options: ReplayOptions
    ) async throws(StoreError) -> (applied: Int, parked: Int) {
        try await withSetting("retry parked events", projection.definition, options) { setting in
            try ReplayEngine(setting, projection.makeDriver).retryParked()
        }
    }

    /// Runs `body` on a thread of its own; a cancelled task sets the setting's stop flag. An event that is refused is
    /// put on record.
    func withSetting<Result: Sendable>(
        _ operation: String,
        _ definition: ReplayDefinition,
        _ replay: ReplayOptions,
        _ body: @escaping @Sendable (ReplayContext) throws -> Result
    ) async throws(StoreError) -> Result {
        let (owner, settings) = (owner, settings)
        let setting = ReplayContext(
            path: path,
            storeID: storeID,
            storeOptions: options,
            options: replay,
            definition: definition,
            heldCategories: { settings.configuration.heldCategories },
            breakers: { settings.inForce.settings.breakers },
            stop: StopFlag(),
            place: ReplayDestination(replay.target),
            auditSkip: { place, reason in
                let skip = ProjectionSkip(
                    definition: definition,
                    place: place,
                    reason: reason,
                    actor: replay.actor
                )
                try waitFor { try await owner.auditSkip(skip) }
            },
            checkpointStore: { try waitFor { try await owner.checkpointLog() } }
        )
        return try await recordingRefusals { () throws(StoreError) in
            try await Self.attempt(operation, path) {
                try await withTaskCancellationHandler {
                    try await runOnThread { try body(setting) }
                } onCancel: {
                    setting.stop.set()
                }
            }
        }
    }
}
