import TallystickCore
package import TallystickSQLite

/// A statement that an origin has delivered all that it will of a span of time.
package struct StoredCoverage: Equatable {
    /// The audit row of the statement.
    package var sequence: Int64
    package var actor: String
    package var origin: String
    /// nil for events of all categories.
    package var category: String?
    /// nil for events of all sources.
    package var source: String?
    /// Microseconds since 1970, by the events' own times; both ends are included.
    package var span: ClosedRange<Int64>
    /// The audit row that withdrew it.
    package var withdrawnBy: Int64?
}

/// Reads the audit rows of kind `coverage`.
package struct CoverageRows {
    /// SQL: all origins, by name, each with what is stated about its completeness.
    package static let listing =
        """
        SELECT o.name AS origin, c.statement, c.category, c.source, c.complete_from, c.complete_through, c.state,
            c.recorded_at, c.actor, c.reason, c.run, c.withdrawn_by
        FROM (SELECT name FROM origins UNION SELECT origin FROM origin_coverage) AS o
        LEFT JOIN origin_coverage AS c ON c.origin = o.name
        ORDER BY o.name, c.statement
        """

    private let select: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        select = try connection.prepare(
            """
            SELECT audit_sequence, actor, detail
            FROM audit_trail
            WHERE kind = 'coverage'
            ORDER BY audit_sequence
            """
        )
    }

    /// Every statement, in order, with those that were withdrawn.
    ///
    /// A row whose detail is damaged states nothing: verification names it.
    package func all() throws(SQLiteError) -> [StoredCoverage] {
        var found: [StoredCoverage] = []
        while try select.step() {
            guard let detail = AuditDetail.members(of: select.text(at: 2)) else { continue }
            if let withdrawn = detail.number("withdraws") {
                guard let index = found.lastIndex(where: { $0.sequence == withdrawn }) else {
                    continue
                }
                found[index].withdrawnBy = found[index].withdrawnBy ?? select.int64(at: 0)
                continue
            }
            guard let origin = detail.text("origin"),
                let through = detail.text("complete_through").flatMap(RFC3339.microseconds)
            else { continue }
            let from = detail.text("complete_from").flatMap(RFC3339.microseconds) ?? .min
            guard from <= through else { continue }
            found.append(
                StoredCoverage(
                    sequence: select.int64(at: 0),
                    actor: select.text(at: 1),
                    origin: origin,
                    category: detail.text("category"),
                    source: detail.text("source"),
                    span: from...through
                )
            )
        }
        try select.reset()
        return found
    }

    /// The newest audit row of kind `coverage`; 0 if there is none.
    package static func last(in connection: Connection) throws(SQLiteError) -> Int64 {
        try connection.cached(
            "SELECT max(audit_sequence) FROM audit_trail WHERE kind = 'coverage'"
        ).optionalInt64() ?? 0
    }
}
