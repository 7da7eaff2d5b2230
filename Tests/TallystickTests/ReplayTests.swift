import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Replay")
struct ReplayTests {
    private func projection(
        _ name: String = "totals",
        version: Int = 1,
        header: String = "",
        statement: String =
            "INSERT INTO totals VALUES (:type, 1) ON CONFLICT (type) DO UPDATE SET n = n + 1;",
        more: String = ""
    ) -> [UInt8] {
        Array(
            """
            -- tally:projection \(name)
            -- tally:version \(version)
            \(header)
            -- tally:setup
            CREATE TABLE \(name) (type TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;
            -- tally:on *
            \(statement)
            \(more)
            """.utf8
        )
    }

    private func filled() async throws -> TestStore {
        let test = try await TestStore()
        try await test.store.ingest(
            .file(Fixture.path("events/websocket.ndjson")),
            from: "websocket"
        )
        return test
    }

    @Test(
        "Same log, same digests: at any batch size, interrupted or not, in the store or beside it"
    )
    func digests() async throws {
        let test = try await filled()
        var outcomes: [ReplayOutcome] = []
        for (index, batch) in [10_000, 7, 1000].enumerated() {
            var options = ReplayOptions()
            options.batch = batch
            options.target = .file(test.folder.file("out-\(index).db"))
            outcomes.append(try await test.store.replay(projection: projection(), options: options))
            try await test.store.dropReplay("totals")
        }
        var options = ReplayOptions()
        for until in [1, 255, 256, 257, 1000] {
            options.until = Position(Int64(until))
            let part = try await test.store.replay(projection: projection(), options: options)
            #expect(part.position == options.until)
        }
        options.until = nil
        outcomes.append(try await test.store.replay(projection: projection(), options: options))
        #expect(Set(outcomes.map(\.digest)).count == 1)
        #expect(Set(outcomes.map(\.appliedDigest)).count == 1)
        #expect(Set(outcomes.map(\.root)).count == 1)
        let sum = try await test.rows("SELECT sum(n), (SELECT count(*) FROM events) FROM totals")
        #expect(sum[0][0] == sum[0][1])
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test("A decision over consumed history rebuilds the projection with what counts now")
    func correction() async throws {
        let test = try await TestStore()
        let line = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"data\":1,\"type\":"
        try await test.ingest(line + "\"old\"}", from: "a")
        try await test.ingest(line + "\"new\"}", from: "b")
        #expect(try await test.store.replay(projection: projection()).rebuilt == false)
        try await test.store.resolve(
            ManualResolution(
                conflictID: 1,
                choice: .take(origin: "b"),
                actor: "me",
                reason: "right"
            )
        )
        let effective = try await test.rows("SELECT state, type FROM effective_events")
        #expect(effective == [[.text("resolved"), .text("new")]])
        let again = try await test.store.replay(projection: projection())
        #expect(again.rebuilt)
        #expect(try await test.rows("SELECT type, n FROM totals") == [[.text("new"), .integer(1)]])
        #expect(
            await failureCode {
                try await test.store.resolve(
                    ManualResolution(conflictID: 1, choice: .exclude, actor: "you", reason: "late")
                )
            } == .alreadyDecided
        )
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test(
        "An event that cannot be applied halts, is parked with its stream, or is skipped on record"
    )
    func poison() async throws {
        let test = try await TestStore()
        func event(_ id: Int, _ data: String, _ subject: String) -> String {
            eventLine(id, subject: subject, data: data)
        }
        try await test.ingest(
            event(1, "1", "x"),
            event(2, "null", "x"),
            event(3, "3", "x"),
            event(4, "4", "y"),
            from: "a"
        )
        let strict = projection(statement: "INSERT INTO totals VALUES (:id, :data ->> '$');")
        let halted = try await test.store.replay(projection: strict)
        #expect(halted.status == .halted)
        #expect(halted.position == 1)
        #expect(halted.reason?.contains("position 2") == true)
        var options = ReplayOptions()
        options.onPoison = .park
        let parked = try await test.store.replay(projection: strict, options: options)
        #expect(parked.status == .complete)
        #expect(parked.parked == 2)
        #expect(
            try await test.rows("SELECT type FROM totals ORDER BY type") == [
                [.text("1")], [.text("4")],
            ]
        )
        let retried = try await test.store.retryParked(projection: strict)
        #expect(retried.applied == 0)
        #expect(retried.parked == 2)
        try await test.store.dropReplay("totals")
        options.onPoison = .skip
        let skipped = try await test.store.replay(projection: strict, options: options)
        #expect(skipped.skipped == 1)
        let audit = try await test.rows(
            "SELECT position FROM audit_trail WHERE kind = 'projection_skip'"
        )
        #expect(audit == [[.integer(2)]])
        await test.store.close()
    }

    @Test("A changed file needs a higher version, which rebuilds")
    func versions() async throws {
        let test = try await filled()
        _ = try await test.store.replay(projection: projection())
        let changed =
            "INSERT INTO totals VALUES (:type, 2) ON CONFLICT (type) DO UPDATE SET n = n + 2;"
        #expect(
            await failureCode {
                _ = try await test.store.replay(projection: projection(statement: changed))
            }
                == .projectionChanged
        )
        let raised = try await test.store.replay(
            projection: projection(version: 2, statement: changed)
        )
        #expect(raised.rebuilt)
        let sums = try await test.rows(
            "SELECT sum(n), 2 * (SELECT count(*) FROM events) FROM totals"
        )
        #expect(sums[0][0] == sums[0][1])
        await test.store.close()
    }

    @Test(
        "A projection uses its own tables and deterministic functions, nothing else",
        arguments: [
            "INSERT INTO streams VALUES (1, 'x');", "DELETE FROM events;",
            "INSERT INTO totals SELECT name, 1 FROM streams;",
            "INSERT INTO totals VALUES (random(), 1);",
            "INSERT INTO totals VALUES (datetime('now'), 1);",
            "UPDATE replay_checkpoints SET position = 0;",
            "INSERT INTO totals VALUES (:nothing, 1);",
            "INSERT INTO totals VALUES (load_extension('x'), 1);",
            "INSERT INTO totals VALUES (?, 1);",
        ]
    )
    func sandbox(_ statement: String) async throws {
        let test = try await filled()
        let code = await failureCode {
            _ = try await test.store.replay(projection: projection(statement: statement))
        }
        #expect(code == .projectionInvalid, "\(statement)")
        #expect(try await test.rows("SELECT count(*) FROM replays") == [[.integer(0)]])
        await test.store.close()
    }

    @Test("A checkpoint of other history is refused; rebuild is the way on")
    func otherHistory() async throws {
        let one = try await filled()
        let two = try await TestStore()
        try await two.store.ingest(.file(Fixture.path("events/realtime.ndjson")), from: "realtime")
        var options = ReplayOptions()
        options.target = .file(one.folder.file("out.db"))
        let first = try await one.store.replay(projection: projection(), options: options)
        #expect(
            await failureCode {
                _ = try await two.store.replay(projection: projection(), options: options)
            } == .historyDiffers
        )
        options.rebuild = true
        let rebuilt = try await two.store.replay(projection: projection(), options: options)
        #expect(rebuilt.rebuilt)
        #expect(rebuilt.digest != first.digest)
        await one.store.close()
        await two.store.close()
    }

    @Test("A replay does not apply an event that was changed in the file")
    func tampered() async throws {
        let test = try await filled()
        try test.tamper("UPDATE events SET data = '{}' WHERE position = 700")
        let code = await failureCode { _ = try await test.store.replay(projection: projection()) }
        #expect(code == .integrity)
        await test.store.close()
    }
}
