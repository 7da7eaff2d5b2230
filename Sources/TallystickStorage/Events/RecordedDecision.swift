package import TallystickSQLite

/// The rule that determines whether a row of `resolutions` is the decision recorded by a row of `audit_trail`.
///
/// Readers, `verify`, `audit replay` and `doctor` share it: none of them may refuse a decision that another
/// accepts.
package enum RecordedDecision {
    /// SQL: whether the row `r` of `resolutions` is the decision recorded by the row `a` of `audit_trail`.
    ///
    /// The audit row names the conflict's event. The resolution names it if it determines the event's content, so
    /// `accept_missing` has no position; in stores of schema 1 it may have one. The plus signs keep SQLite from
    /// looking the decision up by its conflict or event, which may have any number of decisions, while an audit
    /// row has one.
    package static let matches = """
        r.audit_sequence = a.audit_sequence AND +r.conflict_id IS a.conflict_id
            AND (+r.position IS a.position
                OR (+r.position IS NULL AND r.decision = 'accept_missing'))
        """

    /// An audit row that records a missing decision.
    package struct Lost {
        package var sequence: Int64
        /// 0 if the audit row names none.
        package var conflictID: Int64
        package var position: Int64?
    }

    /// Reads the audit rows after `?1` up to `?2` whose recorded decision is missing: it has no row, or its row is
    /// about another event or conflict.
    package struct LostRows {
        private let rows: Statement

        package init(in connection: Connection) throws(SQLiteError) {
            rows = try connection.prepare(
                """
                SELECT a.audit_sequence, coalesce(a.conflict_id, 0), a.position
                FROM audit_trail AS a
                LEFT JOIN resolutions AS r ON \(matches)
                WHERE a.audit_sequence > ?1 AND a.audit_sequence <= ?2 AND a.kind = 'resolution'
                    AND r.resolution_id IS NULL
                ORDER BY a.audit_sequence
                """
            )
        }

        package func read(after first: Int64, through last: Int64) throws(SQLiteError) -> [Lost] {
            try rows.bind(first, at: 1)
            try rows.bind(last, at: 2)
            return try rows.all {
                Lost(
                    sequence: $0.int64(at: 0),
                    conflictID: $0.int64(at: 1),
                    position: $0.int64IfPresent(at: 2)
                )
            }
        }
    }
}
