import Tallystick
import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

/// What a store goes through: deliveries of two origins, and decisions over what they disagree in.
private struct History {
    /// Each is done in one go; replays may run in between.
    enum Step {
        case ingest(String, origin: String)
        /// A decision over a conflict by its number.
        case decide(Int64, excludes: Bool)
    }

    var steps: [Step] = []

    init(_ random: inout SeededGenerator) {
        var next = 1
        var delivered: [Int] = []
        var conflicts: Int64 = 0
        var open: [Int64] = []
        for _ in 0..<14 {
            switch random.next() % 3 {
            case 0 where !delivered.isEmpty:
                // The second origin disagrees over an event that it has not delivered yet.
                let index = Int(random.next() % UInt64(delivered.count))
                let id = delivered.remove(at: index)
                steps.append(.ingest(Self.line(id, type: "b", data: -id), origin: "b"))
                conflicts += 1
                open.append(conflicts)
            case 1 where !open.isEmpty:
                let conflict = open.remove(at: Int(random.next() % UInt64(open.count)))
                steps.append(.decide(conflict, excludes: random.next() % 4 == 0))
            default:
                let count = 1 + Int(random.next() % 300)
                let lines = (next..<next + count).map { Self.line($0, type: "a", data: $0) }
                steps.append(.ingest(lines.joined(separator: "\n"), origin: "a"))
                delivered += Array(next..<next + count)
                next += count
            }
        }
    }

    private static func line(_ id: Int, type: String, data: Int) -> String {
        eventLine(id, type: type, subject: id % 7, data: data)
    }

    static func run(_ step: Step, on test: TestStore) async throws {
        switch step {
        case .ingest(let lines, let origin): try await test.ingest(lines, from: origin)
        case .decide(let conflict, let excludes):
            try await test.store.resolve(
                ManualResolution(
                    conflictID: conflict,
                    choice: excludes ? .exclude : .take(origin: "b"),
                    actor: "me",
                    reason: "test"
                )
            )
        }
    }
}

@Suite("Replay and decisions")
struct ReplayDecisionTests {
    private func projection(_ name: String, _ onCorrection: String) -> [UInt8] {
        Array(
            """
            -- tally:projection \(name)
            -- tally:version 1
            -- tally:on-correction \(onCorrection)
            -- tally:setup
            CREATE TABLE \(name) (id TEXT, type TEXT, n INTEGER, position INTEGER) STRICT;
            -- tally:on *
            INSERT INTO \(name) VALUES (:id, :type, :data, :position);
            \(onCorrection == "apply" ? "-- tally:correct *\nINSERT INTO \(name) VALUES (:id, :type, :data, :resolution_id);" : "")
            """.utf8
        )
    }

    /// One run that is cut off somewhere: by the number of events, or because its task is cancelled.
    private func interruptedRun(
        _ test: TestStore,
        _ projection: [UInt8],
        _ random: inout SeededGenerator
    ) async throws {
        var options = ReplayOptions()
        options.batch = 1 + Int(random.next() % 200)
        let store = test.store
        if random.next() % 2 == 0 {
            options.until = Position(Int64(random.next() % 2_000))
            _ = try await store.replay(projection: projection, options: options)
            return
        }
        let chosen = options
        let task = Task { try await store.replay(projection: projection, options: chosen) }
        try await Task.sleep(for: .microseconds(random.next() % 30_000))
        task.cancel()
        do {
            _ = try await task.value
        } catch let error as StoreError where error.code == .interrupted {
            // A rebuild that was stopped leaves the tables as they were.
        }
    }

    @Test(
        "Same log, same digests and rows: at any batch size, interrupted or not, decisions before, between or after",
        arguments: ["apply", "rebuild"],
        0..<3
    )
    func sameDigests(_ onCorrection: String, _ round: Int) async throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let history = History(&random)
        let test = try await TestStore()
        let interrupted = projection("cut", onCorrection)
        for step in history.steps {
            try await History.run(step, on: test)
            if random.next() % 2 == 0 { try await interruptedRun(test, interrupted, &random) }
        }
        var options = ReplayOptions()
        options.batch = 1 + Int(random.next() % 200)
        let last = try await test.store.replay(projection: interrupted, options: options)
        let whole = try await test.store.replay(projection: projection("whole", onCorrection))
        #expect(last.status == .complete && whole.status == .complete, "seed \(seed)")
        #expect(last.digest == whole.digest, "seed \(seed)")
        #expect(last.appliedDigest == whole.appliedDigest, "seed \(seed)")
        #expect(last.root == whole.root, "seed \(seed)")
        #expect(last.resolutionWatermark == whole.resolutionWatermark, "seed \(seed)")
        let rows = try await test.rows("SELECT * FROM cut ORDER BY rowid")
        #expect(try await test.rows("SELECT * FROM whole ORDER BY rowid") == rows, "seed \(seed)")
        if onCorrection == "rebuild" {
            let effective = try await test.rows(
                "SELECT event_id, type, data, position FROM effective_events ORDER BY position"
            )
            #expect(rows.map(\.[0]) == effective.map(\.[0]), "seed \(seed)")
            #expect(rows.map(\.[1]) == effective.map(\.[1]), "seed \(seed)")
        }
        await test.store.close()
    }

    @Test(
        "An excluded event has no data when its correction is applied, and none before when it comes back"
    )
    func exclusion() async throws {
        let test = try await TestStore()
        let line = #"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":"#
        try await test.ingest(line + "1}", from: "a")
        try await test.ingest(line + "2}", from: "b")
        let file = Array(
            """
            -- tally:projection seen
            -- tally:version 1
            -- tally:on-correction apply
            -- tally:setup
            CREATE TABLE seen (decision TEXT, data TEXT, previous TEXT) STRICT;
            -- tally:on *
            INSERT INTO seen VALUES ('event', :data, NULL);
            -- tally:correct *
            INSERT INTO seen VALUES (:decision, :data, :previous_data);
            """.utf8
        )
        func decide(_ choice: ManualResolution.Choice) async throws {
            try await test.store.resolve(
                ManualResolution(conflictID: 1, choice: choice, actor: "me", reason: "test")
            )
        }
        try await decide(.exclude)
        try await test.store.reopen(conflict: 1, actor: "me", reason: "test")
        try await decide(.take(origin: "b"))
        _ = try await test.store.replay(projection: file)
        #expect(
            try await test.rows("SELECT decision, data, previous FROM seen ORDER BY rowid") == [
                [.text("event"), .text("1"), .null], [.text("exclude"), .null, .text("1")],
                [.text("take"), .text("2"), .null],
            ]
        )
        await test.store.close()
    }

    // MARK: Holding

    private static let holding = #"{"categories":{"system":{"while_open":"hold"}}}"#

    private func disputed() async throws -> TestStore {
        let test = try await TestStore(settings: Self.holding)
        func line(_ id: Int, _ data: Int) -> String {
            eventLine(id, type: "plain", data: data)
        }
        try await test.ingest(line(1, 1), line(2, 2), line(3, 3), from: "a")
        try await test.ingest(line(2, -2), from: "b")
        return test
    }

    private let take = ManualResolution(
        conflictID: 1,
        choice: .take(origin: "b"),
        actor: "me",
        reason: "test"
    )

    @Test(
        "A category that holds stops replay before the event until its conflict is decided",
        arguments: ["apply", "rebuild"]
    )
    func held(_ onCorrection: String) async throws {
        let test = try await disputed()
        let file = projection("held", onCorrection)
        for _ in 0..<2 {
            let halted = try await test.store.replay(projection: file)
            #expect(halted.status == .halted)
            #expect(halted.position == 1)
            #expect(halted.reason?.contains("position 2") == true)
        }
        let status = try await test.rows("SELECT status, last_error IS NOT NULL FROM replay_status")
        #expect(status == [[.text("halted"), .integer(1)]])
        var early = ReplayOptions()
        early.until = 1
        #expect(try await test.store.replay(projection: file, options: early).status == .complete)
        try await test.store.resolve(take)
        let done = try await test.store.replay(projection: file)
        #expect(done.status == .complete && done.position == 3)
        let numbers = try await test.rows("SELECT n FROM held ORDER BY rowid").map(\.[0])
        let expected: [Int64] = onCorrection == "apply" ? [1, 2, 3, -2] : [1, -2, 3]
        #expect(numbers == expected.map { .integer($0) })
        let healed = try await test.rows("SELECT status, last_error FROM replay_status")
        #expect(healed == [[.text("complete"), .null]])
        await test.store.close()
    }

    @Test("A replay that follows waits at a held event, and goes on once it is decided")
    func heldWhileFollowing() async throws {
        let test = try await disputed()
        let (store, file) = (test.store, projection("held", "rebuild"))
        let task = Task { try await store.follow(projection: file) }
        func wait(for status: String) async throws {
            let came = try await Waiting.until {
                try await test.rows("SELECT status FROM replays") == [[.text(status)]]
            }
            try #require(came, "status \(status) never came")
        }
        try await wait(for: "halted")
        try await test.store.resolve(take)
        try await wait(for: "complete")
        task.cancel()
        #expect(try await task.value.position == 3)
        let numbers = try await test.rows("SELECT n FROM held ORDER BY rowid").map(\.[0])
        #expect(numbers == [.integer(1), .integer(-2), .integer(3)])
        await test.store.close()
    }

    // MARK: Restored stores

    @Test(
        "A projection ahead of a restored store is refused, in events or in decisions; rebuild is the way on",
        arguments: [false, true]
    )
    func restored(_ inDecisions: Bool) async throws {
        let test = try await TestStore()
        func line(_ id: Int, _ data: Int) -> String {
            eventLine(id, type: "plain", data: data)
        }
        try await test.ingest(line(1, 1), line(2, 2), from: "a")
        try await test.ingest(line(2, -2), from: "b")
        let older = test.folder.file("older.db")
        try await test.store.backup(to: older)
        if inDecisions {
            try await test.store.resolve(take)
        } else {
            try await test.ingest(line(3, 3), from: "a")
        }
        var options = ReplayOptions()
        options.target = .file(test.folder.file("out.db"))
        let file = projection("ahead", "rebuild")
        _ = try await test.store.replay(projection: file, options: options)
        await test.store.close()
        let restored = try await EventStore.open(at: older)
        let refused = await failureCode {
            _ = try await restored.replay(projection: file, options: options)
        }
        #expect(refused == .historyDiffers)
        options.rebuild = true
        let done = try await restored.replay(projection: file, options: options)
        #expect(done.rebuilt && done.status == .complete && done.position == 2)
        await restored.close()
    }

    @Test("A store is no file for the projections of another one")
    func intoStore() async throws {
        let (one, two) = (try await TestStore(), try await TestStore())
        var options = ReplayOptions()
        options.target = .file(two.path)
        let refused = await failureCode {
            _ = try await one.store.replay(projection: projection("p", "rebuild"), options: options)
        }
        #expect(refused == .invalidArgument)
        #expect(try await two.store.verify().isIntact)
        await one.store.close()
        await two.store.close()
    }

    @Test(
        "An edit to what was consumed is found, and named, where that is asked for",
        arguments: ["apply", "rebuild"]
    )
    func verifyHistory(_ onCorrection: String) async throws {
        let decided = try await DecidedStore()
        let file = projection("checked", onCorrection)
        var options = ReplayOptions()
        options.batch = 1
        options.verifiesHistory = true
        _ = try await decided.test.store.replay(projection: file, options: options)
        let again = try await decided.test.store.replay(projection: file, options: options)
        #expect(again.status == .complete && again.consumed == 0)
        try decided.test.tamper("UPDATE events SET data = '7' WHERE position = 2")
        // Resuming compares roots: the edit is before the checkpoint.
        _ = try await decided.test.store.replay(projection: file)
        do {
            _ = try await decided.test.store.replay(projection: file, options: options)
            Issue.record("the edit was not found")
        } catch {
            #expect(error.code == .integrity && error.subject == "position 2")
        }
        await decided.test.store.close()
    }

    @Test("A file whose tables have our names and another shape is refused")
    func foreignTables() async throws {
        let test = try await TestStore()
        let path = test.folder.file("foreign.db")
        let foreign = try Connection(path: path, mode: .create)
        try foreign.execute("CREATE TABLE replay_checkpoints (x)")
        var options = ReplayOptions()
        options.target = .file(path)
        let refused = await failureCode {
            _ = try await test.store.replay(
                projection: projection("p", "rebuild"),
                options: options
            )
        }
        #expect(refused == .invalidArgument)
        await test.store.close()
    }
}
