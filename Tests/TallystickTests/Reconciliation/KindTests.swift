import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Each kind of conflict from stored copies to audit row, decision and effective event.
@Suite("Kinds of conflict, end to end")
struct KindTests {
    private static let first = #"{"use":"first_write_wins"}"#

    private func kinds(_ test: TestStore) async throws -> [[SQLValue]] {
        try await test.rows(
            "SELECT kind, event_id, origin FROM conflicts ORDER BY conflict_id"
        )
    }

    @Test("Copies that differ: in data, in attributes, or from the same origin")
    func content() async throws {
        let test = try await TestStore(settings: settings(Self.first), clock: ManualClock())
        try await test.ingest(
            event("1", "1"),
            event("2", "1"),
            event("3", "1"),
            from: "websocket"
        )
        try await test.ingest(event("1", "2"), event("2", "1", type: "other"), from: "realtime")
        try await test.ingest(event("3", "2"), from: "websocket")
        let done = try await test.store.reconcile()
        #expect(done.byKind == ["payload_differs": 1, "metadata_differs": 1, "equivocation": 1])
        #expect(done.resolved == 3)
        #expect(
            try await test.text("SELECT group_concat(state) FROM effective_events")
                == "resolved,resolved,resolved"
        )
    }

    @Test("A copy that an origin left out is missing once the origin delivered after its window")
    func missing() async throws {
        let test = try await TestStore(settings: settings(Self.first), clock: ManualClock())
        try await test.ingest(event("0", "0"), from: "realtime")
        try await test.ingest(event("0", "0"), event("1", #"{"v":1}"#), from: "websocket")
        // The window is 15 minutes.
        test.clock.advance(seconds: 600)
        try await test.ingest(event("2", "2"), from: "realtime")
        #expect(try await test.store.reconcile().found == 0)
        test.clock.advance(seconds: 600)
        #expect(try await test.store.reconcile().found == 0, "nothing tells yet")
        try await test.ingest(event("3", "3"), from: "realtime")
        let done = try await test.store.reconcile()
        #expect(done.byKind == ["missing_at_origin": 1])
        #expect(
            try await kinds(test)
                == [[.text("missing_at_origin"), .text("1"), .text("realtime")]]
        )
        #expect(
            try await test.rows(
                "SELECT decision, policy, kind, event_id FROM resolution_trail"
            ) == [[.text("accept_missing"), .text("p"), .text("missing_at_origin"), .text("1")]]
        )
        #expect(
            try await test.text("SELECT state FROM effective_events WHERE event_id = '1'")
                == "recorded"
        )
        #expect(try await test.store.reconcile().found == 0)
        // It comes after all.
        try await test.ingest(event("1", #"{"v":1}"#), from: "realtime")
        let late = try await test.store.reconcile()
        #expect(late.byPolicy == ["late_arrival": 1])
        #expect(
            try await test.rows(
                "SELECT conflict_id, kind, policy, supersedes FROM resolution_trail WHERE resolution_id > 1"
            ) == [
                [.integer(1), .text("missing_at_origin"), .text("late_arrival"), .integer(1)],
                [.integer(2), .text("late_arrival"), .text("late_arrival"), .null],
            ]
        )
        #expect(late.open == 0)
        #expect(try await test.store.replayAudit().drifts == [])
        #expect(try await test.store.verify().isIntact)
    }

    @Test("A missing copy can exclude the event")
    func missingExcluded() async throws {
        let test = try await TestStore(
            settings: settings(#"{"use":"majority"},{"use":"quarantine"}"#),
            clock: ManualClock()
        )
        try await test.ingest(event("0", "0"), from: "realtime")
        try await test.ingest(event("0", "0"), event("1", #"{"v":1}"#), from: "websocket")
        test.clock.advance(seconds: 600)
        try await test.ingest(event("2", #"{"v":2}"#), from: "realtime")
        test.clock.advance(seconds: 600)
        try await test.ingest(event("2", #"{"v":2}"#), from: "websocket")
        try await test.ingest(event("3", #"{"v":3}"#), from: "realtime")
        #expect(try await test.store.reconcile().byKind == ["missing_at_origin": 1])
        #expect(
            try await test.text("SELECT group_concat(event_id) FROM effective_events") == "0,2,3"
        )
        #expect(try await test.projected().count == 3)
    }

    @Test(
        "An origin that delivers nothing opens one conflict for the whole span, not one for each event"
    )
    func silent() async throws {
        let test = try await TestStore(settings: settings(Self.first), clock: ManualClock())
        try await test.ingest(event("0", "0"), from: "realtime")
        for id in 1...20 {
            test.clock.advance(seconds: 60)
            try await test.ingest(event("\(id)", "1"), from: "websocket")
        }
        test.clock.advance(seconds: 1000)
        let done = try await test.store.reconcile()
        #expect(done.byKind == ["origin_silent": 1])
        #expect(done.open == 1, "only a person can tell")
        #expect(try await kinds(test) == [[.text("origin_silent"), .null, .text("realtime")]])
        #expect(try await test.store.reconcile().found == 0)
        // The origin comes back, and leaves out one event after that.
        try await test.ingest(event("30", "1"), from: "realtime")
        try await test.ingest(event("31", "1"), from: "websocket")
        test.clock.advance(seconds: 600)
        try await test.ingest(event("32", "1"), from: "realtime")
        test.clock.advance(seconds: 600)
        try await test.ingest(event("33", "1"), from: "realtime")
        #expect(try await test.store.reconcile().byKind["missing_at_origin"] == 1)
        #expect(
            try await test.text(
                "SELECT group_concat(event_id) FROM conflicts WHERE kind = 'missing_at_origin'"
            ) == "31"
        )
        try await test.store.resolve(
            ManualResolution(
                conflictID: 1,
                choice: .acceptMissing,
                actor: "ann",
                reason: "maintenance"
            )
        )
        #expect(try await test.store.reconcile().open == 0)
    }

    @Test("A silent span ends as a late arrival once every copy of it came, and not before")
    func silenceFilled() async throws {
        let test = try await TestStore(settings: settings(Self.first), clock: ManualClock())
        try await test.ingest(event("0", "0"), from: "realtime")
        for id in 1...5 {
            test.clock.advance(seconds: 60)
            try await test.ingest(event("\(id)", "{\"v\":\(id)}"), from: "websocket")
        }
        test.clock.advance(seconds: 1000)
        #expect(try await test.store.reconcile().byKind == ["origin_silent": 1])
        // It comes back with what is new, and brings the rest later, the newest first.
        try await test.ingest(event("6", #"{"v":6}"#), from: "realtime")
        for id in [5, 4, 2, 1] {
            try await test.ingest(event("\(id)", "{\"v\":\(id)}"), from: "realtime")
            let done = try await test.store.reconcile()
            #expect(done.resolved == 0 && done.open == 1, "event 3 is still missing")
        }
        try await test.ingest(event("3", #"{"v":3}"#), from: "realtime")
        var dry = ReconcileOptions()
        dry.isDryRun = true
        let predicted = try await test.store.reconcile(dry)
        let late = try await test.store.reconcile()
        #expect(late.byPolicy == ["late_arrival": 1])
        #expect(late.open == 0)
        #expect(late.decisionsDigest == predicted.decisionsDigest)
        #expect(
            try await kinds(test) == [
                [.text("origin_silent"), .null, .text("realtime")],
                [.text("late_arrival"), .null, .text("realtime")],
            ]
        )
        #expect(
            try await test.rows(
                """
                SELECT t.conflict_id, t.decision, t.policy, a.kind
                FROM resolution_trail AS t
                JOIN audit_trail AS a ON a.audit_sequence = t.audit_sequence
                ORDER BY t.resolution_id
                """
            )
                == [1, 2].map {
                    [
                        .integer($0), .text("accept_missing"), .text("late_arrival"),
                        .text("resolution"),
                    ]
                }
        )
        // Nothing changes at any position.
        #expect(
            try await test.text("SELECT group_concat(DISTINCT state) FROM effective_events")
                == "recorded"
        )
        #expect(try await test.projected().count == 7)
        #expect(try await test.store.reconcile().found == 0)
        #expect(try await test.store.replayAudit().drifts == [])
        #expect(try await test.store.verify().isIntact)
    }

    @Test("Derived tables that were emptied are filled again, and no conflict is opened twice")
    func emptied() async throws {
        let test = try await TestStore(settings: settings(Self.first), clock: ManualClock())
        try await test.ingest(event("0", "0"), from: "realtime")
        try await test.ingest(
            event("1", "1", more: #","sequence":"1""#),
            event("2", "1", more: #","sequence":"4""#),
            event("3", "1", more: #","sequence":"4""#),
            from: "websocket"
        )
        test.clock.advance(seconds: 1000)
        let done = try await test.store.reconcile()
        #expect(
            done.byKind == ["origin_silent": 1, "sequence_gap": 1, "sequence_collision": 1]
        )
        let conflicts = try await test.rows("SELECT * FROM conflicts")
        let derived = try await test.rows("SELECT * FROM tally_silences")
        let tables = try await test.rows(
            "SELECT name FROM sqlite_schema WHERE name LIKE 'tally@_%' ESCAPE '@' AND type = 'table'"
        )
        for table in tables.flatMap(\.self) {
            guard case .text(let name) = table else { continue }
            try test.tamper("DELETE FROM \(name)")
        }
        for _ in 1...2 { _ = try await test.store.reconcile() }
        #expect(try await test.rows("SELECT * FROM conflicts") == conflicts)
        #expect(try await test.rows("SELECT * FROM tally_silences") == derived)
    }

    @Test(
        "Where the deliveries alone were emptied, or more was looked at than there is, nothing is overlooked",
        arguments: ["DELETE FROM tally_deliveries", "UPDATE tally_scans SET last = 99999"]
    )
    func emptiedAlone(_ damage: String) async throws {
        func found(after damage: String?) async throws -> [String: Int64] {
            let test = try await TestStore(settings: settings(Self.first), clock: ManualClock())
            for origin in ["websocket", "realtime"] {
                try await test.ingest(event("0", "0"), from: origin)
            }
            _ = try await test.store.reconcile()
            try await test.ingest(event("1", "1"), event("2", "1"), from: "websocket")
            _ = try await test.store.reconcile()
            if let damage { try test.tamper(damage) }
            test.clock.advance(seconds: 1000)
            try await test.ingest(event("8", "1"), from: "realtime")
            return try await test.store.reconcile().byKind.mapValues { Int64($0) }
        }
        let whole = try await found(after: nil)
        #expect(!whole.isEmpty)
        #expect(try await found(after: damage) == whole)
    }

    @Test(
        "Numbers that a source leaves out are a gap, until they come; a number given twice collides"
    )
    func sequences() async throws {
        let test = try await TestStore(settings: settings(Self.first), clock: ManualClock())
        func numbered(_ id: String, _ number: String) -> String {
            event(id, "1", more: ",\"sequence\":\"\(number)\"")
        }
        try await test.ingest(
            numbered("a", "1"),
            numbered("b", "2"),
            numbered("c", "6"),
            from: "websocket"
        )
        #expect(try await test.store.reconcile().found == 0, "the window is open")
        test.clock.advance(seconds: 1000)
        let gap = try await test.store.reconcile()
        #expect(gap.byKind == ["sequence_gap": 1])
        #expect(gap.open == 1)
        #expect(
            try await test.rows(
                "SELECT source, detail ->> 'first', detail ->> 'last' FROM conflicts"
            )
                == [[.text("/s"), .integer(3), .integer(5)]]
        )
        try await test.ingest(numbered("d", "4"), from: "websocket")
        #expect(try await test.store.reconcile().open == 1)
        try await test.ingest(numbered("e", "3"), numbered("f", "5"), from: "websocket")
        let filled = try await test.store.reconcile()
        #expect(filled.byPolicy == ["late_arrival": 1])
        #expect(filled.open == 0)
        try await test.ingest(numbered("g", "2"), from: "websocket")
        let collision = try await test.store.reconcile()
        #expect(collision.byKind == ["sequence_collision": 1])
        #expect(
            try await test.rows(
                "SELECT event_id, detail ->> 'other_position' FROM conflicts WHERE kind = 'sequence_collision'"
            ) == [[.text("g"), .integer(2)]]
        )
        #expect(collision.open == 1)
        #expect(try await test.store.replayAudit().drifts == [])
    }

    @Test(
        "Whether an event's copies are compared is decided by the settings in force when it was recorded"
    )
    func gating() async throws {
        let test = try await TestStore(
            settings: settings(Self.first, category: #","percentage":0"#),
            clock: ManualClock()
        )
        try await test.ingest(event("1", "1"), from: "websocket")
        let report = try await test.ingest(event("1", "2"), from: "realtime")
        #expect(report.outcomes.conflicting == 1)
        #expect(try await test.store.reconcile().found == 0)
        #expect(try await test.text("SELECT count(*) FROM conflicts") == "0")
        #expect(try await test.text("SELECT count(*) FROM copies WHERE content IS NOT NULL") == "1")
        #expect(try await test.text("SELECT state FROM effective_events") == "recorded")
    }

    @Test("A candidate that was changed on disk is never taken")
    func tampered() async throws {
        let test = try await TestStore(
            settings: settings(#"{"use":"origin_priority"}"#),
            clock: ManualClock()
        )
        try await test.ingest(event("1", #"{"v":1}"#), from: "realtime")
        try await test.ingest(event("1", #"{"v":2}"#), from: "websocket")
        try test.tamper("UPDATE copies SET content = replace(content, '\"v\":2', '\"v\":3')")
        let store = test.store
        #expect(await failureCode { _ = try await store.reconcile() } == .integrity)
        #expect(try await test.text("SELECT state FROM effective_events") == "disputed")
        #expect(try await test.store.reconciliationStatus()?.state == .failed)
    }

    @Test(
        "Feeds that differ in time format and enrichment have no conflict once settings ignore these"
    )
    func ignored() async throws {
        let test = try await TestStore(
            settings: settings(
                Self.first,
                more: #","compare":{"ignore_data":["/enriched"],"ignore_attributes":["region"]}"#
            ),
            clock: ManualClock()
        )
        for id in 0..<20 {
            try await test.ingest(
                event("\(id)", #"{"v":1}"#, time: "2026-03-01T10:00:00Z"),
                from: "websocket"
            )
            let report = try await test.ingest(
                event(
                    "\(id)",
                    "{\"v\":1,\"enriched\":{\"geo\":\(id)}}",
                    time: "2026-03-01T11:00:00.000+01:00",
                    more: ",\"region\":\"eu\""
                ),
                from: "realtime"
            )
            #expect(report.outcomes.confirmed == 1)
        }
        let done = try await test.store.reconcile()
        #expect(done.found == 0)
        #expect(done.open == 0)
        #expect(try await test.text("SELECT count(*) FROM conflicts") == "0")
    }

    @Test("A clock that jumps back a day delays findings, and makes none")
    func clock() async throws {
        let test = try await TestStore(settings: settings(Self.first), clock: ManualClock())
        try await test.ingest(event("0", "0"), from: "realtime")
        try await test.ingest(event("0", "0"), event("1", "1"), from: "websocket")
        test.clock.advance(seconds: 600)
        try await test.ingest(event("2", "2"), from: "realtime")
        test.clock.advance(seconds: -86_400)
        #expect(try await test.store.reconcile().found == 0)
        try await test.ingest(event("3", "3"), from: "websocket")
        #expect(try await test.store.reconcile().found == 0)
        test.clock.advance(seconds: 86_400 + 600)
        try await test.ingest(event("4", "4"), from: "realtime")
        let done = try await test.store.reconcile()
        #expect(done.byKind["missing_at_origin"] == 1)
        #expect(
            try await test.text(
                "SELECT event_id FROM conflicts WHERE kind = 'missing_at_origin'"
            ) == "1"
        )
        #expect(try await test.store.verify().isIntact)
    }
}
