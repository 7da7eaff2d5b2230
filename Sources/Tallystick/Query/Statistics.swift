import TallystickSQLite

/// Counts of what a store holds.
public struct StoreStatistics: Sendable {
    /// Counts that belong together.
    public struct Group: Sendable {
        public var name: String
        public var counts: [(name: String, count: Int64)]
    }

    public var groups: [Group]

    /// A count by the names of its group and itself; 0 when there is none.
    public subscript(group: String, name: String) -> Int64 {
        groups.first { $0.name == group }?.counts.first { $0.name == name }?.count ?? 0
    }
}

extension EventStore {
    /// Counts events, copies, outcomes, conflicts and more.
    public func statistics() async throws(StoreError) -> StoreStatistics {
        let (path, options) = (path, options)
        return try await Self.attempt("count", path) {
            try await runOnThread {
                let connection = try StoreFile.openForReading(path, options)
                try connection.begin()
                return try StatisticsRows.read(from: connection)
            }
        }
    }
}

enum StatisticsRows {
    static func read(from connection: Connection) throws -> StoreStatistics {
        var groups: [StoreStatistics.Group] = []
        for (name, sql) in queries {
            let rows = try connection.prepare(sql)
            var counts: [(name: String, count: Int64)] = []
            while try rows.step() { counts.append((rows.text(at: 0), rows.int64(at: 1))) }
            groups.append(StoreStatistics.Group(name: name, counts: counts))
        }
        return StoreStatistics(groups: groups)
    }

    private static let queries: [(String, String)] = [
        (
            "records",
            """
            SELECT 'events', coalesce(max(position), 0) FROM events
            UNION ALL SELECT 'copies', coalesce(max(copy_id), 0) FROM copies
            UNION ALL SELECT 'audit_rows', coalesce(max(audit_sequence), 0) FROM audit_trail
            UNION ALL SELECT 'streams', count(*) FROM streams
            UNION ALL SELECT 'sources', count(*) FROM sources
            UNION ALL SELECT 'types', count(*) FROM types
            """
        ),
        (
            "outcomes",
            """
            SELECT 'appended', coalesce(max(position), 0) FROM events
            UNION ALL SELECT 'duplicate', coalesce(sum(value), 0) FROM counters WHERE counter = 'duplicate'
            UNION ALL SELECT 'confirmed', count(*) FROM copies WHERE agreement = 'confirmed'
            UNION ALL SELECT 'conflicting', count(*) FROM copies WHERE agreement = 'conflicting'
            UNION ALL SELECT 'quarantined', count(*) FROM quarantine
            """
        ),
        (
            "conflicts",
            """
            SELECT 'open', count(*) FROM conflict_states WHERE state = 'open'
            UNION ALL SELECT 'resolved', count(*) FROM conflict_states WHERE state = 'resolved'
            """
        ),
        (
            "events_by_category",
            """
            SELECT c.name, count(*)
            FROM events AS e
            JOIN categories AS c ON c.category_id = e.category_id
            GROUP BY c.category_id
            ORDER BY c.name
            """
        ),
        (
            "events_by_origin",
            """
            SELECT o.name, count(*)
            FROM events AS e
            JOIN origins AS o ON o.origin_id = e.origin_id
            GROUP BY o.origin_id
            ORDER BY o.name
            """
        ),
    ]
}
