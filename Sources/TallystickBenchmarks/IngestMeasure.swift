import Tallystick

/// Ingest: from a file of CloudEvents to durable rows, including the tree, up to the last checkpoint and close.
struct IngestMeasure: Measure {
    /// The size whose rate a larger run is compared with.
    private static let smallSize = 300_000

    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        var rows = [try await compare(context, context.workload, keeps: true)]
        if context.events > 2 * Self.smallSize {
            let small = try Workload(
                events: Self.smallSize,
                streams: min(context.workload.streams, Self.smallSize),
                at: context.folder.file("small.ndjson")
            )
            let small300k = try await compare(context, small, keeps: false)
            rows.append(small300k)
            rows.append(
                TableRow(
                    work: "ingest at \(context.events) beside ours at \(small.count)",
                    ours: [TableRow.median(rows[0].ours)],
                    baseline: [TableRow.median(small300k.ours)],
                    unit: "/s",
                    goal: "at least 0.6 at 10 million"
                )
            )
        }
        return rows
    }

    private func compare(
        _ context: BenchmarkContext,
        _ workload: Workload,
        keeps: Bool
    ) async throws -> TableRow {
        var row = TableRow(
            work: "ingest \(workload.count) events",
            ours: [],
            unit: "/s",
            goal: workload.count > 2 * Self.smallSize ? "at least 1.3" : "at least 1"
        )
        for pair in 0..<context.pairs {
            let path = context.folder.file("ingest-\(workload.count)-\(pair).db")
            let raw = context.folder.file("raw-\(workload.count)-\(pair).db")
            row.ours.append(try await ours(workload, at: path))
            let time = try InsertLoop.seconds(
                workload,
                at: raw,
                events: workload.count,
                batch: BatchSize.ingest
            )
            row.baseline.append(Double(workload.count) / time)
            context.remove(raw)
            if keeps, pair == context.pairs - 1 { context.keep(path) } else { context.remove(path) }
        }
        return row
    }

    /// Events per second.
    private func ours(_ workload: Workload, at path: String) async throws -> Double {
        let store = try await EventStore.create(at: path)
        var appended = 0
        let time = try await seconds {
            let report = try await store.ingest(.file(workload.path), from: "websocket")
            appended = report.outcomes.appended
            await store.close()
        }
        guard appended == workload.count else { throw failed("\(appended) events were appended") }
        return Double(workload.count) / time
    }
}
