package import TallystickCore
package import TallystickSQLite

/// Keeps `effective_state`: what a position counts as, if that is not simply the event as appended.
package struct EffectiveRows {
    private let dispute: Statement
    private let resolve: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        dispute = try connection.prepare(
            """
            INSERT INTO effective_state (position, state, conflict_id, excluded, replaced)
            VALUES (?1, 'disputed', ?2, 0, 0)
            ON CONFLICT (position) DO UPDATE SET conflict_id = excluded.conflict_id
            WHERE resolution_id IS NULL
            """
        )
        resolve = try connection.prepare(
            """
            INSERT OR REPLACE INTO effective_state (
                position, state, conflict_id, resolution_id, excluded, replaced, type, subject, time,
                data_content_type, attributes, data, checksum_algorithm, checksum, checksum_key_id)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
            """
        )
    }

    /// Records what a position counts as since a resolution.
    ///
    /// - parameter fields: nil for the event as appended, or none.
    package func resolve(
        position: Int64,
        conflictID: Int64,
        resolutionID: Int64,
        decision: Decision,
        fields: EventFields?,
        checksum: Checksum,
        keyID: String?
    ) throws(SQLiteError) {
        try resolve.bind(position, at: 1)
        try resolve.bindText(decision == .merge ? "merged" : "resolved", at: 2)
        try resolve.bind(conflictID, at: 3)
        try resolve.bind(resolutionID, at: 4)
        try resolve.bind(Int64(decision == .exclude ? 1 : 0), at: 5)
        try resolve.bind(Int64(fields == nil ? 0 : 1), at: 6)
        try resolve.bindOptional(fields?.type, at: 7)
        try resolve.bindOptional(fields?.subject, at: 8)
        try resolve.bindOptional(fields?.time, at: 9)
        try resolve.bindOptional(fields?.dataContentType, at: 10)
        try resolve.bindOptional(fields?.attributes, at: 11)
        try resolve.bind(fields?.data ?? .null, at: 12)
        try resolve.bindText(checksum.algorithm.rawValue, at: 13)
        try resolve.bindBlob(checksum.bytes, at: 14)
        try resolve.bindOptional(keyID, at: 15)
        try resolve.run()
    }

    /// Records that a conflict on the event at a position is open.
    package func dispute(position: Int64, conflictID: Int64) throws(SQLiteError) {
        try dispute.bind(position, at: 1)
        try dispute.bind(conflictID, at: 2)
        try dispute.run()
    }
}
