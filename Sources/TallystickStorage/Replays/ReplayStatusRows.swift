import TallystickCore
package import TallystickSQLite

/// The status of a replay, as users see it.
package enum ReplayState: String {
    /// Set up, but not running.
    case ready
    case running
    /// Stopped before an event that cannot be applied or is held, or by a failure.
    case halted
    /// Stopped on request.
    case paused
    /// Being rebuilt from the first event, in a scratch file.
    case rebuilding
    /// Everything was consumed.
    case complete
}

/// Keeps `replays` in the store: the status for users, and hints if a checkpoint is in another file.
package struct ReplayStatusRows {
    package struct Row {
        package var definition: ReplayDefinition
        package var target: ReplayDestination
        package var state: ReplayState
        package var checkpoint: Checkpoint
        package var parked: Int64
        /// nil if nothing has been consumed yet.
        package var eventsPerSecond: Double?
        package var lastError: String?
        /// The first position that was set aside since the projection was built.
        package var outOfOrderSince: Int64?
        /// Whether the projection was rebuilt, which invalidates earlier records of its order.
        package var isRebuilt: Bool

        package init(
            definition: ReplayDefinition,
            target: ReplayDestination,
            state: ReplayState,
            checkpoint: Checkpoint,
            parked: Int64,
            eventsPerSecond: Double? = nil,
            lastError: String? = nil,
            outOfOrderSince: Int64? = nil,
            isRebuilt: Bool
        ) {
            self.definition = definition
            self.target = target
            self.state = state
            self.checkpoint = checkpoint
            self.parked = parked
            self.eventsPerSecond = eventsPerSecond
            self.lastError = lastError
            self.outOfOrderSince = outOfOrderSince
            self.isRebuilt = isRebuilt
        }
    }

    private let connection: Connection

    package init(in connection: Connection) { self.connection = connection }

    package func set(_ row: Row, at time: Int64) throws(SQLiteError) {
        let upsert = try connection.cached(
            """
            INSERT INTO replays (
                replay, target, target_path, projection_version, definition_sha256, on_correction, status,
                parked, events_per_second, last_error, hint_position, hint_resolution, hint_digest,
                hint_applied_digest, started_at, updated_at, out_of_order_since)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15, ?16)
            ON CONFLICT (replay) DO UPDATE SET
                target = excluded.target,
                target_path = excluded.target_path,
                projection_version = excluded.projection_version,
                definition_sha256 = excluded.definition_sha256,
                on_correction = excluded.on_correction,
                status = excluded.status,
                parked = excluded.parked,
                events_per_second = coalesce(excluded.events_per_second, events_per_second),
                last_error = excluded.last_error,
                hint_position = excluded.hint_position,
                hint_resolution = excluded.hint_resolution,
                hint_digest = excluded.hint_digest,
                hint_applied_digest = excluded.hint_applied_digest,
                updated_at = excluded.updated_at,
                out_of_order_since = CASE WHEN ?17 THEN excluded.out_of_order_since
                    ELSE coalesce(out_of_order_since, excluded.out_of_order_since) END
            """
        )
        let (target, path) = row.target.columns
        try upsert.bindText(row.definition.name, at: 1)
        try upsert.bindText(target, at: 2)
        try upsert.bindOptional(path, at: 3)
        try upsert.bind(row.definition.version, at: 4)
        try upsert.bindText(row.definition.digest.hex, at: 5)
        try upsert.bindText(row.definition.onCorrection.rawValue, at: 6)
        try upsert.bindText(row.state.rawValue, at: 7)
        try upsert.bind(row.parked, at: 8)
        if let rate = row.eventsPerSecond {
            try upsert.bind(rate, at: 9)
        } else {
            try upsert.bindNull(at: 9)
        }
        try upsert.bindOptional(row.lastError, at: 10)
        try upsert.bind(row.checkpoint.position, at: 11)
        try upsert.bind(row.checkpoint.watermark, at: 12)
        try upsert.bindText(row.checkpoint.digest.value.hex, at: 13)
        try upsert.bindText(row.checkpoint.appliedDigest.value.hex, at: 14)
        try upsert.bind(time, at: 15)
        try upsert.bindOptional(row.outOfOrderSince, at: 16)
        try upsert.bind(Int64(row.isRebuilt ? 1 : 0), at: 17)
        try upsert.run()
    }

    /// Where a replay applies its events; nil if the store knows no replay of that name.
    package func target(of replay: String) throws(SQLiteError) -> (target: String, path: String?)? {
        let known = try connection.cached(
            "SELECT target, target_path FROM replays WHERE replay = ?1"
        )
        try known.bindText(replay, at: 1)
        return try known.first { ($0.text(at: 0), $0.textIfPresent(at: 1)) }
    }

    package func forget(_ replay: String) throws(SQLiteError) {
        let delete = try connection.cached("DELETE FROM replays WHERE replay = ?1")
        try delete.bindText(replay, at: 1)
        try delete.run()
    }
}
