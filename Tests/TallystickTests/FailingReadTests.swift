import TallystickSQLite
import TallystickTestSupport
import Testing

@testable import Tallystick

/// One after the other: the plan of failing reads is one for the process.
@Suite("Failing reads", .serialized)
struct FailingReadTests {
    private static let readFailed: Int32 = 10 | 1 << 8
    private static let noMemory: Int32 = 10 | 12 << 8
    /// Reads of a call that fail, at most; spread evenly.
    private static let trials = 40

    /// A store with copies, conflicts and decisions, of a few hundred pages.
    private static func filled() async throws -> TestStore {
        let test = try await TestStore()
        for origin in ["websocket", "poll"] { try await test.ingest(lines(origin), from: origin) }
        var options = ReconcileOptions()
        options.actor = "a"
        _ = try await test.store.reconcile(options)
        #expect(try test.truncateLog())
        return test
    }

    fileprivate static func lines(_ origin: String) -> String {
        (0..<300).map { number in
            let value = number % 50 == 0 ? origin : "same"
            let text = String(repeating: "x", count: 300)
            return #"{"specversion":"1.0","id":"\#(number)","source":"/s/\#(number % 7)","#
                + #""type":"t.\#(number % 3)","data":{"value":"\#(value)","text":"\#(text)"}}"#
        }.joined(separator: "\n")
    }

    fileprivate static let projection = Array(
        """
        -- tally:projection counts
        -- tally:version 1
        -- tally:setup
        CREATE TABLE counts (type TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
        -- tally:on *
        INSERT INTO counts VALUES (:type, 1) ON CONFLICT (type) DO UPDATE SET number = number + 1;
        """.utf8
    )

    fileprivate static func open(_ test: TestStore) async throws -> EventStore {
        try await EventStore.open(at: test.path, options: .readOnly)
    }

    /// What reads a store, and what it must not take for damage.
    enum Reader: String, CaseIterable {
        case verify, events, contentDigest, auditReplay, doctor, statistics, backup, replay, ingest

        func run(_ test: TestStore) async throws {
            switch self {
            case .verify:
                let report = try await FailingReadTests.open(test).inspect()
                #expect(report.isIntact, "\(report.findings.prefix(3))")
            case .events: for try await _ in try await FailingReadTests.open(test).events() {}
            case .contentDigest: _ = try await FailingReadTests.open(test).contentDigest()
            case .auditReplay:
                let report = try await FailingReadTests.open(test).replayAudit()
                #expect(report.driftCount == 0, "\(report.drifts.prefix(3))")
            case .doctor:
                let diagnoses = try await EventStore.diagnose(at: test.path)
                let found = diagnoses.filter { ["file", "trees"].contains($0.subject) }
                #expect(found.allSatisfy { $0.level == .good }, "\(found)")
            case .statistics: _ = try await FailingReadTests.open(test).statistics()
            case .backup:
                let copies = try TemporaryFolder()
                _ = try await FailingReadTests.open(test).backup(to: copies.file("copy.db"))
            case .replay:
                let store = try await EventStore.open(at: test.path)
                var options = ReplayOptions()
                options.rebuild = true
                let result = await Self.outcome {
                    try await store.replay(
                        projection: FailingReadTests.projection,
                        options: options
                    )
                }
                await store.close()
                _ = try result.get()
            case .ingest:
                let store = try await EventStore.open(at: test.path)
                let bytes = Array(FailingReadTests.lines("webhook").utf8)
                let result = await Self.outcome {
                    try await store.ingest(.bytes(bytes, named: "lines"), from: "webhook")
                }
                await store.close()
                _ = try result.get()
            }
        }

        private static func outcome<Value: Sendable>(
            _ body: () async throws -> Value
        ) async -> Result<Value, any Error> {
            do { return .success(try await body()) } catch { return .failure(error) }
        }
    }

    @Test(
        "A read that fails is a failed read, never damage, drift or a bug; the same call succeeds afterwards",
        arguments: [(readFailed, StoreError.Code.inputOutput), (noMemory, .outOfMemory)]
    )
    func neverDamage(_ sqliteCode: Int32, _ expected: StoreError.Code) async throws {
        let test = try await Self.filled()
        for reader in Reader.allCases {
            let count = try await FailingReads.during(of: test.path, after: nil, code: 0) {
                try await reader.run(test)
            }
            #expect(count > 0, "\(reader.rawValue) reads nothing")
            for trial in 0..<min(count, Self.trials) {
                let after = trial * count / min(count, Self.trials)
                var found: StoreError?
                _ = await FailingReads.during(of: test.path, after: after, code: sqliteCode) {
                    found = await failure(of: { try await reader.run(test) })
                }
                // Some reads are tried again, and some are only hints.
                let code = found?.code ?? expected
                // SQLite's own check says of some pages only that it could not get them.
                let others: [StoreError.Code] = reader == .doctor ? [.inputOutput] : []
                let isTold = ([expected, .outcomeUnknown] + others).contains(code)
                #expect(isTold, "\(reader.rawValue), read \(after): \(found?.description ?? "")")
            }
            try await reader.run(test)
        }
        #expect(try await test.store.verify().isIntact)
    }
}
