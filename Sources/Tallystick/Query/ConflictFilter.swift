package import TallystickCore
import TallystickSQLite

/// Selects conflicts that match every list that is not empty.
package struct ConflictFilter: Sendable, Equatable {
    /// Kinds of conflicts.
    package var kinds: [ConflictKind] = []
    /// Severities, as of when the conflict was opened.
    package var severities: [StoreSettings.Severity] = []
    /// Names of categories.
    package var categories: [String] = []
    /// Origins of a candidate, or those that lack a copy or are silent.
    package var origins: [String] = []
    /// Streams of the event in conflict.
    package var streams: [String] = []
    /// Whether to include resolved conflicts; otherwise only open ones match.
    package var includesResolved = false

    /// All open conflicts.
    package init() {}

    /// A SELECT statement for the conflicts; `columns` are of ``relation``.
    func statement(
        _ columns: String,
        after: Int64? = nil,
        limit: Int? = nil
    ) -> (sql: String, parameters: [String: SQLValue]) {
        var terms: [String] = []
        var parameters: [String: SQLValue] = [:]
        func names(_ name: String, _ values: [String]) -> String {
            for (index, value) in values.enumerated() {
                parameters["\(name)\(index)"] = .text(value)
            }
            return values.indices.map { ":\(name)\($0)" }.joined(separator: ", ")
        }
        for (column, values) in [
            ("kind", kinds.map(\.rawValue)), ("severity", severities.map(\.rawValue)),
            ("category", categories), ("stream", streams),
        ] where !values.isEmpty {
            terms.append("x.\(column) IN (\(names(column, values)))")
        }
        if !origins.isEmpty {
            let list = names("origin", origins)
            terms.append(
                """
                (EXISTS (SELECT 1 FROM conflict_candidates AS k
                    WHERE k.conflict_id = x.conflict_id AND k.origin IN (\(list)))
                OR EXISTS (SELECT 1 FROM conflicts AS f
                    WHERE f.conflict_id = x.conflict_id AND f.origin IN (\(list))))
                """
            )
        }
        if let after {
            terms.append("x.conflict_id > :after")
            parameters["after"] = .integer(after)
        }
        var sql = "SELECT \(columns)\nFROM \(relation) AS x"
        if !terms.isEmpty { sql += "\nWHERE " + terms.joined(separator: "\n    AND ") }
        sql += "\nORDER BY x.conflict_id"
        if let limit { sql += "\nLIMIT \(limit)" }
        return (sql, parameters)
    }

    private var relation: String {
        guard includesResolved else { return "open_conflicts" }
        return """
            (SELECT c.conflict_id, s.state, c.kind, c.severity, c.category, c.position, c.source,
                c.event_id, t.name AS stream, s.origins, s.candidates, s.differs_in, s.resolution_id,
                s.policy, s.blocked_by
            FROM conflicts AS c
            JOIN conflict_states AS s ON s.conflict_id = c.conflict_id
            LEFT JOIN events AS e ON e.position = c.position
            LEFT JOIN streams AS t ON t.stream_id = e.stream_id)
            """
    }
}

extension StoreListing {
    /// Conflicts, in order of their ids.
    package static func conflicts(_ filter: ConflictFilter = ConflictFilter()) -> StoreListing {
        let (sql, parameters) = filter.statement("x.*")
        return StoreListing(sql: sql, parameters: parameters)
    }
}
