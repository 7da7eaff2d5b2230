import TallystickCore
import TallystickSQLite

/// The number of mismatches of one kind.
public struct MismatchCount: Sendable, Equatable {
    /// `transit`, `copy`, `at_rest` or `replay`.
    public var kind: String
    /// The severity of the category at the time.
    public var severity: String
    /// The event's category; nil if none is known.
    public var category: String?
    /// The delivery path; nil if none is known.
    public var origin: String?
    /// The number of mismatches.
    public var count: Int64
}

/// The rate at which an origin's deliveries of a category disagreed, over a window of time.
public struct MismatchRate: Sendable, Equatable {
    /// The delivery path.
    public var origin: String
    /// The category of the deliveries.
    public var category: String
    /// Deliveries recorded in the window: events, further copies, and inputs whose declared checksum failed.
    public var deliveries: Int64
    /// Of these, those that disagreed with the event as appended, or with the checksum that their sender declared.
    public var mismatches: Int64
    /// The share above which the origin is suspicious: the origin's own threshold, else the category's.
    public var threshold: Double

    /// From 0 to 1.
    public var rate: Double { deliveries == 0 ? 0 : Double(mismatches) / Double(deliveries) }
    /// Whether the rate is above the threshold.
    public var isExceeded: Bool { rate > threshold }
}

/// Reads rates of mismatches.
struct MismatchRateRows {
    private let connection: Connection
    /// Microseconds since 1970; earlier records do not count.
    private let start: Int64

    init(_ connection: Connection, since start: Int64) {
        self.connection = connection
        self.start = start
    }

    /// Rates of every origin and category with a delivery or a mismatch in the window, by their names.
    func read(_ settings: StoreSettings) throws -> [MismatchRate] {
        var rates: [Pair: (deliveries: Int64, mismatches: Int64)] = [:]
        for (table, key, sql) in Self.deliveries {
            try forEach(sql, from: first(key, of: table)) { pair, count in
                rates[pair, default: (0, 0)].deliveries += count
            }
        }
        let audited = try first("audit_sequence", of: "audit_trail")
        for (kind, isDelivery) in [(MismatchKind.copy, false), (.transit, true)] {
            try forEach(Self.mismatches(kind), from: audited) { pair, count in
                // Inputs refused in transit have no row among the deliveries.
                if isDelivery { rates[pair, default: (0, 0)].deliveries += count }
                rates[pair, default: (0, 0)].mismatches += count
            }
        }
        return rates.map { pair, counts in
            let origin = settings.origins.first { $0.name.utf8.elementsEqual(pair.origin.utf8) }
            return MismatchRate(
                origin: pair.origin,
                category: pair.category,
                deliveries: counts.deliveries,
                mismatches: counts.mismatches,
                threshold: origin?.mismatchThreshold
                    ?? settings[category: pair.category]?.mismatchThreshold
                    ?? Self.standardThreshold
            )
        }
        .sorted { ($0.origin, $0.category) < ($1.origin, $1.category) }
    }

    /// For categories that the settings no longer contain.
    private static let standardThreshold = 0.02

    private struct Pair: Hashable {
        var origin: String
        var category: String
    }

    private static let deliveries = [
        (
            "events", "position",
            """
            SELECT o.name, c.name, count(*)
            FROM events AS e
            JOIN origins AS o ON o.origin_id = e.origin_id
            JOIN categories AS c ON c.category_id = e.category_id
            WHERE e.position >= ?1 AND e.recorded_at >= ?2
            GROUP BY e.origin_id, e.category_id
            """
        ),
        (
            "copies", "copy_id",
            """
            SELECT o.name, c.name, count(*)
            FROM copies AS k
            JOIN events AS e ON e.position = k.position
            JOIN origins AS o ON o.origin_id = k.origin_id
            JOIN categories AS c ON c.category_id = e.category_id
            WHERE k.copy_id >= ?1 AND k.recorded_at >= ?2
            GROUP BY k.origin_id, e.category_id
            """
        ),
    ]

    private static func mismatches(_ kind: MismatchKind) -> String {
        """
        SELECT coalesce(m.origin, ''), coalesce(m.category, ''), count(*)
        FROM mismatches AS m
        JOIN audit_trail AS a ON a.audit_sequence = m.audit_sequence
        WHERE m.audit_sequence >= ?1 AND a.recorded_at >= ?2 AND m.kind = '\(kind.rawValue)'
        GROUP BY m.origin, m.category
        """
    }

    private func forEach(
        _ sql: String,
        from first: Int64,
        _ body: (Pair, Int64) -> Void
    ) throws {
        let rows = try connection.prepare(sql)
        try rows.bind(first, at: 1)
        try rows.bind(start, at: 2)
        while try rows.step() {
            body(Pair(origin: rows.text(at: 0), category: rows.text(at: 1)), rows.int64(at: 2))
        }
    }

    /// How long after an event's first copy each origin delivered, in the window.
    func delays() throws -> [(origin: String, delays: OperationRows.Summary)] {
        try OperationRows(in: connection).delays(from: first("copy_id", of: "copies"), since: start)
    }

    /// The first row that the window may contain. Rows are in order of time, as far as the clock was: a bisection
    /// avoids reading all older ones.
    private func first(_ key: String, of table: String) throws -> Int64 {
        let last = try connection.prepare("SELECT coalesce(max(\(key)), 0) FROM \(table)")
        let time = try connection.prepare(
            "SELECT recorded_at FROM \(table) WHERE \(key) >= ?1 ORDER BY \(key) LIMIT 1"
        )
        var (low, high) = (Int64(1), try last.optionalInt64() ?? 0)
        while low < high {
            let middle = low + (high - low) / 2
            try time.bind(middle, at: 1)
            if try time.optionalInt64() ?? start < start { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
