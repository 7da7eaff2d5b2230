import Foundation
import TallystickTestSupport
import Testing

@testable import Tallystick

/// What a projection may do, and what is whose.
@Suite("Rules of projections")
struct ProjectionRulesTests {
    private func projection(
        _ name: String,
        version: Int = 1,
        setup: String? = nil,
        _ statement: String? = nil
    ) -> [UInt8] {
        Array(
            """
            -- tally:projection \(name)
            -- tally:version \(version)
            -- tally:setup
            \(setup ?? "CREATE TABLE \(name) (a, b);")
            -- tally:on *
            \(statement ?? "INSERT INTO \(name) VALUES (:position, :type);")
            """.utf8
        )
    }

    private func filled() async throws -> TestStore {
        let test = try await TestStore()
        let lines = (1...5).map {
            eventLine($0, data: $0)
        }
        try await test.ingest(lines.joined(separator: "\n"), from: "a")
        return test
    }

    /// The code and text of why a projection is refused; empty where it is not.
    private func refusal(
        of file: [UInt8],
        in test: TestStore
    ) async -> (code: String, text: String) {
        do throws(StoreError) {
            _ = try await test.store.replay(projection: file)
            return ("", "")
        } catch {
            return (error.code.rawValue, error.description)
        }
    }

    // MARK: Ownership

    @Test(
        "Projections of which one's name begins with the other's keep their tables apart, whichever came first",
        arguments: [["service", "service_health"], ["service_health", "service"]],
        [true, false]
    )
    func prefixes(_ names: [String], isInStore: Bool) async throws {
        let test = try await filled()
        var options = ReplayOptions()
        if !isInStore { options.target = .file(test.folder.file("out.db")) }
        func replay(_ name: String, version: Int = 1) async throws -> ReplayOutcome {
            try await test.store.replay(
                projection: projection(name, version: version),
                options: options
            )
        }
        for name in names { #expect(try await replay(name).applied == 5) }
        // Resumed, built anew by a version, and dropped: the other one is as it was.
        for name in names { #expect(try await replay(name).status == .complete) }
        for name in names { #expect(try await replay(name, version: 2).rebuilt) }
        try await test.store.dropReplay("service")
        #expect(try await replay("service_health", version: 2).status == .complete)
        let again = try await replay("service", version: 2)
        #expect(again.applied == 5)
        try await test.store.dropReplay("service_health")
        #expect(try await replay("service", version: 2).status == .complete)
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test("A projection takes, reads and writes no table of another one")
    func tables() async throws {
        let test = try await filled()
        let both = "CREATE TABLE service (a, b); CREATE TABLE service_health (a, b);"
        _ = try await test.store.replay(projection: projection("service", setup: both))
        let taken = await refusal(of: projection("service_health"), in: test)
        #expect(taken.code == "projection_invalid")
        #expect(taken.text.contains("table service_health belongs to the replay 'service'"))
        try await test.store.dropReplay("service")
        _ = try await test.store.replay(projection: projection("service_health"))
        let writes = await refusal(
            of: projection("service", "INSERT INTO service_health VALUES (1, 2);"),
            in: test
        )
        #expect(writes.code == "projection_invalid", "\(writes)")
        let reads = await refusal(
            of: projection(
                "service",
                "INSERT INTO service SELECT a, b FROM service_health;"
            ),
            in: test
        )
        #expect(reads.code == "projection_invalid", "\(reads)")
        let defines = await refusal(of: projection("service", setup: both), in: test)
        #expect(defines.code == "projection_invalid", "\(defines)")
        let rows = try await test.rows("SELECT count(*) FROM service_health")
        #expect(rows == [[.integer(5)]])
        await test.store.close()
    }

    @Test("--rebuild builds anew what somebody dropped, or took the checkpoint of")
    func repaired() async throws {
        let test = try await filled()
        let file = projection("totals")
        var anew = ReplayOptions()
        anew.rebuild = true
        for (damage, code) in [
            ("DROP TABLE totals", "schema_altered"),
            ("DELETE FROM replay_checkpoints", "history_differs"),
        ] {
            _ = try await test.store.replay(projection: file, options: anew)
            try test.tamper(damage)
            let refused = await refusal(of: file, in: test)
            #expect(refused.code == code, "\(damage): \(refused)")
            #expect(refused.text.contains("--rebuild"), "\(damage): \(refused)")
            let outcome = try await test.store.replay(projection: file, options: anew)
            #expect(outcome.status == .complete && outcome.position == 5, "\(damage)")
            let rows = try await test.rows("SELECT count(*) FROM totals")
            #expect(rows == [[.integer(5)]], "\(damage)")
        }
        await test.store.close()
    }

    @Test(
        "The scratch file of a rebuild that was killed goes with the next one, and one in use stays"
    )
    func scratchFiles() async throws {
        let test = try await filled()
        let file = projection("totals")
        _ = try await test.store.replay(projection: file)
        let left = ["", "-journal"].map { test.path + "-rebuild-totals-4194000" + $0 }
        let others = ["-rebuild-total-4194000", "-rebuild-totals-x"].map { test.path + $0 }
        let used = test.path + "-rebuild-totals-4194001"
        for path in left + others + [used] { try Data([1]).write(to: URL(filePath: path)) }
        let lock = open(used, O_RDWR | O_CLOEXEC)
        #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
        var anew = ReplayOptions()
        anew.alwaysRebuilds = true
        #expect(try await test.store.replay(projection: file, options: anew).rebuilt)
        func isThere(_ path: String) -> Bool { access(path, F_OK) == 0 }
        #expect(left.map(isThere) == [false, false])
        #expect(others.map(isThere) == [true, true])
        #expect(isThere(used))
        close(lock)
        try await test.store.dropReplay("totals")
        #expect(!isThere(used))
        await test.store.close()
    }

    // MARK: Statements

    @Test(
        "A default that is not the same at every run is refused",
        arguments: [
            "a DEFAULT CURRENT_TIMESTAMP", "a DEFAULT (random())", "a DEFAULT current_date",
            "a DEFAULT (strftime('%f', 'now'))", "a DEFAULT (1 + abs(random()))",
        ]
    )
    func defaults(_ column: String) async throws {
        let test = try await filled()
        let file = projection(
            "totals",
            setup: "CREATE TABLE totals (\(column), b);",
            "INSERT INTO totals (b) VALUES (1);"
        )
        let refused = await refusal(of: file, in: test)
        #expect(refused.code == "projection_invalid")
        #expect(refused.text.contains("default of column a"), "\(refused)")
        #expect(try await test.rows("SELECT count(*) FROM projection_objects") == [[.integer(0)]])
        await test.store.close()
    }

    @Test("Defaults that are the same at every run are taken")
    func constantDefaults() async throws {
        let test = try await filled()
        let setup = """
            CREATE TABLE totals (
                a DEFAULT 1, b DEFAULT 'x', c DEFAULT (upper('y')), d DEFAULT word, e DEFAULT -2.5,
                f DEFAULT NULL, g DEFAULT x'00', h DEFAULT (1 + 2), i DEFAULT TRUE, j);
            """
        let file = projection("totals", setup: setup, "INSERT INTO totals (j) VALUES (1);")
        #expect(try await test.store.replay(projection: file).applied == 5)
        #expect(try await test.rows("SELECT DISTINCT c, d, h FROM totals").count == 1)
        await test.store.close()
    }

    @Test("Common table expressions may be used, under names that are nobody's")
    func commonTables() async throws {
        let test = try await filled()
        let statements = """
            INSERT INTO totals WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5)
                SELECT :position, count(*) FROM c;
            INSERT INTO totals WITH q AS (VALUES (1)) SELECT NULL, 1 FROM q;
            WITH q AS (SELECT 5 AS a) UPDATE totals SET b = 9 WHERE EXISTS (SELECT 1 FROM q);
            """
        let outcome = try await test.store.replay(projection: projection("totals", statements))
        #expect(outcome.applied == 5)
        #expect(
            try await test.rows("SELECT count(*), sum(b) FROM totals") == [
                [.integer(10), .integer(90)]
            ]
        )
        for table in ["events", "sqlite_schema", "pragma_table_list", "dbstat", "replays"] {
            let refused = await refusal(
                of: projection(
                    "other",
                    "INSERT INTO other SELECT 1, count(*) FROM \(table);"
                ),
                in: test
            )
            #expect(refused.code == "projection_invalid", "\(table): \(refused)")
        }
        await test.store.close()
    }

    private let endless = """
        INSERT INTO totals WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
            SELECT NULL, max(x) FROM c;
        """

    @Test(
        "A statement without end makes its event one that cannot be applied, and what came before stays"
    )
    func endlessStatement() async throws {
        let test = try await filled()
        var options = ReplayOptions()
        options.applyNanoseconds = 200_000_000
        let outcome = try await test.store.replay(
            projection: projection("totals", endless),
            options: options
        )
        #expect(outcome.status == .halted)
        #expect(outcome.reason?.contains("the time for one event is used up") == true)
        #expect(try await test.store.verify().isIntact)
        options.onPoison = .park
        let parked = try await test.store.replay(
            projection: projection("totals", endless),
            options: options
        )
        #expect(parked.status == .complete && parked.parked == 5)
        let retried = try await test.store.retryParked(
            projection: projection("totals", endless),
            options: options
        )
        #expect(retried.applied == 0 && retried.parked == 5)
        let huge = projection(
            "big",
            "INSERT INTO big VALUES (1, replace(printf('%.*c', 60000000, 'x'), 'x', 'xx'));"
        )
        var patient = ReplayOptions()
        patient.applyNanoseconds = 3_600_000_000_000
        let large = try await test.store.replay(projection: huge, options: patient)
        #expect(large.status == .halted)
        #expect(large.reason?.contains("bytes") == true, "\(large)")
        await test.store.close()
    }

    @Test("A replay that is to stop does not wait for a statement without end")
    func stopped() async throws {
        let test = try await filled()
        let file = projection("totals", endless)
        var options = ReplayOptions()
        // Longer than anybody waits: what ends the statement is the wish to stop.
        options.applyNanoseconds = 3_600_000_000_000
        let (store, patient) = (test.store, options)
        let run = Task { try await store.replay(projection: file, options: patient) }
        try await Task.sleep(for: .milliseconds(300))
        run.cancel()
        let outcome = try await run.value
        #expect(outcome.status == .paused)
        #expect(outcome.position == 0)
        await test.store.close()
    }
}
