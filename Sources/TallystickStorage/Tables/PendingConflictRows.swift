import TallystickCore
package import TallystickSQLite

/// Reads and writes `tally_waiting`: conflicts that are waiting for their policy.
package struct PendingConflictRows {
    private let add: Statement
    private let addNew: Statement
    private let addSupported: Statement
    private let addEnded: Statement
    private let addOpen: Statement
    private let addSilent: Statement
    private let next: Statement
    private let remove: Statement
    private let `defer`: Statement
    private let countNew: Statement
    private let countDeferred: Statement
    private let countOpen: Statement

    private enum SQL {
        static let add =
            """
            INSERT INTO tally_waiting (conflict_id, is_new)
            VALUES (?1, ?2)
            ON CONFLICT DO NOTHING
            """

        static let addNew =
            """
            INSERT INTO tally_waiting (conflict_id, is_new)
            SELECT conflict_id, 1
            FROM conflicts
            WHERE conflict_id > ?1 AND conflict_id <= ?2
            ON CONFLICT DO NOTHING
            """

        // A delivery after a conflict is evidence: content, support, or the copy that was missing.
        static let addSupported =
            """
            INSERT INTO tally_waiting (conflict_id, is_new)
            SELECT k.conflict_id, 0
            FROM (
                SELECT DISTINCT position
                FROM copies
                WHERE copy_id > ?1 AND copy_id <= ?2
            ) AS c
            CROSS JOIN conflicts AS k
            WHERE k.position = c.position
                AND k.kind IN ('payload_differs', 'metadata_differs', 'equivocation', 'missing_at_origin')
            ON CONFLICT DO NOTHING
            """

        // So is a copy of an event in a span in which its origin was silent. Spans of one origin do not overlap:
        // only the last one that began before the event can contain it. CROSS JOIN keeps the order: if an origin
        // has no silences, its copies cost no work.
        static let addEnded =
            """
            INSERT INTO tally_waiting (conflict_id, is_new)
            SELECT DISTINCT s.conflict_id, 0
            FROM copies AS c
            CROSS JOIN events AS e
            CROSS JOIN tally_silences AS s
            CROSS JOIN conflict_states AS k
            WHERE c.copy_id > ?1 AND c.copy_id <= ?2
                AND EXISTS (SELECT 1 FROM tally_silences AS o WHERE o.origin_id = c.origin_id)
                AND e.position = c.position
                AND s.origin_id = c.origin_id
                AND s.since = (
                    SELECT max(b.since)
                    FROM tally_silences AS b
                    WHERE b.origin_id = c.origin_id AND b.since < e.recorded_at)
                AND e.recorded_at <= (
                    SELECT min(d.recorded_at)
                    FROM tally_deliveries AS d
                    WHERE d.origin_id = s.origin_id AND d.recorded_at > s.since)
                AND k.conflict_id = s.conflict_id AND k.state = 'open'
            ON CONFLICT DO NOTHING
            """

        static let addOpen =
            """
            INSERT INTO tally_waiting (conflict_id, is_new)
            SELECT conflict_id, 0
            FROM conflict_states
            WHERE state = 'open'
            ON CONFLICT DO NOTHING
            """

        static let addSilent =
            """
            INSERT INTO tally_waiting (conflict_id, is_new)
            SELECT s.conflict_id, 0
            FROM tally_silences AS s
            CROSS JOIN conflict_states AS k
            WHERE k.conflict_id = s.conflict_id AND k.state = 'open'
            ON CONFLICT DO NOTHING
            """

        static let next =
            """
            SELECT conflict_id
            FROM tally_waiting
            WHERE conflict_id > ?1
            ORDER BY conflict_id
            LIMIT ?2
            """

        static let countNew =
            """
            SELECT k.kind, count(*)
            FROM tally_waiting AS w
            JOIN conflicts AS k ON k.conflict_id = w.conflict_id
            WHERE w.is_new
            GROUP BY k.kind
            """
    }

    package init(in connection: Connection) throws(SQLiteError) {
        add = try connection.prepare(SQL.add)
        addNew = try connection.prepare(SQL.addNew)
        addSupported = try connection.prepare(SQL.addSupported)
        addEnded = try connection.prepare(SQL.addEnded)
        addOpen = try connection.prepare(SQL.addOpen)
        addSilent = try connection.prepare(SQL.addSilent)
        next = try connection.prepare(SQL.next)
        remove = try connection.prepare("DELETE FROM tally_waiting WHERE conflict_id = ?1")
        `defer` = try connection.prepare(
            "UPDATE tally_waiting SET is_new = 0, deferred_by = ?2 WHERE conflict_id = ?1"
        )
        countNew = try connection.prepare(SQL.countNew)
        countDeferred = try connection.prepare(
            "SELECT count(*) FROM tally_waiting WHERE deferred_by LIKE 'breaker:%'"
        )
        countOpen = try connection.prepare(
            "SELECT count(*) FROM conflict_states WHERE state = 'open'"
        )
    }

    package func add(_ conflictID: Int64, isNew: Bool) throws(SQLiteError) {
        try add.bind(conflictID, at: 1)
        try add.bind(Int64(isNew ? 1 : 0), at: 2)
        try add.run()
    }

    /// Open conflicts over silences: a statement of completeness is evidence for those of its origin.
    package func addSilences() throws(SQLiteError) { try addSilent.run() }

    /// Conflicts of a range of ids.
    package func addConflicts(after first: Int64, through last: Int64) throws(SQLiteError) {
        try addNew.bind(first, at: 1)
        try addNew.bind(last, at: 2)
        try addNew.run()
    }

    /// Conflicts on events that got copies in a range of ids, and on the silence of the origins that delivered
    /// them.
    package func addConflicts(withCopiesAfter first: Int64, through last: Int64) throws(SQLiteError)
    {
        try addSupported.bind(first, at: 1)
        try addSupported.bind(last, at: 2)
        try addSupported.run()
        try addEnded.bind(first, at: 1)
        try addEnded.bind(last, at: 2)
        try addEnded.run()
    }

    package func addOpenConflicts() throws(SQLiteError) { try addOpen.run() }

    package func next(after conflictID: Int64, limit: Int) throws(SQLiteError) -> [Int64] {
        try next.bind(conflictID, at: 1)
        try next.bind(Int64(limit), at: 2)
        var found: [Int64] = []
        while try next.step() { found.append(next.int64(at: 0)) }
        try next.reset()
        return found
    }

    package func remove(_ conflictID: Int64) throws(SQLiteError) {
        try remove.bind(conflictID, at: 1)
        try remove.run()
    }

    package func `defer`(_ conflictID: Int64, by reason: String) throws(SQLiteError) {
        try `defer`.bind(conflictID, at: 1)
        try `defer`.bindText(reason, at: 2)
        try `defer`.run()
    }

    /// New waiting conflicts, by kind.
    package func newByKind() throws(SQLiteError) -> [String: Int64] {
        var counts: [String: Int64] = [:]
        while try countNew.step() { counts[countNew.text(at: 0)] = countNew.int64(at: 1) }
        try countNew.reset()
        return counts
    }

    /// Conflicts whose decisions are waiting for a breaker.
    package func deferred() throws(SQLiteError) -> Int64 { try countDeferred.optionalInt64() ?? 0 }
    /// All open conflicts of the store, whatever they are waiting for.
    package func open() throws(SQLiteError) -> Int64 { try countOpen.optionalInt64() ?? 0 }
}
