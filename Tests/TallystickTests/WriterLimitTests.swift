import Logging
import Synchronization
import TallystickSQLite
import TallystickTestSupport
import Testing

@testable import Tallystick

@Suite("Limits of the writer")
struct WriterLimitTests {
    @Test("A batch that takes long is recorded in several transactions, with the same outcome")
    func transactions() async throws {
        let first = Self.events { "{\"n\":\($0)}" }
        // A third agrees, a third conflicts, a third comes twice; some are no events.
        let second = Self.events { $0 % 3 == 1 ? "{\"n\":-1}" : "{\"n\":\($0)}" }
        let mixed =
            second + second.enumerated().filter { $0.offset % 3 == 2 }.map(\.element)
            + ["{\"no\":\"event\"}", "[]", "{\"no\":\"event\"}"]
        var counts: [OutcomeCounts] = []
        var transactions: [Int] = []
        for microseconds: Int64 in [3_600_000_000, 0] {
            var options = StoreOptions()
            options.writerLimits.transactionMicroseconds = microseconds
            let clock = Clock()
            options.clock = { clock.next() }
            let test = try await TestStore(options: options)
            try await test.ingest(first, from: "a")
            let report = try await test.ingest(mixed, from: "b")
            counts.append(report.outcomes)
            #expect(report.conflictsOpened == 10)
            #expect(report.quarantine.count == 3)
            #expect(try await test.ingest(mixed, from: "b").outcomes.duplicate == 40)
            let times = try await test.rows(
                """
                SELECT count(DISTINCT recorded_at) FROM (SELECT recorded_at FROM copies
                    UNION ALL SELECT recorded_at FROM audit_trail WHERE kind = 'quarantine')
                """
            )
            if case .integer(let count)? = times.first?.first { transactions.append(Int(count)) }
            #expect(try await test.store.verify().isIntact)
            await test.store.close()
        }
        #expect(counts[0] == counts[1])
        #expect(counts[0].confirmed == 20)
        #expect(counts[0].duplicate == 10)
        #expect(counts[0].quarantined == 3)
        // All in one; or one for what agrees and the first conflict, then one for each of the rest.
        #expect(transactions[0] == 1)
        #expect(transactions[1] > 10)
    }

    @Test("A reader that pins the log makes the writer wait, say so, and go on")
    func pinnedLog() async throws {
        let log = MessageLog()
        var options = StoreOptions()
        options.logger = Logger(label: "test") { _ in log }
        options.writerLimits.checkpointFrames = 16
        options.writerLimits.pauseFrames = 64
        options.writerLimits.pauseMicroseconds = 100_000
        let test = try await TestStore(options: options)
        try await test.ingest(Self.events { "\($0)" }, from: "a")
        let reader = try Connection(path: test.path, mode: .readOnly)
        try reader.execute("BEGIN; SELECT count(*) FROM events")

        let started = ContinuousClock.now
        for round in 0..<30 {
            try await test.ingest(Self.events { "\($0 + 1000 * round)" }, from: "b")
        }
        #expect(log.count > 0)
        #expect(ContinuousClock.now - started >= .milliseconds(100))
        // Once the reader is gone the log is written back, and the warnings end.
        try reader.execute("COMMIT")
        try await test.ingest(Self.events { "\($0)" }, from: "c")
        let warnings = log.count
        for round in 0..<30 {
            try await test.ingest(Self.events { "\($0 + 100 * round)" }, from: "d")
        }
        #expect(log.count == warnings)
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test("Batches shrink where transactions take long, and grow again")
    func pace() {
        let pace = BatchPace()
        let first = pace.records
        #expect(first == IngestLimits.firstBatch)
        for _ in 0..<10 { pace.note(records: pace.records, microseconds: 1000) }
        let full = pace.records
        #expect(full == IngestLimits.batchRecords)
        pace.note(records: full, microseconds: IngestLimits.transactionMicroseconds * 4)
        #expect(pace.records == full / 4)
        // A little over the aim changes nothing.
        pace.note(records: full / 4, microseconds: IngestLimits.transactionMicroseconds)
        #expect(pace.records == full / 4)
        pace.note(records: full / 4, microseconds: 1000)
        #expect(pace.records == full / 2)
        // A last, short batch says nothing about a full one.
        pace.note(records: 3, microseconds: 1000)
        #expect(pace.records == full / 2)
        pace.note(records: full / 2, microseconds: .max / IngestLimits.transactionMicroseconds)
        #expect(pace.records == IngestLimits.smallestBatch)
    }

    private static func events(_ data: (Int) -> String) -> [String] {
        (0..<30).map { index in
            eventLine(index, data: data(index))
        }
    }
}

extension TestStore {
    fileprivate init(options: StoreOptions) async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("store.db")
        let store = try await EventStore.create(at: path, options: options)
        self.init(folder: folder, path: path, store: store)
    }

    @discardableResult
    fileprivate func ingest(_ lines: [String], from origin: String) async throws -> IngestReport {
        let bytes = Array(lines.joined(separator: "\n").utf8)
        return try await store.ingest(.bytes(bytes, named: "lines"), from: origin)
    }
}

/// A clock that moves by a second whenever it is read.
private final class Clock: Sendable {
    private let microseconds = Atomic<Int64>(1_790_000_000_000_000)

    func next() -> Int64 {
        microseconds.wrappingAdd(1_000_000, ordering: .relaxed).newValue
    }
}

/// Counts the messages of a logger.
private final class MessageLog: LogHandler, Sendable {
    private let messages = Atomic<Int>(0)
    var count: Int { messages.load(ordering: .relaxed) }

    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    var logLevel: Logger.Level {
        get { .warning }
        set {}
    }
    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event _: LogEvent) {
        messages.wrappingAdd(1, ordering: .relaxed)
    }
}

@Suite("Closing a store")
struct ClosingTests {
    @Test("Closing waits for no other writer: it has nothing to write that another one would not")
    func closing() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("store.db")
        await (try await EventStore.create(at: path)).close()
        var options = StoreOptions()
        options.busyTimeout = .seconds(60)
        let connection = try StoreFile.openForWriting(path, options)
        let lockConnection = try StoreFile.openForWriting(path, options)
        let keeper = WALCheckpointer(path, connection, lockConnection: lockConnection, options)
        let other = try Connection(path: path, mode: .readWrite)
        try other.execute("BEGIN IMMEDIATE")
        keeper.finish()
        for waiting in [connection, lockConnection] {
            let timeout = try waiting.prepare("PRAGMA busy_timeout").first { $0.int64(at: 0) }
            #expect(timeout == 0)
        }
        try other.execute("ROLLBACK")
    }
}
