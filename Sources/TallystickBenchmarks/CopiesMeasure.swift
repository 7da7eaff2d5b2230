import Tallystick

/// The second path of a dual delivery: the same events from another origin, in another order, compared with the first
/// ingest of these events.
struct CopiesMeasure: Measure {
    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        let same = context.folder.file("copies.ndjson")
        let changed = context.folder.file("changed.ndjson")
        try context.workload.shuffle(to: same)
        try context.workload.shuffle(to: changed, changedEvery: 100)
        var rows = [
            TableRow(
                work: "second origin, all confirmed, beside the first origin",
                ours: [],
                unit: "/s",
                goal: "at least 0.5"
            ),
            TableRow(
                work: "second origin, 1 % conflicting, beside the first origin",
                ours: [],
                unit: "/s",
                goal: ""
            ),
            TableRow(
                work: "the same again, all duplicates, beside the first origin",
                ours: [],
                unit: "/s",
                goal: ""
            ),
        ]
        for pair in 0..<context.pairs {
            for (index, input) in [same, changed].enumerated() {
                let path = context.folder.file("copies-\(pair).db")
                let store = try await EventStore.create(at: path)
                let first = try await rate(
                    store,
                    context.workload.path,
                    "websocket",
                    context.events
                ) {
                    $0.appended
                }
                let second = try await rate(store, input, "realtime", context.events) {
                    $0.confirmed + $0.conflicting
                }
                rows[index].ours.append(second)
                rows[index].baseline.append(first)
                if index == 1 {
                    rows[2].ours.append(
                        try await rate(store, input, "realtime", context.events) { $0.duplicate }
                    )
                    rows[2].baseline.append(first)
                }
                await store.close()
                context.remove(path)
            }
        }
        return rows
    }

    /// Events per second.
    private func rate(
        _ store: EventStore,
        _ input: String,
        _ origin: String,
        _ expected: Int,
        _ count: (OutcomeCounts) -> Int
    ) async throws -> Double {
        var found = 0
        let time = try await seconds {
            let report = try await store.ingest(.file(input), from: origin)
            found = count(report.outcomes)
        }
        guard found == expected else { throw failed("\(found) of \(expected) had the outcome") }
        return Double(expected) / time
    }
}
