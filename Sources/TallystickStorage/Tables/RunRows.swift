package import TallystickCore
package import TallystickSQLite

/// A row of `reconciliations`.
package struct StoredRun {
    package var run: Int64
    package var machine = ReconciliationMachine()
    /// Incremented by each transaction of the run; identifies its owner.
    package var step: Int64 = 0
    package var isDryRun: Bool
    package var actor: String
    package var reason: String?
    /// Microseconds since 1970: the only clock that comparisons and policies see.
    package var asOf: Int64
    package var configurationVersion: Int64
    /// The newest conflict and resolution before the run.
    package var firstConflict: Int64
    package var firstResolution: Int64
    /// The restrictions of the run, as canonical JSON.
    package var scope: String
    package var compared: Int64 = 0
    package var found: Int64 = 0
    package var resolved: Int64 = 0
    package var deferred: Int64 = 0
    package var byPolicy: [String: Int64] = [:]
    package var byKind: [String: Int64] = [:]
    package var decisions = DecisionsDigest()
    package var nextAttemptAt: Int64?
    package var startedAt: Int64
    package var updatedAt: Int64
    /// Why the run is paused, failed or cancelled.
    package var cause: String?

    package init(
        run: Int64,
        machine: ReconciliationMachine = ReconciliationMachine(),
        step: Int64 = 0,
        isDryRun: Bool,
        actor: String,
        reason: String? = nil,
        asOf: Int64,
        configurationVersion: Int64,
        firstConflict: Int64,
        firstResolution: Int64,
        scope: String,
        compared: Int64 = 0,
        found: Int64 = 0,
        resolved: Int64 = 0,
        deferred: Int64 = 0,
        byPolicy: [String: Int64] = [:],
        byKind: [String: Int64] = [:],
        decisions: DecisionsDigest = DecisionsDigest(),
        nextAttemptAt: Int64? = nil,
        startedAt: Int64,
        updatedAt: Int64,
        cause: String? = nil
    ) {
        self.run = run
        self.machine = machine
        self.step = step
        self.isDryRun = isDryRun
        self.actor = actor
        self.reason = reason
        self.asOf = asOf
        self.configurationVersion = configurationVersion
        self.firstConflict = firstConflict
        self.firstResolution = firstResolution
        self.scope = scope
        self.compared = compared
        self.found = found
        self.resolved = resolved
        self.deferred = deferred
        self.byPolicy = byPolicy
        self.byKind = byKind
        self.decisions = decisions
        self.nextAttemptAt = nextAttemptAt
        self.startedAt = startedAt
        self.updatedAt = updatedAt
        self.cause = cause
    }
}

/// Adds, reads and moves rows of `reconciliations`, and adds their transitions.
package struct RunRows {
    private let insert: Statement
    private let update: Statement
    private let addTransition: Statement
    private let selectLast: Statement
    private let lastNumber: Statement
    private static let columns = """
        run, state, paused_in, step, dry_run, actor, reason, as_of, configuration_version,
        first_conflict, first_resolution, scope, compared, found, resolved, deferred, by_policy,
        by_kind, decisions, next_attempt_at, started_at, updated_at
        """

    package init(in connection: Connection) throws(SQLiteError) {
        insert = try connection.prepare(
            """
            INSERT INTO reconciliations (\(Self.columns))
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
                ?20, ?21, ?22)
            """
        )
        update = try connection.prepare(
            """
            UPDATE reconciliations SET
                state = ?2,
                paused_in = ?3,
                step = ?4 + 1,
                compared = ?5,
                found = ?6,
                resolved = ?7,
                deferred = ?8,
                by_policy = ?9,
                by_kind = ?10,
                decisions = ?11,
                next_attempt_at = ?12,
                updated_at = ?13
            WHERE run = ?1 AND step = ?4
            """
        )
        addTransition = try connection.prepare(
            """
            INSERT INTO reconciliation_transitions (
                run, transition, event, from_state, to_state, cause, at)
            VALUES (?1,
                (SELECT coalesce(max(transition), 0) + 1 FROM reconciliation_transitions WHERE run = ?1),
                ?2, ?3, ?4, ?5, ?6)
            """
        )
        selectLast = try connection.prepare(
            """
            SELECT \(Self.columns),
                (SELECT cause FROM reconciliation_transitions AS t
                    WHERE t.run = r.run ORDER BY transition DESC LIMIT 1)
            FROM reconciliations AS r
            WHERE ?1 OR NOT dry_run
            ORDER BY run DESC
            LIMIT 1
            """
        )
        lastNumber = try connection.prepare("SELECT coalesce(max(run), 0) FROM reconciliations")
    }

    package func nextRun() throws(SQLiteError) -> Int64 {
        (try lastNumber.optionalInt64() ?? 0) + 1
    }

    package func add(_ run: StoredRun) throws(SQLiteError) {
        try insert.bind(run.run, at: 1)
        try insert.bindText(run.machine.state.rawValue, at: 2)
        try insert.bindOptional(run.machine.pausedIn?.rawValue, at: 3)
        try insert.bind(run.step, at: 4)
        try insert.bind(Int64(run.isDryRun ? 1 : 0), at: 5)
        try insert.bindText(run.actor, at: 6)
        try insert.bindOptional(run.reason, at: 7)
        try insert.bind(run.asOf, at: 8)
        try insert.bind(run.configurationVersion, at: 9)
        try insert.bind(run.firstConflict, at: 10)
        try insert.bind(run.firstResolution, at: 11)
        try insert.bindText(run.scope, at: 12)
        try insert.bind(run.compared, at: 13)
        try insert.bind(run.found, at: 14)
        try insert.bind(run.resolved, at: 15)
        try insert.bind(run.deferred, at: 16)
        try insert.bindText(Self.json(run.byPolicy), at: 17)
        try insert.bindText(Self.json(run.byKind), at: 18)
        try insert.bindText(run.decisions.state, at: 19)
        try insert.bindOptional(run.nextAttemptAt, at: 20)
        try insert.bind(run.startedAt, at: 21)
        try insert.bind(run.updatedAt, at: 22)
        try insert.run()
    }

    /// Stores the state of a run if it is still in the state that its owner expects; false if it is not.
    package func move(_ run: inout StoredRun, in connection: Connection) throws(SQLiteError) -> Bool
    {
        try update.bind(run.run, at: 1)
        try update.bindText(run.machine.state.rawValue, at: 2)
        try update.bindOptional(run.machine.pausedIn?.rawValue, at: 3)
        try update.bind(run.step, at: 4)
        try update.bind(run.compared, at: 5)
        try update.bind(run.found, at: 6)
        try update.bind(run.resolved, at: 7)
        try update.bind(run.deferred, at: 8)
        try update.bindText(Self.json(run.byPolicy), at: 9)
        try update.bindText(Self.json(run.byKind), at: 10)
        try update.bindText(run.decisions.state, at: 11)
        try update.bindOptional(run.nextAttemptAt, at: 12)
        try update.bind(run.updatedAt, at: 13)
        try update.run()
        guard connection.changes == 1 else { return false }
        run.step += 1
        return true
    }

    package func add(
        _ event: ReconciliationMachine.Event,
        from: ReconciliationMachine.State,
        to run: StoredRun
    ) throws(SQLiteError) {
        try addTransition.bind(run.run, at: 1)
        try addTransition.bindText(event.rawValue, at: 2)
        try addTransition.bindText(from.rawValue, at: 3)
        try addTransition.bindText(run.machine.state.rawValue, at: 4)
        try addTransition.bindOptional(run.cause, at: 5)
        try addTransition.bind(run.updatedAt, at: 6)
        try addTransition.run()
    }

    /// The newest run; nil if there is none, or if no release writes rows like its row.
    package func last(includingDryRuns: Bool) throws(SQLiteError) -> StoredRun? {
        try selectLast.bind(Int64(includingDryRuns ? 1 : 0), at: 1)
        return try selectLast.first(Self.read) ?? nil
    }

    private static func read(_ row: Statement) -> StoredRun? {
        guard let state = ReconciliationMachine.State(rawValue: row.text(at: 1)),
            let machine = ReconciliationMachine(
                state: state,
                pausedIn: row.textIfPresent(at: 2).flatMap { .init(rawValue: $0) }
            ),
            let decisions = DecisionsDigest(state: row.text(at: 18))
        else { return nil }
        return StoredRun(
            run: row.int64(at: 0),
            machine: machine,
            step: row.int64(at: 3),
            isDryRun: row.int64(at: 4) != 0,
            actor: row.text(at: 5),
            reason: row.textIfPresent(at: 6),
            asOf: row.int64(at: 7),
            configurationVersion: row.int64(at: 8),
            firstConflict: row.int64(at: 9),
            firstResolution: row.int64(at: 10),
            scope: row.text(at: 11),
            compared: row.int64(at: 12),
            found: row.int64(at: 13),
            resolved: row.int64(at: 14),
            deferred: row.int64(at: 15),
            byPolicy: counts(row.text(at: 16)),
            byKind: counts(row.text(at: 17)),
            decisions: decisions,
            nextAttemptAt: row.int64IfPresent(at: 19),
            startedAt: row.int64(at: 20),
            updatedAt: row.int64(at: 21),
            cause: row.textIfPresent(at: 22)
        )
    }

    /// Counts by name as a canonical JSON object.
    private static func json(_ counts: [String: Int64]) -> String {
        let members = counts.map { (name: $0.key, value: JSONValue(.number(String($0.value)))) }
        return String(decoding: JSONValue(.object(members)).canonical, as: UTF8.self)
    }

    private static func counts(_ json: String) -> [String: Int64] {
        var counts: [String: Int64] = [:]
        for (name, value) in (try? JSONDocument(Array(json.utf8)))?.root.object ?? [] {
            if case .number(let text) = value.content { counts[name] = Int64(text) }
        }
        return counts
    }
}
