import Tallystick
import TallystickCore

/// Single appends: one event, one transaction, one fsync.
struct AppendMeasure: Measure {
    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        var row = TableRow(
            work: "single append (time of one)",
            ours: [],
            unit: " µs",
            goal: "at most 1.2"
        )
        let count = context.appends
        let events = (0..<count).map { index in
            Event(
                id: "event-\(index * 7919 % count)",
                source: "https://monitoring.example",
                type: "stats",
                subject: "host-\(index % 100)",
                time: "2026-03-01T10:00:00Z",
                dataContentType: "application/json",
                data: .json("{\"checks\":\(index),\"service\":\"checkout\",\"status\":\"ok\"}")
            )
        }
        for pair in 0..<context.pairs {
            let path = context.folder.file("append-\(pair).db")
            let raw = context.folder.file("raw-append-\(pair).db")
            let store = try await EventStore.create(at: path)
            let time = try await seconds {
                for event in events {
                    try await store.append([event], to: "stream-\(event.subject ?? "")")
                }
            }
            await store.close()
            row.ours.append(time / Double(count) * 1e6)
            let other = try InsertLoop.seconds(context.workload, at: raw, events: count, batch: 1)
            row.baseline.append(other / Double(count) * 1e6)
            context.remove(path)
            context.remove(raw)
        }
        return [row]
    }
}
