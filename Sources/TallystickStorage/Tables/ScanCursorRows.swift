package import TallystickCore
package import TallystickSQLite

/// How far reconciliation has scanned. The raw values are those of `tally_scans.scan`.
package enum Scan: String {
    /// `events`, for deliveries and sequences.
    case events
    /// `copies`, for deliveries and support.
    case copies
    case conflicts
    /// `mismatches`, for records that were found changed.
    case mismatches
    /// `events`, for copies that are missing.
    case presence
    /// The configuration under which open conflicts last had their policies applied.
    case configuration
    /// `conflicts`, for those on silences and gaps: the derived tables may not know about later ones.
    case spans
    /// `audit_trail`, for statements of completeness and withdrawals that have been taken in.
    case statements
    /// `audit_trail`, for statements of completeness that were held against the events up to `covered`.
    case coverage
    /// `events`, for those that were held against the statements up to `coverage`.
    case covered
}

/// Reads and writes the derived tables of reconciliation that are about deliveries, and `tally_scans`.
package struct ScanCursorRows {
    private let connection: Connection
    private let selectScan: Statement
    private let upsertScan: Statement
    private let addDelivery: Statement
    private let deliveries: Statement
    private let lastBefore: Statement
    private let addAwaited: Statement
    private let removeAwaited: Statement
    private let selectAwaited: Statement
    private let addSilence: Statement
    private let hasSilence: Statement
    private let selectEnded: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        self.connection = connection
        selectScan = try connection.prepare("SELECT last FROM tally_scans WHERE scan = ?1")
        upsertScan = try connection.prepare(
            "INSERT OR REPLACE INTO tally_scans (scan, last) VALUES (?1, ?2)"
        )
        addDelivery = try connection.prepare(
            """
            INSERT INTO tally_deliveries (origin_id, recorded_at)
            VALUES (?1, ?2)
            ON CONFLICT DO NOTHING
            """
        )
        deliveries = try connection.prepare(
            """
            SELECT
                (SELECT min(recorded_at) FROM tally_deliveries WHERE origin_id = ?1),
                (SELECT min(recorded_at) FROM tally_deliveries WHERE origin_id = ?1 AND recorded_at > ?2),
                (SELECT max(recorded_at) FROM tally_deliveries WHERE origin_id = ?1)
            """
        )
        lastBefore = try connection.prepare(
            """
            SELECT max(recorded_at)
            FROM tally_deliveries
            WHERE origin_id = ?1 AND recorded_at <= ?2
            """
        )
        addAwaited = try connection.prepare(
            """
            INSERT INTO tally_awaited (due_at, position)
            VALUES (?1, ?2)
            ON CONFLICT DO NOTHING
            """
        )
        removeAwaited = try connection.prepare(
            "DELETE FROM tally_awaited WHERE due_at = ?1 AND position = ?2"
        )
        selectAwaited = try connection.prepare(
            """
            SELECT due_at, position
            FROM tally_awaited
            WHERE (due_at, position) > (?1, ?2) AND due_at < ?3
            ORDER BY due_at, position
            LIMIT ?4
            """
        )
        addSilence = try connection.prepare(
            "INSERT INTO tally_silences (origin_id, since, conflict_id) VALUES (?1, ?2, ?3)"
        )
        hasSilence = try connection.prepare(
            "SELECT 1 FROM tally_silences WHERE origin_id = ?1 AND since = ?2"
        )
        selectEnded = try connection.prepare(
            """
            SELECT s.conflict_id, s.origin_id, s.since,
                (SELECT min(d.recorded_at) FROM tally_deliveries AS d
                    WHERE d.origin_id = s.origin_id AND d.recorded_at > s.since) AS until
            FROM tally_silences AS s
            CROSS JOIN tally_waiting AS w
            WHERE w.conflict_id = s.conflict_id AND until IS NOT NULL
            ORDER BY s.origin_id, s.since
            """
        )
    }

    /// A span, now over, in which an origin delivered nothing.
    package struct Silence {
        package var conflictID: Int64
        package var originID: Int64
        /// The delivery before it.
        package var since: Int64
        /// The delivery after it.
        package var until: Int64
    }

    /// The silences behind waiting conflicts that are over, for each origin in order of time.
    package func endedSilences() throws(SQLiteError) -> [[Silence]] {
        var origins: [[Silence]] = []
        while try selectEnded.step() {
            let silence = Silence(
                conflictID: selectEnded.int64(at: 0),
                originID: selectEnded.int64(at: 1),
                since: selectEnded.int64(at: 2),
                until: selectEnded.int64(at: 3)
            )
            if origins.last?.last?.originID != silence.originID { origins.append([]) }
            origins[origins.count - 1].append(silence)
        }
        try selectEnded.reset()
        return origins
    }

    package func last(_ scan: Scan) throws(SQLiteError) -> Int64 {
        try selectScan.bindText(scan.rawValue, at: 1)
        return try selectScan.optionalInt64() ?? 0
    }

    /// Empties all derived tables of reconciliation if only that of deliveries or of times was emptied, or if more was
    /// scanned than exists; the next run fills them again.
    ///
    /// - parameter events: the number of events.
    package func restartIfAltered(events: Int64) throws(SQLiteError) {
        let looked = (try last(.events), try last(.presence))
        let deliveries = try connection.prepare("SELECT EXISTS (SELECT 1 FROM tally_deliveries)")
        let hasDeliveries = try deliveries.optionalInt64() != 0
        let times = try connection.prepare(
            "SELECT coalesce(max(last_position), 0) FROM tally_times"
        )
        let timed = try times.optionalInt64() ?? 0
        let covered = try last(.covered)
        let isEmptied = looked.0 > 0 && !hasDeliveries || timed < covered
        guard isEmptied || max(looked.0, looked.1) > events else { return }
        let tables = try connection.prepare(
            "SELECT name FROM sqlite_schema WHERE name LIKE 'tally@_%' ESCAPE '@' AND type = 'table'"
        )
        for table in try tables.all({ $0.text(at: 0) }) {
            try connection.execute("DELETE FROM \(table)")
        }
    }

    package func setLast(_ scan: Scan, _ last: Int64) throws(SQLiteError) {
        try upsertScan.bindText(scan.rawValue, at: 1)
        try upsertScan.bind(last, at: 2)
        try upsertScan.run()
    }

    package func addDelivery(of originID: Int64, at recordedAt: Int64) throws(SQLiteError) {
        try addDelivery.bind(originID, at: 1)
        try addDelivery.bind(recordedAt, at: 2)
        try addDelivery.run()
    }

    /// Known deliveries of an origin around a time.
    package func deliveries(
        of originID: Int64,
        around recordedAt: Int64
    ) throws(SQLiteError) -> Presence.Deliveries {
        try deliveries.bind(originID, at: 1)
        try deliveries.bind(recordedAt, at: 2)
        let found = try deliveries.first { row in
            Presence.Deliveries(
                first: row.int64IfPresent(at: 0),
                next: row.int64IfPresent(at: 1),
                last: row.int64IfPresent(at: 2)
            )
        }
        return found ?? Presence.Deliveries(first: nil, next: nil, last: nil)
    }

    /// An origin's last delivery at or before a time.
    package func lastDelivery(of originID: Int64, before recordedAt: Int64) throws(SQLiteError)
        -> Int64?
    {
        try lastBefore.bind(originID, at: 1)
        try lastBefore.bind(recordedAt, at: 2)
        return try lastBefore.optionalInt64()
    }

    package func await(_ position: Int64, dueAt: Int64) throws(SQLiteError) {
        try addAwaited.bind(dueAt, at: 1)
        try addAwaited.bind(position, at: 2)
        try addAwaited.run()
    }

    package func stopAwaiting(_ position: Int64, dueAt: Int64) throws(SQLiteError) {
        try removeAwaited.bind(dueAt, at: 1)
        try removeAwaited.bind(position, at: 2)
        try removeAwaited.run()
    }

    /// Awaited events that are due before a time, after a place in that order.
    package func awaited(
        after place: (dueAt: Int64, position: Int64),
        before time: Int64,
        limit: Int
    ) throws(SQLiteError) -> [(dueAt: Int64, position: Int64)] {
        try selectAwaited.bind(place.dueAt, at: 1)
        try selectAwaited.bind(place.position, at: 2)
        try selectAwaited.bind(time, at: 3)
        try selectAwaited.bind(Int64(limit), at: 4)
        var found: [(dueAt: Int64, position: Int64)] = []
        while try selectAwaited.step() {
            found.append((selectAwaited.int64(at: 0), selectAwaited.int64(at: 1)))
        }
        try selectAwaited.reset()
        return found
    }

    package func addSilence(of originID: Int64, since: Int64, conflictID: Int64) throws(SQLiteError)
    {
        try addSilence.bind(originID, at: 1)
        try addSilence.bind(since, at: 2)
        try addSilence.bind(conflictID, at: 3)
        try addSilence.run()
    }

    package func hasSilence(of originID: Int64, since: Int64) throws(SQLiteError) -> Bool {
        try hasSilence.bind(originID, at: 1)
        try hasSilence.bind(since, at: 2)
        return try hasSilence.optionalInt64() != nil
    }
}
