import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Reconciliation")
struct ReconcileTests {
    private static let priority = #"{"use":"origin_priority"}"#

    private func conflicting(_ count: Int, _ chain: String = priority) async throws
        -> TestStore
    {
        let test = try await TestStore(settings: settings(chain), clock: ManualClock())
        for id in 1...count {
            try await test.ingest(event("\(id)", "{\"v\":\(id)}"), from: "realtime")
            try await test.ingest(event("\(id)", "{\"v\":\(id + 100)}"), from: "websocket")
        }
        return test
    }

    @Test("A dry run changes no byte of a proved table, and predicts what the run then does")
    func dryRun() async throws {
        let test = try await conflicting(5)
        try await test.ingest(event("8", "1"), event("9", "1"), from: "websocket")
        test.clock.advance(seconds: 100)
        try await test.ingest(event("10", "1"), from: "realtime")
        test.clock.advance(seconds: 900)
        try await test.ingest(event("11", "1"), from: "realtime")
        let before = try await test.proved()
        var options = ReconcileOptions()
        options.isDryRun = true
        let predicted = try await test.store.reconcile(options)
        #expect(try await test.proved() == before)
        #expect(predicted.state == .completed)
        #expect(
            predicted.byKind == [
                "payload_differs": 5, "missing_at_origin": 2, "origin_silent": 1,
            ]
        )
        let again = try await test.store.reconcile(options)
        var done = try await test.store.reconcile()
        #expect(done.resolved == 7)
        #expect(again.decisionsDigest == predicted.decisionsDigest)
        #expect(done.decisionsDigest == predicted.decisionsDigest)
        // But for these two, every figure is the same.
        (done.run, done.isDryRun) = (predicted.run, true)
        #expect(done == predicted)
    }

    @Test("A second run with nothing new looks at nothing")
    func incremental() async throws {
        let test = try await conflicting(3, #"{"use":"manual"}"#)
        #expect(try await test.store.reconcile().compared >= 3)
        let second = try await test.store.reconcile()
        #expect(second.compared == 0)
        #expect(second.found == 0)
        #expect(second.open == 3)
        try await test.ingest(event("1", #"{"v":7}"#), from: "poll")
        #expect(try await test.store.reconcile().compared == 1)
    }

    @Test("New evidence supersedes an automatic decision; a person's stands, and is flagged")
    func evidence() async throws {
        let test = try await conflicting(2, #"{"use":"highest","pointer":"/v"}"#)
        #expect(try await test.store.reconcile().resolved == 2)
        try await test.store.reopen(conflict: 2, actor: "ann", reason: "look")
        try await test.store.resolve(
            ManualResolution(
                conflictID: 2,
                choice: .take(origin: "realtime"),
                actor: "ann",
                reason: "checked"
            )
        )
        try await test.ingest(
            event("1", #"{"v":500}"#),
            event("2", #"{"v":500}"#),
            from: "poll"
        )
        let done = try await test.store.reconcile()
        #expect(done.resolved == 1)
        #expect(
            try await test.rows("SELECT data ->> 'v' FROM effective_events ORDER BY position")
                == [[.integer(500)], [.integer(2)]]
        )
        #expect(
            try await test.rows(
                "SELECT conflict_id, state, blocked_by FROM conflict_states ORDER BY conflict_id"
            ) == [
                [.integer(1), .text("resolved"), .null],
                [.integer(2), .text("resolved"), .text("new_evidence")],
            ]
        )
        #expect(
            try await test.text("SELECT supersedes FROM resolutions ORDER BY resolution_id DESC")
                == "1"
        )
        // Support that changes nothing makes no new decision.
        try await test.ingest(event("1", #"{"v":500}"#), from: "webhook")
        #expect(try await test.store.reconcile().resolved == 0)
        #expect(try await test.store.replayAudit().drifts == [])
    }

    @Test("Support that comes later as a confirmed copy can turn a majority")
    func confirmedSupport() async throws {
        let test = try await conflicting(1, #"{"use":"majority"}"#)
        #expect(try await test.store.reconcile().open == 1)
        let report = try await test.ingest(event("1", #"{"v":1}"#), from: "poll")
        #expect(report.outcomes.confirmed == 1)
        #expect(try await test.store.reconcile().resolved == 1)
        #expect(try await test.text("SELECT data ->> 'v' FROM effective_events") == "1")
    }

    @Test("A conflict that a person opened again waits for a person")
    func reopened() async throws {
        let test = try await conflicting(1)
        #expect(try await test.store.reconcile().resolved == 1)
        try await test.store.reopen(conflict: 1, actor: "ann", reason: "look")
        let done = try await test.store.reconcile()
        #expect(done.resolved == 0)
        #expect(done.open == 1)
        #expect(try await test.text("SELECT blocked_by FROM open_conflicts") == "reopened")
    }

    @Test("A run whose time is up pauses, and the next goes on with the same clock")
    func pauses() async throws {
        let test = try await conflicting(2)
        var options = ReconcileOptions()
        options.duration = .zero
        let paused = try await test.store.reconcile(options)
        #expect(paused.state == .paused)
        #expect(paused.cause == "time")
        let asOf = try await test.text("SELECT as_of FROM reconciliations")
        test.clock.advance(seconds: 5)
        let done = try await test.store.reconcile()
        #expect(done.run == paused.run)
        #expect(done.state == .completed)
        #expect(done.resolved == 2)
        #expect(try await test.text("SELECT as_of FROM reconciliations") == asOf)
        #expect(
            try await test.text(
                "SELECT group_concat(to_state) FROM reconciliation_transitions"
            ) == "collecting,paused,collecting,comparing,resolving,verifying,completed"
        )
    }

    @Test("Two runs at once: one takes the other's over, no decision is made twice")
    func twoRuns() async throws {
        let test = try await conflicting(40)
        let (store, path) = (test.store, test.path)
        let other = try await EventStore.open(at: path)
        async let first = Result { try await store.reconcile() }
        async let second = Result { try await other.reconcile() }
        for result in await [first, second] {
            if case .failure(let error) = result {
                #expect((error as? StoreError)?.code == .busy)
            }
        }
        #expect(try await store.reconcile().open == 0)
        #expect(try await test.text("SELECT count(*) FROM resolutions") == "40")
        #expect(try await test.text("SELECT count(DISTINCT conflict_id) FROM resolutions") == "40")
        #expect(try await store.verify().isIntact)
    }

    @Test("Scope leaves out what it does not name; an unknown origin is refused")
    func scope() async throws {
        let test = try await conflicting(1)
        try await test.ingest(event("a", "1"), from: "poll")
        try await test.ingest(event("a", "2"), from: "webhook")
        var options = ReconcileOptions()
        options.origins = ["websocket"]
        let scoped = try await test.store.reconcile(options)
        #expect(scoped.resolved == 1)
        #expect(scoped.open == 1)
        options.origins = ["nobody"]
        let unknown = options
        let store = test.store
        #expect(await failureCode { _ = try await store.reconcile(unknown) } == .notFound)
        options.origins = nil
        options.since = Timestamp(microseconds: test.clock.now + 1)
        #expect(try await test.store.reconcile(options).compared == 0)
    }

    @Test("Settings that change decide what was open")
    func settingsChange() async throws {
        let test = try await conflicting(1, #"{"use":"manual"}"#)
        #expect(try await test.store.reconcile().open == 1)
        try await test.store.apply(
            settings: Array(settings(Self.priority).utf8),
            actor: "ann",
            reason: "the old feed is right"
        )
        let done = try await test.store.reconcile()
        #expect(done.configurationVersion == 2)
        #expect(done.resolved == 1)
        #expect(done.found == 0)
        #expect(try await test.text("SELECT configuration_version FROM resolution_trail") == "2")
    }

    @Test("Decisions of every policy under five configurations are derived again without drift")
    func manyConfigurations() async throws {
        let chains = [
            #"{"use":"first_write_wins"}"#,
            #"{"use":"last_write_wins","tie_break":"origin_priority"}"#,
            #"{"use":"highest","pointer":"/v"},{"use":"origin_priority"}"#,
            #"{"use":"field_merge","fields":{"/v":"max","/t":"union"}},{"use":"quorum","k":2},{"use":"quarantine"}"#,
            #"{"use":"majority"},{"use":"lowest","pointer":"/v","tie_break":"first_write_wins"}"#,
        ]
        let test = try await TestStore(settings: settings(chains[0]), clock: ManualClock())
        for (round, chain) in chains.enumerated() {
            if round > 0 {
                try await test.store.apply(
                    settings: Array(settings(chain).utf8),
                    actor: "ann",
                    reason: "round \(round)"
                )
            }
            for id in 0..<6 {
                let name = "\(round)-\(id)"
                let more = id % 3 == 0 ? ",\"w\":1" : ""
                try await test.ingest(event(name, "{\"v\":\(id),\"t\":[1]}"), from: "realtime")
                try await test.ingest(
                    event(name, "{\"v\":\(9 - id),\"t\":[2]\(more)}"),
                    from: "websocket"
                )
                if id % 2 == 0 {
                    try await test.ingest(event(name, "{\"v\":\(id),\"t\":[1]}"), from: "poll")
                }
            }
            #expect(try await test.store.reconcile().resolved == 6, "round \(round)")
        }
        let report = try await test.store.replayAudit()
        #expect(report.drifts == [])
        #expect(report.derived == 30)
        // One changed setting is named by the decisions that were made under it, and by no other.
        try test.tamper(
            "UPDATE configurations SET content = replace(content, '\"max\"', '\"min\"') WHERE version = 4"
        )
        let drifted = try await test.store.replayAudit()
        #expect(drifted.driftCount > 0)
        let conflicts = Set(drifted.drifts.map(\.conflictID))
        #expect(conflicts.isSubset(of: Set(19...24)))
    }

    // MARK: Breakers

    private static let breaker =
        #","breakers":{"default":{"window":{"count":2},"minimum_calls":2,"wait_open":"1d","half_open_calls":1}}"#

    @Test("An open breaker defers what favours its origin, and nothing else; an override decides")
    func breakers() async throws {
        let test = try await TestStore(
            settings: settings(Self.priority, more: Self.breaker),
            clock: ManualClock()
        )
        try await test.ingest(event("1", "1"), event("2", "1"), from: "poll")
        try await test.ingest(event("1", "2"), from: "websocket")
        try await test.ingest("not an event", from: "websocket")
        #expect(try await test.store.breakers().first { $0.name == "websocket" }?.state == .open)
        #expect(
            try await test.text("SELECT detail ->> 'to' FROM audit_trail WHERE kind = 'breaker'")
                == "open"
        )
        try await test.ingest(event("2", "2"), from: "realtime")
        let deferred = try await test.store.reconcile()
        #expect(deferred.state == .paused)
        #expect(deferred.cause == "breaker")
        #expect(deferred.deferred == 1)
        #expect(deferred.resolved == 1)
        // The wait is measured by the clock since the machine's start, which no test can set.
        let next = try #require(deferred.nextAttemptAt).microseconds
        #expect(next > test.clock.now && next <= test.clock.now + 86_400_000_000)
        #expect(try await test.text("SELECT blocked_by FROM open_conflicts") == "breaker")
        var options = ReconcileOptions()
        options.overridesBreaker = true
        let silent = options
        let store = test.store
        #expect(await failureCode { _ = try await store.reconcile(silent) } == .invalidArgument)
        options.actor = "ann"
        options.reason = "the feed is well"
        let forced = try await test.store.reconcile(options)
        #expect(forced.resolved == 1)
        #expect(forced.state == .completed)
        #expect(
            try await test.text(
                "SELECT actor FROM audit_trail WHERE kind = 'breaker_override'"
            ) == "ann"
        )
        #expect(
            try await test.text(
                "SELECT group_concat(state) FROM (SELECT state FROM reconciliations ORDER BY run)"
            ) == "cancelled,completed"
        )
    }

    @Test("A breaker set by hand is audited and obeyed; half_open is refused")
    func manualBreaker() async throws {
        let test = try await conflicting(1)
        let store = test.store
        #expect(
            try await store.setBreaker(
                .origin,
                "websocket",
                to: .forcedOpen,
                actor: "a",
                reason: "r"
            )
        )
        #expect(
            try await !store.setBreaker(
                .origin,
                "websocket",
                to: .forcedOpen,
                actor: "a",
                reason: "r"
            )
        )
        #expect(try await store.reconcile().deferred == 1)
        #expect(
            await failureCode {
                _ = try await store.setBreaker(
                    .origin,
                    "websocket",
                    to: .halfOpen,
                    actor: "a",
                    reason: "r"
                )
            } == .invalidArgument
        )
        #expect(
            try await store.setBreaker(.origin, "websocket", to: .closed, actor: "a", reason: "r")
        )
        #expect(try await store.reconcile().resolved == 1)
    }

    @Test(
        "A breaker's wait survives a restart of the machine, and never lasts longer than the wait"
    )
    func restart() async throws {
        let test = try await TestStore(
            settings: settings(Self.priority, more: Self.breaker),
            clock: ManualClock()
        )
        try await test.ingest("x", from: "websocket")
        try await test.ingest("y", from: "websocket")
        #expect(try await test.store.breakers().first?.state == .open)
        try test.tamper("UPDATE breakers SET boot_id = 'before'")
        let until = try #require(try await test.store.breakers().first?.until).microseconds
        #expect(until <= test.clock.now + 86_400_000_000)
        test.clock.advance(seconds: -100_000)
        let back = try #require(try await test.store.breakers().first?.until).microseconds
        #expect(back == test.clock.now + 86_400_000_000)
        test.clock.advance(seconds: 100_000 + 86_401)
        // One good batch is the permitted call that closes it.
        try await test.ingest(event("1", "1"), from: "websocket")
        #expect(try await test.store.breakers().first?.state == .closed)
    }

    // MARK: Deriving again

    @Test("audit replay names a candidate, a setting or a decision that was changed")
    func drift() async throws {
        let changes: [(String, [String])] = [
            (
                "UPDATE conflict_candidates SET content_sha256 = printf('%064d', 1) WHERE candidate = 2",
                ["candidates", "evidence"]
            ),
            (
                "UPDATE configurations SET content = replace(content, '\"priority\":1', '\"priority\":9')",
                ["decision", "content", "winner_origin"]
            ),
            ("UPDATE resolutions SET winner_origin = 'realtime'", ["winner_origin"]),
            ("UPDATE resolutions SET content = content || ' '", ["content"]),
            ("UPDATE copies SET content_sha256 = zeroblob(32)", ["candidates"]),
        ]
        for (sql, names) in changes {
            let test = try await conflicting(1)
            #expect(try await test.store.reconcile().resolved == 1)
            #expect(try await test.store.replayAudit().drifts == [])
            try test.tamper(sql)
            let report = try await test.store.replayAudit()
            #expect(report.driftCount > 0, "\(sql)")
            #expect(
                report.drifts.contains { names.contains($0.what) && $0.resolutionID == 1 },
                "\(sql): \(report.drifts)"
            )
        }
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}

@Suite("Reconciliation of a store of schema 1")
struct ReconcileUpgradeTests {
    @Test("A store that was upgraded reconciles what its copies disagree on")
    func upgraded() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("store.db")
        // A closed file, copied before anybody opens it.
        try FileManager.default.copyItem(
            atPath: Fixture.path("databases/schema-1.db"),
            toPath: path
        )
        var options = StoreOptions()
        options.migratesOlderSchema = true
        let store = try await EventStore.open(at: path, options: options)
        let first = try await store.reconcile()
        #expect(first.found > 1)
        #expect(first.resolved == 0)
        #expect(first.open == first.found - 1, "one was resolved by hand")
        try await store.apply(
            settings: Fixture.bytes("settings.json"),
            actor: "ann",
            reason: "policies decide from now on"
        )
        let second = try await store.reconcile()
        #expect(second.found == 0)
        #expect(second.resolved > 0)
        #expect(try await store.verify().isIntact)
        await store.close()
    }
}
