import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("The built-in map of monitoring records")
struct MonitoringMapTests {
    private let folder: TemporaryFolder
    private let store: EventStore

    init() async throws {
        folder = try TemporaryFolder()
        store = try await EventStore.create(at: folder.file("store.db"))
    }

    private func ingest(_ lines: [String], from origin: String = "a") async throws -> IngestReport {
        var options = IngestOptions()
        options.mapping = .monitoring
        let bytes = Array(lines.joined(separator: "\n").utf8)
        return try await store.ingest(.bytes(bytes, named: "lines"), from: origin, options: options)
    }

    private func events() async throws -> [StoredEvent] {
        var events: [StoredEvent] = []
        for try await event in store.events() { events.append(event) }
        return events
    }

    private func record(_ sequence: Int, _ minute: Int, _ more: String = "") -> String {
        """
        {"event_type":"health_check","timestamp":"2025-09-15T08:0\(minute):00","source":"agent",\
        "data":{"n":1},"sequence_id":\(sequence)\(more)}
        """
    }

    @Test("A counter that restarts with its process does not make two events one")
    func restart() async throws {
        let before = (0..<5).map { record($0, 1) }
        let after = (0..<5).map { record($0, 2) }
        let report = try await ingest(before + after)
        #expect(report.outcomes.appended == 10)
        #expect(report.outcomes.conflicting == 0)
        #expect(try await ingest(before + after).outcomes.duplicate == 10)
        let ids = try await events().map(\.id)
        #expect(ids.first == "0@2025-09-15T08:01:00")
        #expect(Set(ids).count == 10)
        let done = try await store.reconcile()
        #expect(done.found == 0, "a counter that restarts has neither gaps nor collisions")
    }

    @Test("An id in the metadata goes before the counter; a record with neither has no identity")
    func identity() async throws {
        let report = try await ingest([
            record(1, 1, #","metadata":{"event_id":"e-1"}"#), record(1, 2, #","metadata":{}"#),
            #"{"event_type":"t","timestamp":1757923200.5,"source":"agent","sequence_id":"7"}"#,
            #"{"event_type":"t","timestamp":1757923200,"source":"agent"}"#,
            #"{"event_type":"t","source":"agent","sequence_id":7}"#,
        ])
        #expect(report.outcomes.appended == 3)
        #expect(report.outcomes.quarantined == 2)
        #expect(
            try await events().map(\.id) == ["e-1", "1@2025-09-15T08:02:00", "7@1757923200.5"]
        )
    }

    @Test("Metadata and the checksum of the sender stay with the event")
    func metadata() async throws {
        _ = try await ingest([
            record(1, 1, #","checksum":"abc","metadata":{"b":"ü","a":[1,2.50]}"#),
            record(2, 1, #","checksum":null,"metadata":{}"#),
        ])
        let attributes = try await events().map(\.attributes)
        let first = try #require(attributes[0])
        #expect(
            first.contains(#""declaredchecksum":"abc","metadata":"{\"a\":[1,2.5],\"b\":\"ü\"}""#)
        )
        #expect(first.contains(#""sequenceid":"1""#))
        #expect(attributes[1] == #"{"sequenceid":"2"}"#)
    }
}
