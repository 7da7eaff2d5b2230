import TallystickCore
import TallystickSQLite

/// Counts of a store's contents.
public struct StoreStatistics: Sendable {
    /// Counts that belong together.
    public struct Group: Sendable {
        /// The subject of the counts.
        public var name: String
        /// The counts, in the order in which they are printed.
        public var counts: [(name: String, count: Int64)]
    }

    /// All counts, by subject.
    public var groups: [Group]
    /// Mismatches of the whole store, by kind, severity, category and origin.
    public var mismatches: [MismatchCount]
    /// Over the requested window.
    public var rates: [MismatchRate]
    /// The same as OpenMetrics, for a scrape by Prometheus.
    public var openMetrics: String

    /// A count by the names of its group and itself; 0 if there is none.
    public subscript(group: String, name: String) -> Int64 {
        groups.first { $0.name == group }?.counts.first { $0.name == name }?.count ?? 0
    }
}

extension EventStore {
    /// The default window of ``statistics(window:)``: a day.
    public static let statisticsWindow = Duration.seconds(86_400)

    /// Counts events, copies, outcomes, conflicts, mismatches and more.
    ///
    /// - parameter window: the time before now over which rates of mismatches are taken.
    public func statistics(
        window: Duration = EventStore.statisticsWindow
    ) async throws(StoreError) -> StoreStatistics {
        try settings.check()
        let (options, settings, storeID) = (options, settings.inForce.settings, storeID)
        return try await reading("count") { connection in
            let now = options.clock()
            let start = now.subtractingReportingOverflow(Self.microseconds(window))
            let rates = MismatchRateRows(
                connection,
                since: start.overflow ? 0 : start.partialValue
            )
            return try StatisticsRows(connection, now: now).read(
                rates: try rates.read(settings),
                delays: try rates.delays(),
                storeID: storeID
            )
        }
    }

    private static func microseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        let whole = seconds.multipliedReportingOverflow(by: 1_000_000)
        return whole.overflow ? .max : whole.partialValue + attoseconds / 1_000_000_000_000
    }
}

/// Reads counts.
struct StatisticsRows {
    private let connection: Connection
    private let now: Int64

    init(_ connection: Connection, now: Int64) {
        self.connection = connection
        self.now = now
    }

    func read(
        rates: [MismatchRate],
        delays: [(origin: String, delays: OperationRows.Summary)],
        storeID: String
    ) throws -> StoreStatistics {
        let events = try counts(Self.eventsByOriginAndCategory, labels: 2)
        var groups: [StoreStatistics.Group] = []
        for (name, sql) in Self.groups {
            let counts = try counts(sql, labels: 1).map { (name: $0.labels[0], count: $0.count) }
            groups.append(StoreStatistics.Group(name: name, counts: counts))
        }
        groups.append(Self.sums(of: events, at: 1, "events_by_category"))
        groups.append(Self.sums(of: events, at: 0, "events_by_origin"))
        let mismatches = try counts(Self.mismatches, labels: 4)
        var metrics = StoreMetricsText(connection, now: now)
        try metrics.add(events: events, mismatches: mismatches, rates: rates, storeID: storeID)
        metrics.add(delays)
        return StoreStatistics(
            groups: groups,
            mismatches: mismatches.map { row in
                MismatchCount(
                    kind: row.labels[0],
                    severity: row.labels[1],
                    category: row.labels[2].isEmpty ? nil : row.labels[2],
                    origin: row.labels[3].isEmpty ? nil : row.labels[3],
                    count: row.count
                )
            },
            rates: rates,
            openMetrics: metrics.text.ended
        )
    }

    /// A count with its labels.
    typealias Labelled = (labels: [String], count: Int64)

    private func counts(_ sql: String, labels: Int32) throws -> [Labelled] {
        try Self.counts(sql, labels: labels, connection)
    }

    /// Rows of a statement whose first columns are labels, and whose last one is a count.
    static func counts(
        _ sql: String,
        labels: Int32,
        _ connection: Connection
    ) throws -> [Labelled] {
        let rows = try connection.prepare(sql)
        var counts: [Labelled] = []
        while try rows.step() {
            counts.append(((0..<labels).map { rows.text(at: $0) }, rows.int64(at: labels)))
        }
        return counts
    }

    private static func sums(
        of events: [Labelled],
        at label: Int,
        _ name: String
    ) -> StoreStatistics.Group {
        var sums: [String: Int64] = [:]
        for row in events { sums[row.labels[label], default: 0] += row.count }
        return StoreStatistics.Group(
            name: name,
            counts: sums.sorted { $0.key < $1.key }.map { (name: $0.key, count: $0.value) }
        )
    }

    private static let eventsByOriginAndCategory = """
        SELECT o.name, c.name, n
        FROM (SELECT origin_id, category_id, count(*) AS n FROM events GROUP BY origin_id, category_id) AS e
        JOIN origins AS o ON o.origin_id = e.origin_id
        JOIN categories AS c ON c.category_id = e.category_id
        ORDER BY o.name, c.name
        """

    private static let mismatches = """
        SELECT kind, severity, coalesce(category, ''), coalesce(origin, ''), count(*)
        FROM mismatches
        GROUP BY kind, severity, category, origin
        ORDER BY kind, severity, category, origin
        """

    private static let groups: [(String, String)] = [
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
            UNION ALL SELECT 'duplicate', CAST(total(value) AS INTEGER) FROM counters WHERE counter = 'duplicate'
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
            "mismatches",
            """
            SELECT kind, count(*)
            FROM mismatches
            GROUP BY kind
            ORDER BY kind
            """
        ),
    ]
}
