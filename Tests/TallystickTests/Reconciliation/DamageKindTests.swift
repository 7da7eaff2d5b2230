import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Conflicts over stored records that failed a proof, from stored copies to audit row, decision and effective event.
@Suite("Conflicts over damaged records")
struct DamageKindTests {
    private static let first = #"{"use":"first_write_wins"}"#

    @Test(
        "A record that was found changed at rest is a conflict of its own, which quarantine excludes"
    )
    func atRest() async throws {
        for (chain, open) in [(Self.first, 1), (#"{"use":"quarantine"}"#, 0)] {
            let test = try await TestStore(settings: settings(chain), clock: ManualClock())
            try await test.ingest(
                event("1", #"{"v":1}"#),
                event("2", #"{"v":2}"#),
                from: "websocket"
            )
            // As a replay records it when an event does not have its checksum.
            try test.tamper(
                """
                INSERT INTO mismatches (mismatch_id, audit_sequence, kind, severity, position, algorithm, expected, actual)
                VALUES (1, 1, 'replay', 'low', 2, 'crc32', '00', '01')
                """
            )
            let done = try await test.store.reconcile()
            #expect(done.byKind == ["tampered_at_rest": 1])
            #expect(done.open == Int64(open))
            #expect(try await test.store.reconcile().found == 0)
            #expect(
                try await test.text("SELECT group_concat(event_id) FROM effective_events")
                    == (open == 1 ? "1,2" : "1")
            )
        }
    }

    @Test(
        "A checksum whose key the store never knew makes its event unverifiable, which quarantine excludes"
    )
    func unverifiable() async throws {
        for (chain, isOpen) in [(Self.first, true), (#"{"use":"quarantine"}"#, false)] {
            let test = try await TestStore(settings: settings(chain), clock: ManualClock())
            for origin in ["websocket", "realtime"] {
                try await test.ingest(
                    event("1", #"{"v":1}"#),
                    event("2", #"{"v":2}"#),
                    from: origin
                )
            }
            #expect(try await test.projected().count == 2)
            try test.tamper(
                """
                UPDATE events
                SET checksum_algorithm = 'hmac-sha256', checksum_key_id = 'k9', checksum = randomblob(32)
                WHERE position = 2
                """
            )
            let verified = try await test.store.verify()
            #expect(verified.findings.map(\.finding) == [.key])
            #expect(
                try await test.rows("SELECT kind, algorithm, expected, actual FROM mismatches") == [
                    ["at_rest", "hmac-sha256", "a key of the store", "k9"].map { .text($0) }
                ]
            )
            let done = try await test.store.reconcile()
            #expect(done.byKind == ["unverifiable": 1])
            #expect(done.open == (isOpen ? 1 : 0))
            #expect(try await test.store.reconcile().found == 0)
            #expect(
                try await test.rows(
                    """
                    SELECT c.kind, c.position, c.event_id, a.kind
                    FROM conflicts AS c
                    JOIN audit_trail AS a ON a.audit_sequence = c.audit_sequence
                    """
                ) == [[.text("unverifiable"), .integer(2), .text("2"), .text("conflict")]]
            )
            if isOpen {
                try await test.store.resolve(
                    ManualResolution(
                        conflictID: 1,
                        choice: .exclude,
                        actor: "ann",
                        reason: "nobody can tell"
                    )
                )
            }
            #expect(
                try await test.rows("SELECT decision, policy, kind FROM resolution_trail")
                    == [
                        ["exclude", isOpen ? "manual" : "p", "unverifiable"].map { .text($0) }
                    ]
            )
            #expect(
                try await test.text("SELECT group_concat(event_id) FROM effective_events") == "1"
            )
            #expect(try await test.projected() == [[.text("1"), .text("1")]])
        }
    }

    @Test("An event that was changed together with its key is tampered with, not unverifiable")
    func changedWithKey() async throws {
        let test = try await TestStore(settings: settings(Self.first), clock: ManualClock())
        try await test.ingest(event("1", #"{"v":1}"#), from: "websocket")
        try test.tamper(
            """
            UPDATE events
            SET checksum_algorithm = 'hmac-sha256', checksum_key_id = 'k9', checksum = randomblob(32),
                data = '{"v":2}'
            """
        )
        _ = try await test.store.verify()
        #expect(try await test.store.reconcile().byKind == ["tampered_at_rest": 1])
    }
}
