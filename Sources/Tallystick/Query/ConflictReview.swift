import TallystickSQLite

/// What a person who decides conflicts is shown of each.
extension EventStore {
    /// The first open conflict after another that matches a filter; nil when there is none.
    package func nextConflict(
        _ filter: ConflictFilter,
        after last: Int64
    ) async throws(StoreError) -> Int64? {
        let (sql, parameters) = filter.statement("x.conflict_id", after: last, limit: 1)
        let rows = try await rows(StoreListing(sql: sql, parameters: parameters)).rows
        guard case .integer(let conflictID)? = rows.first?.first else { return nil }
        return conflictID
    }

    /// A conflict's own columns and its state, by name.
    package func facts(
        ofConflict conflictID: Int64
    ) async throws(StoreError) -> [String: SQLValue] {
        let conflict = try await rows(.conflict(conflictID))
        let state = try await rows(
            StoreListing(
                sql: ConflictRows.openState,
                parameters: ["conflict": .integer(conflictID)]
            )
        )
        var facts: [String: SQLValue] = [:]
        for listed in [conflict, state] {
            for (name, value) in zip(listed.columns, listed.rows.first ?? []) {
                facts[name] = value
            }
        }
        return facts
    }

    /// Who decided a conflict before, what and why: a line each, oldest first.
    package func history(ofConflict conflictID: Int64) async throws(StoreError) -> [String] {
        let listed = try await rows(
            StoreListing(
                sql: ConflictRows.decisions,
                parameters: ["conflict": .integer(conflictID)]
            )
        )
        return listed.rows.compactMap { row in
            if case .text(let line)? = row.first { line } else { nil }
        }
    }
}
