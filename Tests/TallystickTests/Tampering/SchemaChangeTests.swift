import Synchronization
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Another program changes the schema while a call of ours runs: the call says so, and nothing is called a bug.
@Suite("A schema that is changed under a running call")
struct SchemaChangeTests {
    /// A store with conflicts and decisions, and more events than a page has.
    private func make() async throws -> TestStore {
        let test = try await TestStore(
            settings: settings(#"{"use":"manual"}"#),
            clock: ManualClock()
        )
        for (origin, value) in [("websocket", 1), ("realtime", 2)] {
            let lines = (0..<1200).map { event("\($0)", "{\"v\":\($0 < 5 ? value : 0)}") }
            try await test.ingest(lines.joined(separator: "\n"), from: origin)
        }
        try await test.store.resolve(
            ManualResolution(conflictID: 1, choice: .exclude, actor: "test", reason: "test")
        )
        return test
    }

    /// Runs a statement once, when it is called for the time that was said.
    private final class Change: Sendable {
        private let rest: Mutex<Int>
        private let change: @Sendable () -> Void

        init(_ sql: String, in path: String, after calls: Int = 0) {
            rest = Mutex(calls)
            change = {
                do {
                    try PlainSQLite(path).execute(sql)
                } catch {
                    Issue.record("\(sql): \(error)")
                }
            }
        }

        func call() {
            let left = rest.withLock { rest in
                rest -= 1
                return rest
            }
            if left == -1 { change() }
        }
    }

    @Test(
        "Deriving decisions again",
        arguments: ["DROP TABLE resolutions", "DROP TABLE audit_trail"]
    )
    func auditReplay(_ sql: String) async throws {
        let test = try await make()
        let change = Change(sql, in: test.path)
        let failure = await failure {
            _ = try await test.store.replayAudit { _ in change.call() }
        }
        #expect(failure?.code == .schemaAltered, "\(failure.map { "\($0)" } ?? "")")
        await test.store.close()
    }

    @Test(
        "Reconciling",
        arguments: [
            "DROP TABLE tally_waiting", "DROP TABLE conflict_candidates", "DROP TABLE copies",
            "ALTER TABLE resolutions RENAME COLUMN policy TO rule",
        ],
        0..<4
    )
    func reconcile(_ sql: String, _ calls: Int) async throws {
        let test = try await make()
        let change = Change(sql, in: test.path, after: calls)
        var options = ReconcileOptions()
        options.onProgress = { _ in change.call() }
        let failure = await failure { _ = try await test.store.reconcile(options) }
        #expect(
            failure.map { $0.code == .schemaAltered } ?? true,
            "\(failure.map { "\($0)" } ?? "")"
        )
        await test.store.close()
    }

    @Test("Reading page by page, and deciding in bulk")
    func pages() async throws {
        var test = try await make()
        let reading = Change("DROP TABLE events", in: test.path)
        var code = await failureCode {
            for try await _ in test.store.events(EventReading()) { reading.call() }
        }
        #expect(code == .schemaAltered)
        await test.store.close()

        test = try await make()
        let deciding = Change("DROP TABLE conflict_states", in: test.path)
        let bulk = BulkResolution(
            ConflictFilter(),
            choice: .exclude,
            actor: "test",
            reason: "test"
        )
        code = await failureCode {
            try await test.store.resolve(bulk) { _ in deciding.call() }
        }
        #expect(code == .schemaAltered)
        await test.store.close()
    }
}
