import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Events that a projection cannot apply")
struct ReplayPoisonTests {
    /// Numbers go in; anything else does not.
    private func projection(_ onCorrection: String = "rebuild", version: Int = 1) -> [UInt8] {
        Array(
            """
            -- tally:projection numbers
            -- tally:version \(version)
            -- tally:on-correction \(onCorrection)
            -- tally:setup
            CREATE TABLE numbers (n INTEGER NOT NULL, kind TEXT NOT NULL) STRICT;
            -- tally:on *
            INSERT INTO numbers VALUES (:data, 'event');
            \(onCorrection == "apply" ? "-- tally:correct *\nINSERT INTO numbers VALUES (:data, 'correction');" : "")
            """.utf8
        )
    }

    private func line(_ id: Int, _ data: String, _ subject: String) -> String {
        eventLine(id, subject: subject, data: data)
    }

    /// Stream x: 1, a poison, 3, 4; stream y: 2.
    private func poisoned() async throws -> TestStore {
        let test = try await TestStore()
        try await test.ingest(
            line(1, "1", "x"),
            line(2, "2", "y"),
            line(3, #""no""#, "x"),
            line(4, "4", "x"),
            line(5, "5", "y"),
            from: "a"
        )
        return test
    }

    private func options(_ policy: PoisonPolicy) -> ReplayOptions {
        var options = ReplayOptions()
        options.onPoison = policy
        return options
    }

    @Test(
        "What a run applied is counted once, though it came to a poison event and began the batch again"
    )
    func applied() async throws {
        let test = try await poisoned()
        let halted = try await test.store.replay(projection: projection())
        #expect(halted.status == .halted)
        #expect(halted.consumed == 2 && halted.applied == 2)
        let parked = try await test.store.replay(projection: projection(), options: options(.park))
        #expect(parked.consumed == 3 && parked.applied == 1 && parked.parked == 2)
        await test.store.close()
    }

    private func decide(
        _ test: TestStore,
        _ id: Int,
        _ data: String,
        _ subject: String,
        conflict: Int64
    ) async throws {
        try await test.ingest(line(id, data, subject), from: "b")
        try await test.store.resolve(
            ManualResolution(
                conflictID: conflict,
                choice: .take(origin: "b"),
                actor: "me",
                reason: "test"
            )
        )
    }

    private func numbers(_ test: TestStore) async throws -> [SQLValue] {
        try await test.rows("SELECT n FROM numbers ORDER BY rowid").map(\.[0])
    }

    @Test(
        "Parked streams stay parked over runs, corrections of them too, and everything is retried in order"
    )
    func parkAndRetry() async throws {
        let test = try await poisoned()
        let file = projection("apply")
        let parked = try await test.store.replay(projection: file, options: options(.park))
        #expect(parked.status == .complete && parked.parked == 2)
        try await test.ingest(line(6, "6", "x"), line(7, "7", "y"), from: "a")
        try await decide(test, 1, "10", "x", conflict: 1)
        try await decide(test, 2, "20", "y", conflict: 2)
        // Parked streams need no policy any more: what follows them goes with them.
        let more = try await test.store.replay(projection: file)
        #expect(more.status == .complete && more.parked == 4)
        #expect(try await numbers(test) == [1, 2, 5, 7, 20].map { .integer($0) })
        let waiting = try await test.rows(
            "SELECT position, resolution_id FROM parked_events ORDER BY position, resolution_id"
        )
        #expect(
            waiting == [[1, 1], [3, 0], [4, 0], [6, 0]].map { $0.map { SQLValue.integer($0) } }
        )
        let status = try await test.rows("SELECT parked, out_of_order_since FROM replay_status")
        #expect(status == [[.integer(4), .integer(3)]])
        // Nothing has changed: the first of the stream fails again, and the rest waits behind it.
        let still = try await test.store.retryParked(projection: file)
        #expect(still.applied == 0 && still.parked == 4)
        let attempts = try await test.rows(
            "SELECT attempts FROM parked_events ORDER BY position, resolution_id"
        )
        #expect(attempts.map(\.[0]) == [1, 2, 1, 1].map { .integer($0) })
        await test.store.close()
    }

    @Test(
        "Retried events are applied once, in the order of the log, with their corrections in place"
    )
    func retryInOrder() async throws {
        let test = try await poisoned()
        // The table lets the poison in once the projection's own rule is lifted from outside.
        let file = Array(
            """
            -- tally:projection numbers
            -- tally:version 1
            -- tally:on-correction apply
            -- tally:setup
            CREATE TABLE numbers (n TEXT, kind TEXT NOT NULL) STRICT;
            CREATE TABLE numbers_allowed (type TEXT NOT NULL) STRICT;
            -- tally:on *
            INSERT INTO numbers
            SELECT :data, CASE WHEN typeof(json_extract(:data, '$')) = 'integer'
                OR EXISTS (SELECT 1 FROM numbers_allowed) THEN 'event' END;
            -- tally:correct *
            INSERT INTO numbers VALUES (:data, 'correction');
            """.utf8
        )
        _ = try await test.store.replay(projection: file, options: options(.park))
        try await decide(test, 1, "10", "x", conflict: 1)
        try await test.ingest(line(6, "6", "x"), from: "a")
        let more = try await test.store.replay(projection: file)
        #expect(more.parked == 4)
        try test.tamper("INSERT INTO numbers_allowed VALUES ('any')")
        let retried = try await test.store.retryParked(projection: file)
        #expect(retried.applied == 4 && retried.parked == 0)
        let texts = try await test.rows("SELECT n, kind FROM numbers ORDER BY rowid").map(\.[0])
        #expect(texts == ["1", "2", "5", "\"no\"", "4", "10", "6"].map { .text($0) })
        let again = try await test.store.retryParked(projection: file)
        #expect(again.applied == 0 && again.parked == 0)
        // The stream is free again.
        try await test.ingest(line(8, "8", "x"), from: "a")
        let last = try await test.store.replay(projection: file)
        #expect(last.status == .complete && last.parked == 0)
        let status = try await test.rows("SELECT status, out_of_order_since FROM replay_status")
        #expect(status == [[.text("complete"), .integer(3)]])
        await test.store.close()
    }

    @Test("A correction that cannot be applied halts, is parked, or is skipped, like an event")
    func poisonousCorrection() async throws {
        let test = try await TestStore()
        try await test.ingest(line(1, "1", "x"), line(2, "2", "x"), line(3, "3", "y"), from: "a")
        try await decide(test, 1, #""no""#, "x", conflict: 1)
        try await test.ingest(line(4, "4", "x"), line(5, "5", "y"), from: "a")
        let file = projection("apply")
        let halted = try await test.store.replay(projection: file)
        #expect(halted.status == .halted && halted.position == 3)
        #expect(halted.reason?.contains("resolution 1") == true)
        let parked = try await test.store.replay(projection: file, options: options(.park))
        #expect(parked.status == .complete && parked.parked == 2)
        #expect(try await numbers(test) == [1, 2, 3, 5].map { .integer($0) })
        try await test.store.dropReplay("numbers")
        let skipped = try await test.store.replay(projection: file, options: options(.skip))
        #expect(skipped.status == .complete && skipped.skipped == 1 && skipped.parked == 0)
        #expect(try await numbers(test) == [1, 2, 3, 4, 5].map { .integer($0) })
        await test.store.close()
    }

    @Test("A skipped event is on record once, however often the replay comes to it")
    func skipOnce() async throws {
        let test = try await poisoned()
        for _ in 0..<3 {
            let done = try await test.store.replay(
                projection: projection(),
                options: options(.skip)
            )
            #expect(done.skipped == 1)
            // As if the run had been killed after the record and before the checkpoint.
            try await test.store.dropReplay("numbers")
        }
        let records = "SELECT position, reason FROM audit_trail WHERE kind = 'projection_skip'"
        let audit = try await test.rows(records)
        #expect(audit.count == 1)
        #expect(audit.first?.first == .integer(3))
        _ = try await test.store.replay(projection: projection(version: 2), options: options(.skip))
        #expect(try await test.rows(records).count == 2)
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test(
        "Park and skip leave the same digests at any batch size",
        arguments: [PoisonPolicy.park, .skip]
    )
    func digests(_ policy: PoisonPolicy) async throws {
        let test = try await poisoned()
        var digests: Set<[String]> = []
        for batch in [1, 2, 3, 100] {
            var options = options(policy)
            options.batch = batch
            options.target = .file(test.folder.file("out-\(batch).db"))
            let done = try await test.store.replay(projection: projection(), options: options)
            digests.insert([done.digest, done.appliedDigest, done.root])
            try await test.store.dropReplay("numbers")
        }
        #expect(digests.count == 1)
        await test.store.close()
    }

    @Test("A rebuild parks anew, and forgets what was out of order before")
    func rebuild() async throws {
        let test = try await poisoned()
        _ = try await test.store.replay(projection: projection(), options: options(.park))
        try await decide(test, 3, "3", "x", conflict: 1)
        let rebuilt = try await test.store.replay(projection: projection(), options: options(.park))
        #expect(rebuilt.rebuilt && rebuilt.parked == 0)
        #expect(try await numbers(test) == [1, 2, 3, 4, 5].map { .integer($0) })
        let status = try await test.rows("SELECT parked, out_of_order_since FROM replay_status")
        #expect(status == [[.integer(0), .null]])
        await test.store.close()
    }

    @Test(
        "Dropping a replay leaves nothing of it, in the store or beside it, also when its file is gone"
    )
    func drop() async throws {
        let test = try await poisoned()
        let counts = """
            SELECT (SELECT count(*) FROM replays), (SELECT count(*) FROM replay_checkpoints),
                (SELECT count(*) FROM parked_events), (SELECT count(*) FROM projection_objects),
                (SELECT count(*) FROM sqlite_schema WHERE name LIKE 'numbers%')
            """
        let none = [[SQLValue]](repeating: [SQLValue](repeating: .integer(0), count: 5), count: 1)
        _ = try await test.store.replay(projection: projection(), options: options(.park))
        #expect(try await test.rows(counts) != none)
        try await test.store.dropReplay("numbers")
        #expect(try await test.rows(counts) == none)
        var beside = options(.park)
        beside.target = .file(test.folder.file("out.db"))
        _ = try await test.store.replay(projection: projection(), options: beside)
        try FileManager.default.removeItem(atPath: test.folder.file("out.db"))
        try await test.store.dropReplay("numbers")
        #expect(try await test.rows(counts) == none)
        #expect(await failureCode { try await test.store.dropReplay("numbers") } == .notFound)
        await test.store.close()
    }

    @Test(
        "One name is one replay: the same one into another place is refused, unless its file was moved"
    )
    func otherPlace() async throws {
        let test = try await poisoned()
        let file = projection()
        var beside = options(.park)
        beside.target = .file(test.folder.file("out.db"))
        _ = try await test.store.replay(projection: file, options: beside)
        #expect(
            await failureCode {
                _ = try await test.store.replay(projection: file, options: options(.park))
            } == .projectionChanged
        )
        let moved = test.folder.file("moved.db")
        try FileManager.default.moveItem(atPath: test.folder.file("out.db"), toPath: moved)
        beside.target = .file(moved)
        let done = try await test.store.replay(projection: file, options: beside)
        #expect(done.consumed == 0 && done.parked == 2)
        await test.store.close()
    }
}
