import Glibc
import Tallystick
import TallystickTestSupport

/// One line, or a few, of DESIGN's table of measures.
protocol Measure {
    func run(_ context: BenchmarkContext) async throws -> [TableRow]
}

/// State shared by measurements: the workload, and a store that contains it.
final class BenchmarkContext {
    let pairs: Int
    let appends: Int
    let folder: TemporaryFolder
    let workload: Workload
    private var filled: String?

    init(events: Int, streams: Int, pairs: Int, appends: Int, folder: TemporaryFolder) throws {
        self.pairs = pairs
        self.appends = appends
        self.folder = folder
        workload = try Workload(events: events, streams: streams, at: folder.file("events.ndjson"))
    }

    var events: Int { workload.count }

    var description: String {
        """
        \(events) CloudEvents of \(workload.byteCount / events) bytes with random ids in \(workload.streams) streams; \
        CRC-32, SHA-256 where the category is critical (\(workload.criticalPercent) %); WAL with synchronous=FULL; \
        pages of 4096 bytes; 64 MiB of page cache for the C loops and 32 MiB for the store; \(BatchSize.ingest) rows to a transaction; medians of \(pairs).
        """
    }

    /// The path of a store that contains the workload.
    func store() async throws -> String {
        if let filled { return filled }
        let path = folder.file("store.db")
        let store = try await EventStore.create(at: path)
        try await store.ingest(.file(workload.path), from: "websocket")
        await store.close()
        filled = path
        return path
    }

    /// Hands a store with the workload over to later measurements.
    func keep(_ path: String) { filled = path }

    /// Removes a database that is no longer needed.
    func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
    }
}

/// Rows per transaction.
enum BatchSize {
    static let ingest = IngestLimits.batchRecords
    static let replay = 10_000
    /// Pages of the log above which it is written back.
    static let logPages = 16_384
}

/// Time of `body` in seconds.
func seconds(_ body: () async throws -> Void) async rethrows -> Double {
    let started = ContinuousClock.now
    try await body()
    let (seconds, attoseconds) = (ContinuousClock.now - started).components
    return Double(seconds) + Double(attoseconds) / 1e18
}

/// An error for a measurement whose work was not done correctly.
func failed(_ what: String, _ code: Int32 = 0) -> StoreError {
    StoreError(.bug, during: "measure", code == 0 ? what : "\(what): SQLite code \(code)")
}
