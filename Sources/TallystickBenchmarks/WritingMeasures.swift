import CTallystickBaseline
import Tallystick
import TallystickCore
import TallystickTestKit

/// Ingest: bytes in memory to durable rows, tree included, up to the last checkpoint and close.
struct IngestMeasure {
    private let workload: Workload
    private let folder: TemporaryFolder
    private let pairs: Int

    init(_ workload: Workload, _ folder: TemporaryFolder, _ pairs: Int) {
        self.workload = workload
        self.folder = folder
        self.pairs = pairs
    }

    func run() async throws {
        var ours: [Double] = []
        var theirs: [Double] = []
        for pair in 0..<pairs {
            let path = folder.file("ingest-\(pair).db")
            let store = try await EventStore.create(at: path)
            let started = ContinuousClock.now
            let report = try await store.ingest(
                .bytes(workload.bytes, named: "events"),
                from: "websocket"
            )
            await store.close()
            ours.append(Double(workload.count) / (ContinuousClock.now - started).seconds)
            guard report.outcomes.appended == workload.count else {
                throw StoreError(
                    .bug,
                    during: "measure",
                    "only \(report.outcomes.appended) events were appended"
                )
            }
            theirs.append(
                try Baseline.ingest(
                    workload,
                    folder.file("raw-\(pair).db"),
                    rows: workload.count,
                    batch: 65_536
                )
            )
        }
        Table.row("ingest", ours: Table.median(ours), baseline: Table.median(theirs), unit: "/s")
    }
}

/// Single appends: one event, one transaction, one fsync.
struct AppendMeasure {
    private let workload: Workload
    private let folder: TemporaryFolder
    private let pairs: Int
    private let count: Int

    init(_ workload: Workload, _ folder: TemporaryFolder, _ pairs: Int, _ count: Int) {
        self.workload = workload
        self.folder = folder
        self.pairs = pairs
        self.count = min(count, workload.count)
    }

    func run() async throws {
        var ours: [Double] = []
        var theirs: [Double] = []
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
        for pair in 0..<pairs {
            let store = try await EventStore.create(at: folder.file("append-\(pair).db"))
            let started = ContinuousClock.now
            for event in events {
                try await store.append([event], to: "stream-\(event.subject ?? "")")
            }
            ours.append(Double(count) / (ContinuousClock.now - started).seconds)
            await store.close()
            theirs.append(
                try Baseline.ingest(
                    workload,
                    folder.file("raw-append-\(pair).db"),
                    rows: count,
                    batch: 1
                )
            )
        }
        Table.row(
            "single append",
            ours: Table.median(ours),
            baseline: Table.median(theirs),
            unit: "/s"
        )
    }
}

/// The C loops.
enum Baseline {
    /// Rows a second.
    static func ingest(_ workload: Workload, _ path: String, rows: Int, batch: Int64) throws
        -> Double
    {
        let started = ContinuousClock.now
        let code = workload.rows.withUnsafeBufferPointer { buffer in
            workload.names.withUnsafeBufferPointer { names in
                tally_baseline_ingest(
                    path,
                    workload.schema,
                    4096,
                    0,
                    buffer.baseAddress,
                    Int64(rows),
                    names.baseAddress,
                    Int64(names.count),
                    batch,
                    nil
                )
            }
        }
        guard code == 0 else {
            throw StoreError(.bug, during: "run the C loop", "SQLite code \(code)")
        }
        return Double(rows) / (ContinuousClock.now - started).seconds
    }
}

extension Duration {
    var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
