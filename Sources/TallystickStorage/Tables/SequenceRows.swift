package import TallystickCore
package import TallystickSQLite

/// Reads and writes the derived tables of reconciliation that are about the attribute `sequence`.
package struct SequenceRows {
    private let find: Statement
    private let neighbours: Statement
    private let insert: Statement
    private let insertGap: Statement
    private let findGap: Statement
    private let removeGap: Statement
    private let hasGap: Statement
    private let gaps: Statement
    private let setGapConflict: Statement
    private let insertCollision: Statement
    private let collisions: Statement
    private let setCollisionConflict: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        find = try connection.prepare(
            "SELECT position FROM tally_sequences WHERE source_id = ?1 AND sequence = ?2"
        )
        neighbours = try connection.prepare(
            """
            SELECT
                (SELECT max(sequence) FROM tally_sequences WHERE source_id = ?1 AND sequence < ?2),
                (SELECT min(sequence) FROM tally_sequences WHERE source_id = ?1 AND sequence > ?2)
            """
        )
        insert = try connection.prepare(
            "INSERT INTO tally_sequences (source_id, sequence, position) VALUES (?1, ?2, ?3)"
        )
        insertGap = try connection.prepare(
            """
            INSERT INTO tally_sequence_gaps (source_id, first, last, position, due_at, conflict_id)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            """
        )
        findGap = try connection.prepare(
            """
            SELECT position, due_at, conflict_id
            FROM tally_sequence_gaps
            WHERE source_id = ?1 AND first = ?2
            """
        )
        removeGap = try connection.prepare(
            "DELETE FROM tally_sequence_gaps WHERE source_id = ?1 AND first = ?2"
        )
        hasGap = try connection.prepare(
            "SELECT 1 FROM tally_sequence_gaps WHERE conflict_id = ?1 LIMIT 1"
        )
        gaps = try connection.prepare(
            """
            SELECT source_id, first, last, position, due_at
            FROM tally_sequence_gaps
            WHERE conflict_id IS NULL AND due_at < ?1
                AND due_at >= ?3 AND (due_at, source_id, first) > (?3, ?4, ?5)
            ORDER BY due_at, source_id, first
            LIMIT ?2
            """
        )
        setGapConflict = try connection.prepare(
            """
            UPDATE tally_sequence_gaps
            SET conflict_id = ?3
            WHERE source_id = ?1 AND first = ?2
            """
        )
        insertCollision = try connection.prepare(
            """
            INSERT INTO tally_sequence_collisions (position, other_position)
            VALUES (?1, ?2)
            ON CONFLICT DO NOTHING
            """
        )
        collisions = try connection.prepare(
            """
            SELECT position, other_position
            FROM tally_sequence_collisions
            WHERE conflict_id IS NULL AND position > ?1
            ORDER BY position
            LIMIT ?2
            """
        )
        setCollisionConflict = try connection.prepare(
            "UPDATE tally_sequence_collisions SET conflict_id = ?2 WHERE position = ?1"
        )
    }

    /// A gap as it is stored.
    package struct Gap {
        package var sourceID: Int64
        package var gap: SequenceRules.Gap
        /// The event that came after the gap.
        package var position: Int64
        package var dueAt: Int64
        package var conflictID: Int64?
    }

    /// Records a number of a source.
    ///
    /// - returns: the conflict on a gap that no longer has missing numbers.
    package func place(
        _ number: Int64,
        of sourceID: Int64,
        at position: Int64,
        dueAt: Int64
    ) throws(SQLiteError) -> Int64? {
        try find.bind(sourceID, at: 1)
        try find.bind(number, at: 2)
        let known = try find.optionalInt64()
        try neighbours.bind(sourceID, at: 1)
        try neighbours.bind(number, at: 2)
        let (previous, next) =
            try neighbours.first { ($0.int64IfPresent(at: 0), $0.int64IfPresent(at: 1)) }
            ?? (nil, nil)
        let change = SequenceRules.place(
            number,
            isKnown: known != nil,
            previous: previous,
            next: next
        )
        switch change {
        case .collision:
            try insertCollision.bind(position, at: 1)
            try insertCollision.bind(known ?? position, at: 2)
            try insertCollision.run()
            return nil
        case .placed(let removed, let added):
            try insert.bind(sourceID, at: 1)
            try insert.bind(number, at: 2)
            try insert.bind(position, at: 3)
            try insert.run()
            return try replace(removed, with: added, of: sourceID, position, dueAt)
        }
    }

    private func replace(
        _ removed: SequenceRules.Gap?,
        with added: [SequenceRules.Gap],
        of sourceID: Int64,
        _ position: Int64,
        _ dueAt: Int64
    ) throws(SQLiteError) -> Int64? {
        var old: Gap?
        if let removed {
            try findGap.bind(sourceID, at: 1)
            try findGap.bind(removed.first, at: 2)
            old = try findGap.first { row in
                Gap(
                    sourceID: sourceID,
                    gap: removed,
                    position: row.int64(at: 0),
                    dueAt: row.int64(at: 1),
                    conflictID: row.int64IfPresent(at: 2)
                )
            }
            try removeGap.bind(sourceID, at: 1)
            try removeGap.bind(removed.first, at: 2)
            try removeGap.run()
        }
        for gap in added {
            try insertGap.bind(sourceID, at: 1)
            try insertGap.bind(gap.first, at: 2)
            try insertGap.bind(gap.last, at: 3)
            try insertGap.bind(old?.position ?? position, at: 4)
            try insertGap.bind(old?.dueAt ?? dueAt, at: 5)
            try insertGap.bindOptional(old?.conflictID, at: 6)
            try insertGap.run()
        }
        guard let conflictID = old?.conflictID, try !hasGap(under: conflictID) else { return nil }
        return conflictID
    }

    /// Whether a conflict on a gap still has missing numbers.
    package func hasGap(under conflictID: Int64) throws(SQLiteError) -> Bool {
        try hasGap.bind(conflictID, at: 1)
        return try hasGap.optionalInt64() != nil
    }

    /// Gaps that were due before a time and have no conflict yet.
    ///
    /// - parameter last: the gap after which to start, in order of their due times; nil for all.
    package func gaps(dueBefore time: Int64, after last: Gap?, limit: Int) throws(SQLiteError)
        -> [Gap]
    {
        try gaps.bind(time, at: 1)
        try gaps.bind(Int64(limit), at: 2)
        try gaps.bind(last?.dueAt ?? .min, at: 3)
        try gaps.bind(last?.sourceID ?? .min, at: 4)
        try gaps.bind(last?.gap.first ?? .min, at: 5)
        var found: [Gap] = []
        while try gaps.step() {
            found.append(
                Gap(
                    sourceID: gaps.int64(at: 0),
                    gap: SequenceRules.Gap(first: gaps.int64(at: 1), last: gaps.int64(at: 2)),
                    position: gaps.int64(at: 3),
                    dueAt: gaps.int64(at: 4)
                )
            )
        }
        try gaps.reset()
        return found
    }

    package func setConflict(_ conflictID: Int64, over gap: Gap) throws(SQLiteError) {
        try setGapConflict.bind(gap.sourceID, at: 1)
        try setGapConflict.bind(gap.gap.first, at: 2)
        try setGapConflict.bind(conflictID, at: 3)
        try setGapConflict.run()
    }

    /// Collisions that have no conflict yet.
    package func collisions(
        after position: Int64,
        limit: Int
    ) throws(SQLiteError) -> [(position: Int64, other: Int64)] {
        try collisions.bind(position, at: 1)
        try collisions.bind(Int64(limit), at: 2)
        var found: [(position: Int64, other: Int64)] = []
        while try collisions.step() {
            found.append((collisions.int64(at: 0), collisions.int64(at: 1)))
        }
        try collisions.reset()
        return found
    }

    package func setConflict(_ conflictID: Int64, overCollisionAt position: Int64)
        throws(SQLiteError)
    {
        try setCollisionConflict.bind(position, at: 1)
        try setCollisionConflict.bind(conflictID, at: 2)
        try setCollisionConflict.run()
    }
}
