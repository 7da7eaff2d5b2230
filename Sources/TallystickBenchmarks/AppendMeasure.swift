import Tallystick
import TallystickCore

/// Single appends: one event, one transaction, one fsync. Both sides append the first events of the workload, and
/// both times include closing.
struct AppendMeasure: Measure {
    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        var row = TableRow(
            work: "single append (time of one)",
            ours: [],
            unit: " µs",
            goal: "at most 1.2"
        )
        let count = context.appends
        let events = try context.workload.firstEvents(count)
        for pair in 0..<context.pairs {
            let path = context.folder.file("append-\(pair).db")
            let raw = context.folder.file("raw-append-\(pair).db")
            let store = try await EventStore.create(at: path)
            let time = try await seconds {
                for (event, stream) in events { try await store.append([event], to: stream) }
                await store.close()
            }
            row.ours.append(time / Double(count) * 1e6)
            let other = try InsertLoop.seconds(context.workload, at: raw, events: count, batch: 1)
            row.baseline.append(other / Double(count) * 1e6)
            context.remove(path)
            context.remove(raw)
        }
        return [row]
    }
}
