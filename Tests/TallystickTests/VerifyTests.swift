import Foundation
import Tallystick
import TallystickCore
import Testing

@Suite("Verify")
struct VerifyTests {
    private func filled() async throws -> TestStore {
        let test = try await TestStore()
        for origin in ["websocket", "realtime"] {
            try await test.store.ingest(
                .file(Fixture.path("events/\(origin).ndjson")),
                from: origin
            )
        }
        try await test.store.ingest(.file(Fixture.path("events/malformed.ndjson")), from: "poll")
        try await test.store.resolve(
            ManualResolution(
                conflictID: 1,
                choice: .take(origin: "realtime"),
                actor: "me",
                reason: "right"
            )
        )
        return test
    }

    @Test(
        "A change of any proved row or tile is found and named",
        arguments: [
            ("UPDATE events SET data = replace(data, 'a', 'b') WHERE position = 300", "events 300"),
            ("UPDATE events SET subject = 'x' WHERE position = 5", "events 5"),
            (
                "UPDATE events SET time = '2026-01-01T00:00:00Z' WHERE position = 2100",
                "events 2100"
            ),
            ("UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 2", "events 2"),
            ("UPDATE events SET checksum = x'00000000' WHERE position = 9", "events 9"),
            ("UPDATE events SET checksum_algorithm = 'md5' WHERE position = 9", "events 9"),
            ("UPDATE events SET origin_id = 2 WHERE position = 12", "events 12"),
            (
                "UPDATE events SET category_id = 1 + category_id % 5 WHERE position = 13",
                "events 13"
            ),
            ("UPDATE events SET type_id = type_id + 1 WHERE position = 14", "events 14"),
            (
                "UPDATE events SET delivery_attributes = '{\"traceparent\":\"x\"}' WHERE position = 15",
                "events 15"
            ),
            ("UPDATE events SET attributes = '{\"zz\":\"1\"}' WHERE position = 16", "events 16"),
            ("UPDATE events SET event_id = 'other' WHERE position = 17", "events 17"),
            ("UPDATE events SET revision = revision + 1000 WHERE position = 18", "events 18"),
            ("DELETE FROM events WHERE position = 1000", "events 1000"),
            (
                "UPDATE streams SET name = 'x' WHERE stream_id = (SELECT stream_id FROM events WHERE position = 20)",
                "events 20"
            ),
            (
                "UPDATE merkle_tiles SET hashes = zeroblob(8192) WHERE log = 'events' AND level = 0 AND tile = 1",
                "merkle_tiles events/0/1"
            ),
            (
                "UPDATE merkle_tail SET hash = zeroblob(32) WHERE log = 'events' AND leaf_index = (SELECT max(leaf_index) FROM merkle_tail WHERE log = 'events')",
                "events 2"
            ),
            (
                "DELETE FROM merkle_tiles WHERE log = 'events' AND level = 0 AND tile = 2",
                "merkle_tiles events/0/2"
            ),
            (
                "DELETE FROM event_identities WHERE position = 44",
                "event_identities for position 44"
            ),
            (
                "UPDATE stream_revisions SET position = position + 1 WHERE position = 45",
                "stream_revisions for position 45"
            ),
            ("UPDATE copies SET content_sha256 = zeroblob(32) WHERE copy_id = 3", "copies 3"),
            (
                "UPDATE copies SET content = '{}' WHERE copy_id = (SELECT min(copy_id) FROM copies WHERE content IS NOT NULL)",
                "copies"
            ),
            ("UPDATE copies SET agreement = 'conflicting' WHERE copy_id = 4", "copies 4"),
            ("DELETE FROM copies WHERE copy_id = 10", "copies 10"),
            ("UPDATE audit_trail SET actor = 'nobody' WHERE audit_sequence = 2", "audit_trail 2"),
            ("UPDATE mismatches SET expected = 'x' WHERE mismatch_id = 1", "audit_trail"),
            ("UPDATE conflicts SET severity = 'low2' WHERE conflict_id = 1", "audit_trail"),
            ("UPDATE conflict_candidates SET origin = 'x' WHERE candidate_id = 1", "audit_trail"),
            ("UPDATE resolutions SET reason = 'another' WHERE resolution_id = 1", "audit_trail"),
            ("UPDATE resolutions SET content = '[]' WHERE resolution_id = 1", "audit_trail"),
            ("UPDATE configurations SET content = '{ }' WHERE version = 1", "audit_trail 1"),
            ("UPDATE quarantine SET content = x'00' WHERE quarantine_id = 1", "audit_trail"),
            ("DELETE FROM quarantine WHERE quarantine_id = 2", "audit_trail"),
            ("INSERT INTO keys VALUES (1, 3, 'k', 'hmac-sha256', 'f', 'active')", "audit_trail 3"),
            ("INSERT INTO keys VALUES (1, 999999, 'k', 'hmac-sha256', 'f', 'active')", "keys 1"),
            ("DELETE FROM audit_trail WHERE audit_sequence = 5", "audit_trail 5"),
        ]
    )
    func changes(_ sql: String, _ record: String) async throws {
        let test = try await filled()
        #expect(try await test.store.verify().isIntact)
        try test.tamper(sql)
        let report = try await test.store.verify()
        #expect(!report.isIntact, "\(sql)")
        #expect(
            report.findings.contains { $0.record.hasPrefix(record) },
            "\(sql): \(report.findings.prefix(3).map(\.record))"
        )
        await test.store.close()
    }

    @Test("A damaged position, however large, makes no verification endless")
    func hugePosition() async throws {
        let test = try await filled()
        try test.tamper(
            "UPDATE events SET position = 9000000000000000000 WHERE position = (SELECT max(position) FROM events)"
        )
        let report = try await test.store.verify()
        #expect(report.isComplete)
        #expect(!report.isIntact)
        #expect(report.findings.allSatisfy { !$0.record.hasPrefix("identity_segments") })
        await test.store.close()
    }

    @Test("The independent program agrees with an intact store and with a damaged one")
    func independent() async throws {
        let test = try await filled()
        #expect(try recompute(test.path) == 0)
        try test.tamper("UPDATE events SET data = '{}' WHERE position = 77")
        #expect(try recompute(test.path) == 2)
        await test.store.close()
    }

    private func recompute(_ path: String) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", Fixture.root.appending(path: "Tests/Independent/recompute.py").path, path,
        ]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    @Test("A verification that runs out of time says what it left out, and goes on from its cursor")
    func timeBox() async throws {
        let test = try await filled()
        var options = VerifyOptions()
        options.duration = .zero
        let stopped = try await test.store.verify(options)
        #expect(!stopped.isComplete)
        #expect(stopped.notChecked.contains { $0.what == "events" && $0.records > 0 })
        options.duration = nil
        options.cursor = stopped.cursor
        let whole = try await test.store.verify(options)
        #expect(whole.isIntact)
        #expect(whole.isComplete)
        await test.store.close()
    }
}
