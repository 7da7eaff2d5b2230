import TallystickCore
import TallystickSQLite

/// Keeps `effective_state`: what a position counts as where that is not simply the event as appended.
struct EffectiveRows {
    private let dispute: Statement

    init(in connection: Connection) throws(SQLiteError) {
        dispute = try connection.prepare(
            """
            INSERT INTO effective_state (position, state, conflict_id, excluded, replaced)
            VALUES (?1, 'disputed', ?2, 0, 0)
            ON CONFLICT (position) DO UPDATE SET conflict_id = excluded.conflict_id
            WHERE resolution_id IS NULL
            """
        )
    }

    /// Says that a conflict is open over the event at a position.
    func dispute(position: Int64, conflictID: Int64) throws(SQLiteError) {
        try dispute.bind(position, at: 1)
        try dispute.bind(conflictID, at: 2)
        try dispute.run()
    }
}
