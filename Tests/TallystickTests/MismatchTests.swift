import Logging
import Metrics
import MetricsTestKit
import Synchronization
import TallystickCore
import TallystickTestSupport
import Testing

@testable import Tallystick

/// Every kind of mismatch is on record, told by its severity, and counted into rates.
@Suite("Mismatches")
struct MismatchTests {
    private static func event(
        _ id: String,
        _ value: Int,
        type: String = "plain",
        _ more: String = ""
    ) -> String {
        eventLine(id, source: "/test", type: type, more: more, data: #"{"value":\#(value)}"#)
    }

    private func mismatches(_ test: TestStore) async throws -> [[SQLValue]] {
        try await test.rows(
            "SELECT kind, severity, category, origin, position FROM mismatches ORDER BY mismatch_id"
        )
    }

    @Test(
        "A declared checksum that fails is a mismatch in transit, with the category the event would have"
    )
    func transit() async throws {
        let test = try await TestStore()
        try await test.ingest(
            Self.event("1", 1, type: "error", #","checksum":"00000000""#),
            from: "left"
        )
        #expect(
            try await mismatches(test) == [
                [.text("transit"), .text("critical"), .text("critical"), .text("left"), .null]
            ]
        )
    }

    @Test(
        "An event that fails when a writer verifies is on record as at rest, once, and never by a reader"
    )
    func atRest() async throws {
        let test = try await TestStore()
        for index in 1...3 { try await test.ingest(Self.event("\(index)", 1), from: "left") }
        try test.tamper("UPDATE events SET data = '{\"value\":7}' WHERE position = 2")
        try test.tamper("UPDATE events SET recorded_at = 5 WHERE position = 3")
        var options = StoreOptions()
        options.access = .readOnly
        let reader = try await EventStore.open(at: test.path, options: options)
        #expect(try await reader.verify().findingCount == 3)
        #expect(try await mismatches(test).isEmpty)
        let expected: [[SQLValue]] = [
            [.text("at_rest"), .text("low"), .text("system"), .text("left"), .integer(2)],
            [.text("at_rest"), .text("low"), .text("system"), .text("left"), .integer(3)],
        ]
        for _ in 1...2 {
            #expect(try await test.store.verify().findingCount == 3)
            #expect(try await mismatches(test) == expected)
        }
        #expect(
            try await test.rows("SELECT algorithm FROM mismatches ORDER BY mismatch_id")
                == [[.text("crc32")], [.text("leaf")]]
        )
    }

    @Test("A copy that is compared with a damaged event tells of the damage, and is kept")
    func comparison() async throws {
        let test = try await TestStore()
        try await test.ingest(Self.event("1", 1), from: "left")
        try test.tamper("UPDATE events SET data = '{\"value\":7}' WHERE position = 1")
        let report = try await test.ingest(Self.event("1", 1), from: "right")
        #expect(report.outcomes.conflicting == 1)
        try await test.ingest(Self.event("1", 2), from: "right")
        #expect(
            try await test.rows("SELECT kind FROM mismatches ORDER BY mismatch_id")
                == [[.text("at_rest")], [.text("copy")], [.text("copy")]]
        )
    }

    @Test("An event that a replay refuses is on record, once")
    func replay() async throws {
        let test = try await TestStore()
        for index in 1...3 { try await test.ingest(Self.event("\(index)", 1), from: "left") }
        try test.tamper("UPDATE events SET data = '{\"value\":7}' WHERE position = 2")
        let projection = Array(
            """
            -- tally:projection counts
            -- tally:version 1
            -- tally:setup
            CREATE TABLE counts (n INTEGER) STRICT;
            -- tally:on *
            INSERT INTO counts VALUES (:position);
            """.utf8
        )
        for _ in 1...2 {
            let code = await failureCode {
                _ = try await test.store.replay(projection: projection)
            }
            #expect(code == .integrity)
        }
        #expect(
            try await mismatches(test) == [
                [.text("replay"), .text("low"), .text("system"), .text("left"), .integer(2)]
            ]
        )
    }

    @Test(
        "Rates are per origin and category, over a window, against the origin's or category's threshold"
    )
    func rates() async throws {
        let test = try await TestStore(
            settings: #"{"origins": {"right": {"mismatch_threshold": 0.5}}}"#
        )
        var options = StoreOptions()
        let shared = SharedClock()
        options.clock = { shared.now }
        let store = try await EventStore.open(at: test.path, options: options)
        func ingest(_ lines: [String], _ origin: String) async throws {
            try await store.ingest(
                .bytes(Array(lines.joined(separator: "\n").utf8), named: "lines"),
                from: origin
            )
        }
        try await ingest((1...4).map { Self.event("old\($0)", 1) }, "left")
        try await ingest((1...4).map { Self.event("old\($0)", 2) }, "right")
        shared.advance(seconds: 7200)
        try await ingest((1...10).map { Self.event("\($0)", 1) }, "left")
        try await ingest((1...10).map { Self.event("\($0)", $0 <= 4 ? 2 : 1) }, "right")
        try await ingest([Self.event("t", 1, #","checksum":"00000000""#)], "left")
        let hour = try await store.statistics(window: .seconds(3600)).rates
        #expect(hour.map(\.origin) == ["left", "right"])
        #expect(hour.map(\.category) == ["system", "system"])
        #expect(hour.map(\.deliveries) == [11, 10])
        #expect(hour.map(\.mismatches) == [1, 4])
        #expect(hour.map(\.threshold) == [0.02, 0.5])
        #expect(hour.map(\.isExceeded) == [true, false])
        let day = try await store.statistics(window: .seconds(86_400)).rates
        #expect(day.map(\.deliveries) == [15, 14])
        #expect(day.map(\.mismatches) == [1, 8])
        #expect(day.map(\.isExceeded) == [true, true])
        await store.close()
    }

    @Test(
        "A clock that jumps back a day breaks nothing: decisions, settings, rates and ages stay sane"
    )
    func clockJumpsBack() async throws {
        let test = try await TestStore()
        let shared = SharedClock()
        var options = StoreOptions()
        options.clock = { shared.now }
        let store = try await EventStore.open(at: test.path, options: options)
        func ingest(_ value: Int, _ origin: String) async throws {
            let line = Array(Self.event("1", value).utf8)
            try await store.ingest(.bytes(line, named: "line"), from: origin)
        }
        try await ingest(1, "left")
        try await ingest(2, "right")
        shared.advance(seconds: -86_400)
        try await store.resolve(
            ManualResolution(conflictID: 1, choice: .take(origin: "right"), actor: "a", reason: "r")
        )
        try await store.reopen(conflict: 1, actor: "a", reason: "r")
        try await store.apply(
            settings: Array(#"{"default_category": "debug"}"#.utf8),
            actor: "a",
            reason: "r"
        )
        let statistics = try await store.statistics()
        #expect(statistics.openMetrics.contains("tallystick_oldest_open_conflict_age_seconds 0\n"))
        #expect(statistics.rates.allSatisfy { (0...1).contains($0.rate) })
        #expect(store.settingsInForce.defaultCategory == "debug")
        #expect(
            try await test.rows("SELECT count(*) FROM open_conflicts WHERE age_seconds >= 0")
                == [[.integer(1)]]
        )
        #expect(try await store.verify().isIntact)
        await store.close()
    }

    @Test(
        "What is found is logged once a batch and sort, at the level of its severity, without contents"
    )
    func logs() async throws {
        let test = try await TestStore()
        let recorder = RecordingHandler.Lines()
        var options = StoreOptions()
        options.logger = Logger(label: "test") { _ in RecordingHandler(recorder) }
        // A batch stays in one transaction, however slow the machine is.
        options.writerLimits.transactionMicroseconds = 600_000_000
        let store = try await EventStore.open(at: test.path, options: options)
        for (value, origin) in [(1, "left"), (2, "right")] {
            let lines = ["error", "cache", "session", "plain"].flatMap { type in
                ["1", "2"].map { Self.event(type + $0, value, type: type) }
            }
            try await store.ingest(
                .bytes(Array(lines.joined(separator: "\n").utf8), named: "lines"),
                from: origin
            )
        }
        let mismatches = recorder.all.filter { $0.message == "checksums do not match" }
        #expect(
            Set(mismatches.map { "\($0.level) \($0.metadata["category"] ?? "")" }) == [
                "critical critical", "error performance", "warning user_activity", "notice system",
            ]
        )
        #expect(mismatches.allSatisfy { $0.metadata["count"] == "2" })
        #expect(recorder.all.count { $0.message == "conflict opened" } == 4)
        #expect(!recorder.all.contains { "\($0)".contains("\"value\"") })
        try await store.resolve(
            ManualResolution(conflictID: 1, choice: .exclude, actor: "a", reason: "r")
        )
        #expect(recorder.all.last?.message == "conflict resolved")
        #expect(recorder.all.last?.level == .info)
        await store.close()
    }

    @Test("Nothing is logged unless the program sets swift-log up")
    func silence() {
        #expect(StoreOptions().logger.handler is SwiftLogNoOpLogHandler)
    }

    @Test("Outcomes, conflicts, replays and verifications are counted by swift-metrics")
    func metrics() async throws {
        let metrics = RecordedMetrics.shared
        let test = try await TestStore()
        let origin = "metrics-left"
        try await test.ingest(Self.event("1", 1), Self.event("2", 1), from: origin)
        try await test.ingest(Self.event("1", 2), Self.event("2", 1), "x", from: "metrics-right")
        func outcomes(_ origin: String, _ outcome: String) throws -> Int64 {
            try metrics.expectCounter(
                "tallystick_ingest_outcomes",
                [("origin", origin), ("outcome", outcome)]
            ).totalValue
        }
        #expect(try outcomes(origin, "appended") == 2)
        #expect(try outcomes("metrics-right", "conflicting") == 1)
        #expect(try outcomes("metrics-right", "confirmed") == 1)
        #expect(try outcomes("metrics-right", "quarantined") == 1)
        let labels = [
            ("kind", "payload_differs"), ("severity", "low"), ("category", "system"),
            ("origin", "metrics-right"),
        ]
        #expect(try metrics.expectCounter("tallystick_conflicts_opened", labels).totalValue == 1)
        let timer = try metrics.expectTimer(
            "tallystick_ingest_batch_duration",
            [("origin", origin)]
        )
        #expect(timer.values.count == 1)
        _ = try await test.store.verify()
        #expect(!(try metrics.expectTimer("tallystick_verify_duration")).values.isEmpty)
    }
}

/// One for the process: swift-metrics is set up once.
private enum RecordedMetrics {
    static let shared: TestMetrics = {
        let metrics = TestMetrics()
        MetricsSystem.bootstrap(metrics)
        return metrics
    }()
}

/// A clock that tests move.
private final class SharedClock: Sendable {
    private let time = Mutex<Int64>(1_700_000_000_000_000)
    var now: Int64 { time.withLock { $0 } }
    func advance(seconds: Int64) { time.withLock { $0 += seconds * 1_000_000 } }
}

/// Keeps what is logged.
private struct RecordingHandler: LogHandler {
    final class Lines: Sendable {
        struct Line: Sendable {
            var level: Logger.Level
            var message: String
            var metadata: [String: String]
        }
        private let state = Mutex<[Line]>([])
        func add(_ line: Line) { state.withLock { $0.append(line) } }
        var all: [Line] { state.withLock { $0 } }
    }

    private let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    init(_ lines: Lines) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.add(
            Lines.Line(
                level: event.level,
                message: event.message.description,
                metadata: (event.metadata ?? [:]).mapValues { $0.description }
            )
        )
    }
}
