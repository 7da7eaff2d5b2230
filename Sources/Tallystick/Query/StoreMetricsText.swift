import TallystickCore
import TallystickSQLite

/// A store's contents, as OpenMetrics. Names and labels are contract.
struct StoreMetricsText {
    private(set) var text = OpenMetricsText()
    private let connection: Connection
    private let now: Int64

    init(_ connection: Connection, now: Int64) {
        self.connection = connection
        self.now = now
    }

    mutating func add(
        events: [StatisticsRows.Labelled],
        mismatches: [StatisticsRows.Labelled],
        rates: [MismatchRate],
        storeID: String
    ) throws {
        text.add(
            "tallystick_store",
            .info,
            help: "The store.",
            [
                (
                    [
                        ("store_id", storeID),
                        ("schema", "\(try StoreSchema.version(of: connection))"),
                    ], 1
                )
            ]
        )
        text.add(
            "tallystick_events",
            .counter,
            help: "Events as appended, by the origin that delivered them first.",
            Self.samples(events, ["origin", "category"])
        )
        for family in Self.families { try add(family) }
        text.add(
            "tallystick_mismatches",
            .counter,
            help: "Disagreements between an expected and an actual checksum.",
            Self.samples(mismatches, ["kind", "severity", "category", "origin"])
        )
        add(rates)
        // A store of an older schema can be read too.
        if try StoreSchema.version(of: connection) >= OperationRows.firstSchema {
            try add(Self.breakers)
            add(try OperationRows(in: connection).runs())
        }
        try addGauges()
    }

    private static let breakers = Family(
        name: "tallystick_breaker",
        type: .gauge,
        help: "Circuit breakers: 1 for the current state of each.",
        labels: ["kind", "name", "state"],
        sql: "SELECT kind, name, state, 1 FROM breakers ORDER BY kind, name"
    )

    private mutating func add(_ runs: OperationRows.Runs) {
        text.add(
            "tallystick_reconciliations",
            .gauge,
            help: "Runs of reconciliation, by the state that they are in.",
            runs.byState.map { ([("state", $0.state)], Double($0.count)) }
        )
        let counters: [(String, String, Int64)] = [
            ("tallystick_reconciliation_compared", "Events that runs compared.", runs.compared),
            ("tallystick_reconciliation_found", "Conflicts that runs found.", runs.found),
            ("tallystick_reconciliation_resolved", "Conflicts that runs decided.", runs.resolved),
        ]
        for (name, help, value) in counters {
            text.add(name, .counter, help: help, [([], Double(value))])
        }
        text.add(
            "tallystick_reconciliation_deferred",
            .gauge,
            help: "Conflicts that the last run deferred because a breaker is open.",
            [([], Double(runs.deferred))]
        )
        text.addSummaries(
            "tallystick_reconciliation_duration_seconds",
            unit: "seconds",
            help: "Time from the beginning of a run to its end.",
            [([], Double(runs.durations.count), runs.durations.sum)]
        )
    }

    /// Adds how long after an event's first copy each origin delivered.
    mutating func add(_ delays: [(origin: String, delays: OperationRows.Summary)]) {
        text.addSummaries(
            "tallystick_delivery_delay_seconds",
            unit: "seconds",
            help: "Time from an event's first copy to the origin's, over recent copies.",
            delays.map { ([("origin", $0.origin)], Double($0.delays.count), $0.delays.sum) }
        )
    }

    private mutating func add(_ rates: [MismatchRate]) {
        func samples(
            _ value: (MismatchRate) -> Double
        ) -> [(labels: [(name: String, value: String)], value: Double)] {
            rates.map { ([("origin", $0.origin), ("category", $0.category)], value($0)) }
        }
        text.add(
            "tallystick_mismatch_ratio",
            .gauge,
            unit: "ratio",
            help: "Share of recent deliveries that disagreed.",
            samples(\.rate)
        )
        text.add(
            "tallystick_mismatch_threshold_ratio",
            .gauge,
            unit: "ratio",
            help: "Share above which an origin is suspicious.",
            samples(\.threshold)
        )
    }

    private mutating func addGauges() throws {
        func value(_ sql: String) throws -> Int64? { try connection.prepare(sql).optionalInt64() }
        let opened = try HealthRows(in: connection).oldestConflict()?.openedAt
        let age = opened.map { max(0, Double(now) - Double($0)) / 1e6 } ?? 0
        text.add(
            "tallystick_oldest_open_conflict_age_seconds",
            .gauge,
            unit: "seconds",
            help: "Age of the oldest open conflict; 0 where none is open.",
            [([], age)]
        )
        text.add(
            "tallystick_configuration_version",
            .gauge,
            help: "The newest version of the settings.",
            [([], Double(try value("SELECT max(version) FROM configurations") ?? 0))]
        )
        let pages = try value("PRAGMA page_count") ?? 0
        let size = try value("PRAGMA page_size") ?? 0
        text.add(
            "tallystick_database_size_bytes",
            .gauge,
            unit: "bytes",
            help: "Size of the database, without its write-ahead log.",
            [([], Double(pages) * Double(size))]
        )
    }

    private mutating func add(_ family: Family) throws {
        let counts = try StatisticsRows.counts(
            family.sql,
            labels: Int32(family.labels.count),
            connection
        )
        text.add(family.name, family.type, help: family.help, Self.samples(counts, family.labels))
    }

    private static func samples(
        _ counts: [StatisticsRows.Labelled],
        _ labels: [String]
    ) -> [(labels: [(name: String, value: String)], value: Double)] {
        counts.map { row in
            (zip(labels, row.labels).map { (name: $0, value: $1) }, Double(row.count))
        }
    }

    private struct Family {
        var name: String
        var type: OpenMetricsText.MetricType
        var help: String
        var labels: [String]
        var sql: String
    }

    private static let families = [
        Family(
            name: "tallystick_copies",
            type: .counter,
            help: "Further deliveries that were not duplicates.",
            labels: ["origin", "agreement"],
            sql: """
                SELECT o.name, k.agreement, count(*)
                FROM copies AS k
                JOIN origins AS o ON o.origin_id = k.origin_id
                GROUP BY k.origin_id, k.agreement
                ORDER BY o.name, k.agreement
                """
        ),
        Family(
            name: "tallystick_duplicates",
            type: .counter,
            help: "Deliveries that were already stored.",
            labels: ["origin"],
            sql: """
                SELECT origin, value
                FROM counters
                WHERE counter = 'duplicate'
                ORDER BY origin
                """
        ),
        Family(
            name: "tallystick_quarantined_inputs",
            type: .gauge,
            help: "Inputs that could not become events.",
            labels: ["origin", "state"],
            sql: """
                SELECT q.origin, coalesce(s.state, 'held'), count(*)
                FROM quarantine AS q
                LEFT JOIN quarantine_states AS s ON s.quarantine_id = q.quarantine_id
                GROUP BY 1, 2
                ORDER BY 1, 2
                """
        ),
        Family(
            name: "tallystick_conflicts",
            type: .gauge,
            help: "Conflicts, open and resolved.",
            labels: ["state", "kind", "severity"],
            sql: """
                SELECT s.state, c.kind, c.severity, count(*)
                FROM conflict_states AS s
                JOIN conflicts AS c ON c.conflict_id = s.conflict_id
                GROUP BY s.state, c.kind, c.severity
                ORDER BY s.state, c.kind, c.severity
                """
        ),
        Family(
            name: "tallystick_resolutions",
            type: .counter,
            help: "Decisions over conflicts.",
            labels: ["policy", "decision"],
            sql: """
                SELECT policy, decision, count(*)
                FROM resolutions
                GROUP BY policy, decision
                ORDER BY policy, decision
                """
        ),
        Family(
            name: "tallystick_audit_rows",
            type: .counter,
            help: "Rows of the audit trail.",
            labels: ["kind"],
            sql: """
                SELECT kind, count(*)
                FROM audit_trail
                GROUP BY kind
                ORDER BY kind
                """
        ),
        Family(
            name: "tallystick_replay_position",
            type: .gauge,
            help: "The position up to which a replay has consumed the log.",
            labels: ["replay", "status"],
            sql: "SELECT replay, status, position FROM replay_status ORDER BY replay"
        ),
        Family(
            name: "tallystick_replay_behind_events",
            type: .gauge,
            help: "Events that a replay has not consumed yet.",
            labels: ["replay"],
            sql: "SELECT replay, behind FROM replay_status ORDER BY replay"
        ),
        Family(
            name: "tallystick_replay_parked_events",
            type: .gauge,
            help: "Events that a replay has set aside.",
            labels: ["replay"],
            sql: "SELECT replay, parked FROM replay_status ORDER BY replay"
        ),
    ]
}
