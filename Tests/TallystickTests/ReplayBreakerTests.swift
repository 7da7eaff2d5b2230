import Foundation
import Synchronization
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Refuses batches while it is told to.
private final class Switch: ReplaySink {
    struct Refused: Error {}

    private let refuses = Mutex(true)

    func heal() { refuses.withLock { $0 = false } }
    func take(_ batch: [ReplayItem]) throws {
        if refuses.withLock({ $0 }) { throw Refused() }
    }
}

@Suite("The breaker of a replay")
struct ReplayBreakerTests {
    private static let settings = """
        {"breakers": {"numbers": {"window": {"count": 2}, "minimum_calls": 2, "failure_rate": 1,
            "wait_open": "1h", "half_open_calls": 1}}}
        """

    /// Numbers go in; anything else does not.
    private func projection(_ onCorrection: String = "apply", version: Int = 1) -> [UInt8] {
        Array(
            """
            -- tally:projection numbers
            -- tally:version \(version)
            -- tally:on-correction \(onCorrection)
            -- tally:setup
            CREATE TABLE numbers (n INTEGER NOT NULL) STRICT;
            -- tally:on *
            INSERT INTO numbers VALUES (:data);
            """.utf8
        )
    }

    private func line(_ id: Int, _ data: String) -> String {
        eventLine(id, subject: id, data: data)
    }

    private func filled(_ data: String...) async throws -> TestStore {
        let test = try await TestStore(settings: Self.settings, clock: ManualClock())
        for (index, value) in data.enumerated() {
            try await test.ingest(line(index + 1, value), from: "a")
        }
        return test
    }

    /// One event a batch, so that one event is one call.
    private func options(_ policy: PoisonPolicy, into file: String? = nil) -> ReplayOptions {
        var options = ReplayOptions()
        options.onPoison = policy
        options.batch = 1
        options.actor = "ann"
        if let file { options.target = .file(file) }
        return options
    }

    private func state(_ test: TestStore) async throws -> CircuitBreaker.State? {
        try await test.store.breakers().first { $0.kind == .replay }?.state
    }

    /// What the machine's restart does: only the wall clock tells when the wait ends.
    private func wait(_ test: TestStore, seconds: Int64) throws {
        try test.tamper("UPDATE breakers SET boot_id = 'before'")
        test.clock.advance(seconds: seconds)
    }

    private static let bad = #""no""#

    @Test(
        "Too many failed batches halt the replay, which says until when, and the trail who ran it"
    )
    func opens() async throws {
        let test = try await filled("1", Self.bad, Self.bad, "4")
        let done = try await test.store.replay(projection: projection(), options: options(.park))
        #expect(done.status == .halted)
        #expect(done.position == 3)
        #expect(done.parked == 2)
        let until = try #require(done.nextAttemptAt).microseconds
        #expect(until > test.clock.now && until <= test.clock.now + 3_600_000_000)
        #expect(done.reason?.contains(RFC3339.string(microseconds: until)) == true)
        #expect(try await state(test) == .open)
        let trail = try await test.rows(
            """
            SELECT actor, detail ->> 'kind', detail ->> 'name', detail ->> 'from', detail ->> 'to',
                detail ->> 'cause'
            FROM audit_trail
            WHERE kind = 'breaker'
            """
        )
        #expect(
            trail == [
                ["ann", "replay", "numbers", "closed", "open", "failure_rate"].map {
                    .text($0)
                }
            ]
        )
        let status = try await test.rows("SELECT status, position FROM replay_status")
        #expect(status == [[.text("halted"), .integer(3)]])
        #expect(try await test.store.verify().isIntact)
        // While it is open nothing is tried.
        let still = try await test.store.replay(projection: projection(), options: options(.park))
        #expect(still.status == .halted && still.consumed == 0 && still.position == 3)
        await test.store.close()
    }

    @Test("A batch that is applied after the wait closes it; one that fails opens it for longer")
    func halfOpen() async throws {
        let test = try await filled(Self.bad, Self.bad, Self.bad, "4", "5")
        let file = projection()
        let park = options(.park)
        #expect(try await test.store.replay(projection: file, options: park).position == 2)
        try wait(test, seconds: 3601)
        let failed = try await test.store.replay(projection: file, options: park)
        #expect(failed.status == .halted && failed.position == 3)
        let until = try #require(failed.nextAttemptAt).microseconds
        #expect(until > test.clock.now + 3_600_000_000)
        try wait(test, seconds: 3601)
        #expect(try await test.store.replay(projection: file, options: park).consumed == 0)
        test.clock.advance(seconds: 3600)
        let done = try await test.store.replay(projection: file, options: park)
        #expect(done.status == .complete && done.position == 5)
        #expect(done.reason == nil && done.nextAttemptAt == nil)
        #expect(try await state(test) == .closed)
        let path = try await test.text(
            """
            SELECT group_concat(step, ' ')
            FROM (SELECT detail ->> 'to' AS step FROM audit_trail WHERE kind = 'breaker'
                ORDER BY audit_sequence)
            """
        )
        #expect(path == "open half_open open half_open closed")
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test("A half-open breaker whose process is gone does not keep the replay halted")
    func leftHalfOpen() async throws {
        let test = try await filled(Self.bad, Self.bad, "3", "4", "5")
        let file = projection()
        let park = options(.park)
        _ = try await test.store.replay(projection: file, options: park)
        // All calls of half-open are out, and nobody will say what became of them.
        try test.tamper(
            "UPDATE breakers SET state = 'half_open', permitted = 1, calls = '', boot_id = 'before'"
        )
        test.clock.advance(seconds: 3601)
        var runs = 0
        while try await test.store.replay(projection: file, options: park).status == .halted {
            runs += 1
            try #require(runs < 5)
            try wait(test, seconds: 120_000)
        }
        #expect(try await state(test) == .closed)
        #expect(try await test.text("SELECT count(*) FROM numbers") == "3")
        await test.store.close()
    }

    @Test("A run that halts at the same event again and again stops trying")
    func halting() async throws {
        let test = try await filled("1", Self.bad)
        for _ in 1...2 {
            let done = try await test.store.replay(
                projection: projection("rebuild"),
                options: options(.halt)
            )
            #expect(done.status == .halted && done.nextAttemptAt == nil)
        }
        let third = try await test.store.replay(
            projection: projection("rebuild"),
            options: options(.halt)
        )
        #expect(third.nextAttemptAt != nil)
        // A person can always say that it is well again.
        try await test.store.setBreaker(
            .replay,
            "numbers",
            to: .closed,
            actor: "ann",
            reason: "corrected"
        )
        let skipped = try await test.store.replay(
            projection: projection("rebuild"),
            options: options(.skip)
        )
        #expect(skipped.status == .complete)
        await test.store.close()
    }

    @Test("It guards a projection in another file and a sink as well, and a held one stays held")
    func otherPlaces() async throws {
        let test = try await filled("1", Self.bad, Self.bad, "4")
        let into = options(.park, into: test.folder.file("other.db"))
        let done = try await test.store.replay(projection: projection(), options: into)
        #expect(done.status == .halted && done.position == 3 && done.nextAttemptAt != nil)
        #expect(try await test.text("SELECT status FROM replay_status") == "halted")
        try await test.store.dropReplay("numbers")
        #expect(try await test.store.breakers().allSatisfy { $0.kind == .origin })
        let sink = Switch()
        for _ in 1...2 {
            let halted = try await test.store.replay(into: sink, named: "numbers")
            #expect(halted.status == .halted && halted.nextAttemptAt == nil)
        }
        sink.heal()
        let waiting = try await test.store.replay(into: sink, named: "numbers")
        #expect(waiting.status == .halted && waiting.nextAttemptAt != nil && waiting.position == 0)
        try wait(test, seconds: 3601)
        #expect(try await test.store.replay(into: sink, named: "numbers").status == .complete)
        #expect(try await state(test) == .closed)
        try await test.store.setBreaker(
            .replay,
            "numbers",
            to: .forcedOpen,
            actor: "ann",
            reason: "repairs"
        )
        // Nothing is left to do: that is no reason to halt.
        #expect(try await test.store.replay(into: sink, named: "numbers").status == .complete)
        try await test.ingest(line(9, "9"), from: "a")
        let held = try await test.store.replay(into: sink, named: "numbers")
        #expect(held.status == .halted && held.nextAttemptAt == nil)
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test(
        "A replay that follows waits until the breaker lets a batch through, and goes on by itself"
    )
    func follows() async throws {
        let brief = Self.settings.replacing("1h", with: "300ms")
        let test = try await TestStore(settings: brief)
        try await test.ingest(
            line(1, Self.bad),
            line(2, Self.bad),
            line(3, "3"),
            from: "a"
        )
        let (store, file, park) = (test.store, projection(), options(.park))
        let run = Task { try await store.follow(projection: file, options: park) }
        let isThere = try await Waiting.until {
            try await !test.rows("SELECT position FROM replay_status WHERE position = 3").isEmpty
        }
        #expect(isThere)
        run.cancel()
        let done = try await run.value
        #expect(done.status == .paused && done.position == 3 && done.reason == nil)
        #expect(try await store.breakers().first { $0.kind == .replay }?.state == .closed)
        #expect(try await test.rows("SELECT n FROM numbers") == [[.integer(3)]])
        await store.close()
    }

    @Test("A rebuild counts too, and an open breaker keeps one from beginning")
    func rebuild() async throws {
        let test = try await filled(Self.bad, Self.bad, "3")
        let file = projection("rebuild")
        _ = try await test.store.replay(projection: file, options: options(.park))
        try await test.store.setBreaker(
            .replay,
            "numbers",
            to: .closed,
            actor: "ann",
            reason: "another try"
        )
        var anew = options(.park)
        anew.alwaysRebuilds = true
        _ = try await test.store.replay(projection: file, options: anew)
        let counted = try await test.store.breakers().first { $0.kind == .replay }
        #expect(counted?.state == .open)
        let refused = try await test.store.replay(
            projection: projection("rebuild", version: 2),
            options: options(.park)
        )
        #expect(refused.status == .halted && !refused.rebuilt && refused.nextAttemptAt != nil)
        await test.store.close()
    }
}
