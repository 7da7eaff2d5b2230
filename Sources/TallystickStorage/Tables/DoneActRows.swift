import TallystickCore
package import TallystickSQLite

/// A recorded act: its actor, time and audit row.
package struct DoneAct: Sendable {
    package var sequence: Int64
    package var actor: String
    package var reason: String?
    /// Microseconds since 1970.
    package var recordedAt: Int64
    /// The row's JSON object; nil if it has none.
    package var detail: String?

    /// Whether the row records the named change of keys: "register", "rotate", "retire".
    package func isKeyAct(_ name: String) -> Bool {
        detail?.hasPrefix("{\"act\":\"\(name)\"") == true
    }

    /// For messages: the actor, the time, and the audit row.
    package var text: String {
        "by \(actor) at \(RFC3339.string(microseconds: recordedAt)) as audit row \(sequence)"
    }
}

/// A recorded decision.
package struct DoneDecision {
    package var act: DoneAct
    package var resolutionID: Int64
    package var decision: String
    package var winnerOrigin: String?
    package var contentDigest: String?

    /// For messages: the decision, its actor and time, and the audit row.
    package var text: String {
        let choice = decision == "take" ? winnerOrigin.map { "take \($0)" } ?? decision : decision
        return "\(act.text) and resolution \(resolutionID) (\(choice))"
    }
}

/// Finds earlier acts, for the message to a caller who repeats one.
package struct DoneActRows {
    private let connection: Connection

    package init(in connection: Connection) { self.connection = connection }

    /// The act recorded in an audit row.
    package func act(_ sequence: Int64) throws(SQLiteError) -> DoneAct? {
        try first("audit_sequence = ?1", sequence)
    }

    /// The last time that a conflict was reopened.
    package func reopening(of conflictID: Int64) throws(SQLiteError) -> DoneAct? {
        try first("conflict_id = ?1 AND kind = 'conflict_reopened'", conflictID)
    }

    /// The release of a quarantined input.
    package func release(of quarantineID: Int64) throws(SQLiteError) -> DoneAct? {
        try first(
            """
            audit_sequence = (
                SELECT s.audit_sequence
                FROM quarantine_states AS s
                WHERE s.quarantine_id = ?1)
            """,
            quarantineID
        )
    }

    package func decision(_ resolutionID: Int64) throws(SQLiteError) -> DoneDecision? {
        let row = try connection.prepare(
            """
            SELECT audit_sequence, actor, reason, decided_at, NULL, decision, winner_origin, content_sha256
            FROM resolutions
            WHERE resolution_id = ?1
            """
        )
        try row.bind(resolutionID, at: 1)
        return try row.first {
            DoneDecision(
                act: Self.act($0),
                resolutionID: resolutionID,
                decision: $0.text(at: 5),
                winnerOrigin: $0.textIfPresent(at: 6),
                contentDigest: $0.textIfPresent(at: 7)
            )
        }
    }

    private func first(_ condition: String, _ value: Int64) throws(SQLiteError) -> DoneAct? {
        let row = try connection.prepare(
            """
            SELECT audit_sequence, actor, reason, recorded_at, detail
            FROM audit_trail
            WHERE \(condition)
            ORDER BY audit_sequence DESC
            LIMIT 1
            """
        )
        try row.bind(value, at: 1)
        return try row.first(Self.act)
    }

    private static func act(_ row: Statement) -> DoneAct {
        DoneAct(
            sequence: row.int64(at: 0),
            actor: row.text(at: 1),
            reason: row.textIfPresent(at: 2),
            recordedAt: row.int64(at: 3),
            detail: row.textIfPresent(at: 4)
        )
    }
}
