import Foundation
import Tallystick
import TallystickSQLite
import TallystickTestSupport
import Testing

@Suite("Views for people")
struct ViewTests {
    /// The contract: names and order.
    private static let contract: [(view: String, columns: String)] = [
        (
            "event_log",
            "position, source, event_id, stream, revision, type, category, origin, subject, time, time_utc, recorded_at, data_content_type, data, attributes, checksum_algorithm, checksum_key_id, checksum, copies, conflict_id"
        ),
        (
            "effective_events",
            "position, state, source, event_id, stream, revision, type, category, origin, subject, time, time_utc, recorded_at, data_content_type, data, attributes, checksum_algorithm, checksum, resolution_id"
        ),
        (
            "open_conflicts",
            "conflict_id, kind, severity, category, position, source, event_id, stream, type, origins, candidates, differs_in, opened_at, age_seconds, policy, blocked_by"
        ),
        (
            "resolution_trail",
            "resolution_id, decided_at, conflict_id, kind, position, source, event_id, stream, category, policy, policy_version, configuration_version, decision, winner_origin, tie_break, actor, reason, checksum_before, checksum_after, provenance, supersedes, superseded_by, audit_sequence"
        ),
        (
            "replay_status",
            "replay, projection_version, target, status, position, head, behind, percent, events_per_second, eta_seconds, parked, out_of_order_since, digest, applied_digest, resolution_watermark, last_error, started_at, updated_at"
        ),
    ]

    @Test("Views have the contract's columns, in its order", arguments: contract.map(\.view))
    func columns(_ view: String) async throws {
        let made = try await TestStore()
        let connection = try Connection(path: made.path, mode: .readOnly)
        let statement = try connection.prepare("SELECT * FROM \(view)")
        let names = (0..<statement.columnCount).map { statement.columnName(at: $0) }
        let expected = Self.contract.first { $0.view == view }?.columns
        #expect(names.joined(separator: ", ") == expected)
    }

    private func plan(_ sql: String, on connection: Connection) throws -> [String] {
        let rows = try connection.prepare("EXPLAIN QUERY PLAN " + sql)
        var steps: [String] = []
        while try rows.step() { steps.append(rows.text(at: 3)) }
        return steps
    }

    @Test(
        "Searches use an index through the views: no table is read whole, and nothing is sorted",
        arguments: ["event_log", "effective_events"],
        [
            "WHERE event_id = 'x'", "WHERE source = 's' AND event_id = 'x'",
            "WHERE stream = 's' ORDER BY revision",
            "WHERE stream = 's' ORDER BY revision DESC LIMIT 5",
            "WHERE stream = 's' AND revision > 3 ORDER BY revision LIMIT 10", "WHERE position = 5",
            "WHERE position > 100 ORDER BY position LIMIT 10", "WHERE position > 100",
            "WHERE position BETWEEN 10 AND 20 ORDER BY position DESC",
        ]
    )
    func plans(_ view: String, _ search: String) async throws {
        let made = try await TestStore()
        let connection = try Connection(path: made.path, mode: .readOnly)
        let steps = try plan("SELECT * FROM \(view) \(search)", on: connection)
        #expect(!steps.isEmpty)
        #expect(
            steps.allSatisfy { !$0.hasPrefix("SCAN") && !$0.contains("TEMP B-TREE") },
            "\(steps)"
        )
    }

    @Test(
        "The newest events are the first that are read",
        arguments: ["event_log", "effective_events"]
    )
    func newest(_ view: String) async throws {
        let made = try await TestStore()
        let connection = try Connection(path: made.path, mode: .readOnly)
        let steps = try plan(
            "SELECT * FROM \(view) ORDER BY position DESC LIMIT 10",
            on: connection
        )
        // A scan backwards that ends after ten rows: of the log alone, and without a sorter.
        #expect(steps.filter { $0.hasPrefix("SCAN") } == ["SCAN e"], "\(steps)")
        #expect(steps.allSatisfy { !$0.contains("TEMP B-TREE") }, "\(steps)")
    }

    @Test("Times are RFC 3339 in UTC, digests lower-case hexadecimal")
    func formats() async throws {
        let made = try await TestStore()
        try await made.ingest(
            #"{"specversion":"1.0","id":"1","source":"/s","type":"error","time":"2026-03-01T12:00:00+02:00","data":1}"#,
            from: "a"
        )
        let row = try #require(
            try await made.rows("SELECT time, time_utc, recorded_at, checksum FROM event_log").first
        )
        #expect(row[0] == .text("2026-03-01T12:00:00+02:00"))
        #expect(row[1] == .text("2026-03-01T10:00:00.000Z"))
        guard case .text(let recorded) = row[2], case .text(let checksum) = row[3] else {
            Issue.record("times and digests are text")
            return
        }
        #expect(recorded.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil)
        #expect(checksum.wholeMatch(of: /[0-9a-f]{64}/) != nil)
    }
}
