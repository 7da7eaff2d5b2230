import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Counts events by type, as the SQL projection of the other tests does.
private struct Totals: Projection {
    var version: Int64 = 1
    var types = ["*"]
    var onCorrection = ProjectionFile.OnCorrection.rebuild
    /// Run for each event, besides counting.
    var also: String?

    func setUp(in transaction: ProjectionTransaction) throws {
        try transaction.execute(
            "CREATE TABLE totals (type TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT"
        )
        try transaction.execute("CREATE TABLE totals_last (id TEXT PRIMARY KEY, data ANY) STRICT")
    }

    func apply(_ event: StoredEvent, in transaction: ProjectionTransaction) throws {
        try transaction.execute(
            "INSERT INTO totals VALUES (?1, 1) ON CONFLICT (type) DO UPDATE SET n = n + 1",
            [.text(event.type)]
        )
        if let also { try transaction.execute(also) }
        let known = try transaction.query(
            "SELECT n FROM totals WHERE type = ?1",
            [.text(event.type)]
        )
        guard known.count == 1 else { throw Failure.lost }
    }

    func correct(_ correction: EventCorrection, in transaction: ProjectionTransaction) throws {
        try transaction.execute(
            "INSERT OR REPLACE INTO totals_last VALUES (?1, ?2)",
            [.text(correction.event.id), correction.event.sqlData]
        )
    }

    enum Failure: Error { case lost }
}

@Suite("Projections in Swift")
struct SwiftProjectionTests {
    private let file = Array(
        """
        -- tally:projection totals
        -- tally:version 1
        -- tally:setup
        CREATE TABLE totals (type TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;
        -- tally:on *
        INSERT INTO totals VALUES (:type, 1) ON CONFLICT (type) DO UPDATE SET n = n + 1;
        """.utf8
    )

    private func filled() async throws -> TestStore {
        let test = try await TestStore()
        try await test.store.ingest(
            .file(Fixture.path("events/websocket.ndjson")),
            from: "websocket"
        )
        return test
    }

    @Test("A Swift type and a SQL file that do the same have the same digests and rows")
    func sameDigests() async throws {
        let test = try await filled()
        let bySQL = try await test.store.replay(projection: file)
        let sqlRows = try await test.rows("SELECT type, n FROM totals ORDER BY type")
        try await test.store.dropReplay("totals")
        var options = ReplayOptions()
        options.until = 500
        options.batch = 7
        _ = try await test.store.replay(Totals(), named: "totals", options: options)
        let bySwift = try await test.store.replay(Totals(), named: "totals")
        #expect(bySwift.digest == bySQL.digest)
        #expect(bySwift.appliedDigest == bySQL.appliedDigest)
        #expect(bySwift.root == bySQL.root)
        #expect(try await test.rows("SELECT type, n FROM totals ORDER BY type") == sqlRows)
        await test.store.close()
    }

    @Test("Only the types that are asked for are applied; a higher version builds anew")
    func typesAndVersions() async throws {
        let test = try await filled()
        var totals = Totals()
        totals.types = ["health_check", "session.*"]
        let done = try await test.store.replay(totals, named: "totals")
        let expected = try await test.rows(
            "SELECT type, count(*) FROM event_log WHERE type = 'health_check' OR type GLOB 'session.*' GROUP BY type ORDER BY type"
        )
        #expect(try await test.rows("SELECT type, n FROM totals ORDER BY type") == expected)
        #expect(done.applied < done.consumed && done.applied > 0)
        totals.types = ["*"]
        let changed = totals
        #expect(
            await failureCode { _ = try await test.store.replay(changed, named: "totals") }
                == .projectionChanged
        )
        totals.version = 2
        #expect(try await test.store.replay(totals, named: "totals").rebuilt)
        await test.store.close()
    }

    @Test(
        "It may touch its own tables only, and nothing that changes from run to run",
        arguments: [
            "DELETE FROM events", "INSERT INTO streams VALUES (99, 'x')", "SELECT * FROM streams",
            "UPDATE replay_checkpoints SET position = 0", "ROLLBACK", "COMMIT", "SAVEPOINT x",
            "ATTACH 'x.db' AS x", "PRAGMA user_version = 7", "DROP TABLE totals",
            "CREATE TABLE totals_more (x)", "SELECT random()", "SELECT datetime('now')",
            "CREATE TRIGGER totals_t AFTER INSERT ON totals BEGIN SELECT 1; END",
        ]
    )
    func sandbox(_ sql: String) async throws {
        let test = try await filled()
        let before = try await test.provedRows()
        let done = try await test.store.replay(Totals(also: sql), named: "totals")
        #expect(done.status == .halted)
        #expect(done.position == 0)
        #expect(try await test.rows("SELECT count(*) FROM totals") == [[.integer(0)]])
        #expect(try await test.provedRows() == before)
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test("A transaction that is kept is refused")
    func kept() async throws {
        final class Thief: Projection, @unchecked Sendable {
            let version: Int64 = 1
            var stolen: ProjectionTransaction?
            func setUp(in transaction: ProjectionTransaction) throws {
                try transaction.execute("CREATE TABLE thief (n INTEGER) STRICT")
                stolen = transaction
            }
            func apply(_ event: StoredEvent, in transaction: ProjectionTransaction) throws {
                stolen = transaction
            }
        }
        let test = try await filled()
        let thief = Thief()
        _ = try await test.store.replay(thief, named: "thief")
        #expect(throws: StoreError.self) { try thief.stolen?.execute("DELETE FROM thief") }
        await test.store.close()
    }

    @Test("Corrections reach a type that asks for them, with what counted before")
    func corrections() async throws {
        let decided = try await DecidedStore()
        let done = try await decided.test.store.replay(
            Totals(onCorrection: .apply),
            named: "totals"
        )
        #expect(done.applied == 3)
        #expect(
            try await decided.test.rows("SELECT id, data FROM totals_last")
                == [[.text("1"), .text("2")]]
        )
        await decided.test.store.close()
    }

    @Test("Following applies what is appended later, and ends when its task is cancelled")
    func follow() async throws {
        let test = try await filled()
        let store = test.store
        let task = Task { try await store.follow(Totals(), named: "totals") }
        try await test.ingest(
            eventLine("late", type: "late"),
            from: "a"
        )
        let found = try await Waiting.until {
            let tables = try await test.rows("SELECT 1 FROM sqlite_schema WHERE name = 'totals'")
            guard !tables.isEmpty else { return false }
            return try await !test.rows("SELECT 1 FROM totals WHERE type = 'late'").isEmpty
        }
        #expect(found)
        task.cancel()
        #expect(try await task.value.status == .paused)
        let status = try await test.rows("SELECT status, behind FROM replay_status")
        #expect(status == [[.text("paused"), .integer(0)]])
        await store.close()
    }

    @Test("Who goes on with a replay that another one runs ends with busy")
    func twoOwners() async throws {
        let test = try await filled()
        let store = test.store
        let task = Task { try await store.follow(Totals(), named: "totals") }
        let isThere = try await Waiting.until {
            try await test.rows("SELECT status FROM replays") == [[.text("complete")]]
        }
        #expect(isThere)
        // Both see the new event; one of them is first.
        try await test.ingest(
            eventLine("late", type: "late"),
            from: "a"
        )
        let other = await failureCode {
            _ = try await store.replay(Totals(), named: "totals")
        }
        try await test.ingest(
            eventLine("later", type: "late"),
            from: "a"
        )
        _ = await failureCode { _ = try await store.replay(Totals(), named: "totals") }
        task.cancel()
        let first = await failureCode { _ = try await task.value }
        #expect([nil, .busy].contains(first) && [nil, .busy].contains(other))
        _ = try await store.replay(Totals(), named: "totals")
        #expect(
            try await test.rows("SELECT n FROM totals WHERE type = 'late'") == [[.integer(2)]]
        )
        await store.close()
    }
}
