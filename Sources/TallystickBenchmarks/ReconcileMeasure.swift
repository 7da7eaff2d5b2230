import Tallystick
import TallystickTestSupport

/// Reconciliation of two origins that differ in one event of a hundred, compared with the ingest of the second
/// origin's copies.
struct ReconcileMeasure: Measure {
    private static let settings = """
        {"origins": {"websocket": {"priority": 1}, "realtime": {"priority": 2}},
         "categories": {
          "critical": {"policy": "p"}, "performance": {"policy": "p"}, "system": {"policy": "p"},
          "user_activity": {"policy": "p"}, "debug": {"policy": "p"}},
         "policies": {"p": {"chain": [{"use": "origin_priority"}]}}}
        """

    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        var first = TableRow(
            work: "reconcile 1 % differences, beside the second origin's ingest",
            ours: [],
            unit: " ms",
            goal: "at most 1.5"
        )
        var again = TableRow(
            work: "reconcile again, nothing new",
            ours: [],
            unit: " ms",
            goal: "under 100 ms"
        )
        var derived = TableRow(
            work: "derive decisions again (audit replay)",
            ours: [],
            unit: "/s",
            goal: ""
        )
        let copies = context.folder.file("reconcile-copies.ndjson")
        try context.workload.shuffle(to: copies, changedEvery: 100)
        for pair in 0..<context.pairs {
            let path = context.folder.file("reconcile-\(pair).db")
            let clock = ManualClock()
            let store = try await Self.store(at: path, clock)
            try await store.ingest(.bytes(Self.line("first"), named: "first"), from: "realtime")
            clock.advance(seconds: 1)
            try await store.ingest(.file(context.workload.path), from: "websocket")
            clock.advance(seconds: 60)
            first.baseline.append(
                1000
                    * (try await seconds { try await store.ingest(.file(copies), from: "realtime") })
            )
            // The second origin delivers again after the window, which shows that it has closed.
            clock.advance(seconds: 3600)
            try await store.ingest(.bytes(Self.line("last"), named: "last"), from: "realtime")
            first.ours.append(1000 * (try await seconds { try await Self.reconcile(store) }))
            again.ours.append(1000 * (try await seconds { _ = try await store.reconcile() }))
            var count = 0
            let time = try await seconds {
                let replayed = try await store.replayAudit()
                guard replayed.driftCount == 0 else { throw failed("decisions drift") }
                count = Int(replayed.derived)
            }
            derived.ours.append(Double(count) / time)
            await store.close()
            context.remove(path)
        }
        return [first, again, derived]
    }

    private static func store(at path: String, _ clock: ManualClock) async throws -> EventStore {
        var creation = StoreCreation()
        creation.configuration = Array(settings.utf8)
        var options = StoreOptions()
        options.clock = { clock.now }
        return try await EventStore.create(at: path, creation, options: options)
    }

    private static func reconcile(_ store: EventStore) async throws {
        let done = try await store.reconcile()
        guard done.resolved > 0, done.open == 0 else {
            throw failed("\(done.open) conflicts stayed open, \(done.resolved) were resolved")
        }
    }

    private static func line(_ id: String) -> [UInt8] {
        Array(
            "{\"specversion\":\"1.0\",\"id\":\"\(id)\",\"source\":\"/bench\",\"type\":\"t\"}\n".utf8
        )
    }
}
