import ArgumentParser
import Glibc
import Tallystick
import TallystickTestSupport

/// The peak memory of a process of ours during one task. Each task runs in its own process.
struct MemoryMeasure: Measure {
    /// Bytes of an input that is one line.
    private static let longLine = 1 << 30

    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        let line = context.folder.file("line.ndjson")
        try Self.writeLongLine(line)
        let path = context.folder.file("memory.db")
        var rows: [TableRow] = []
        for task in MemoryTask.Work.allCases {
            let input = task == .line ? line : context.workload.path
            let result = Self.measure(task, path, input, context.folder.path)
            guard let kibibytes = Int(result.output.filter(\.isNumber)), result.code == 0 else {
                throw failed("\(task.rawValue) failed: \(result.errors)")
            }
            rows.append(
                TableRow(
                    work: "memory: \(task.explanation)",
                    ours: [Double(kibibytes) / 1024],
                    unit: " MiB",
                    goal: "under 200 MB"
                )
            )
        }
        unlink(line)
        context.remove(path)
        return rows
    }

    private static func measure(
        _ task: MemoryTask.Work,
        _ store: String,
        _ input: String,
        _ folder: String
    ) -> TallyCommand.Result {
        let link = realpath("/proc/self/exe", nil)
        defer { free(link) }
        let program = link.map { String(cString: $0) } ?? CommandLine.arguments[0]
        return TallyCommand(in: folder, path: program).run([
            "memory", task.rawValue, store, input,
        ])
    }

    private static func writeLongLine(_ path: String) throws {
        let output = try OutputFile(path)
        var bytes = Array(#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":""#.utf8)
        try output.write(&bytes)
        for _ in 0..<(longLine / OutputFile.chunk) {
            bytes = [UInt8](repeating: 0x61, count: OutputFile.chunk)
            try output.write(&bytes)
        }
        bytes = Array("\"}\n".utf8)
        try output.write(&bytes)
        try output.finish()
    }
}

/// Does one task and prints the process's peak memory, in KiB.
struct MemoryTask: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "memory", shouldDisplay: false)

    enum Work: String, CaseIterable, ExpressibleByArgument {
        case ingest, copies, verify, export, replay, query, line

        var explanation: String {
            switch self {
            case .ingest: "ingest"
            case .copies: "ingest of the same from a second origin"
            case .verify: "verify"
            case .export: "export"
            case .replay: "replay into SQL"
            case .query: "a query that returns every event"
            case .line: "ingest of one line of 1 GiB"
            }
        }
    }

    @Argument var work: Work
    @Argument var store: String
    @Argument var input: String

    func run() async throws {
        let opened =
            work == .ingest
            ? try await EventStore.create(at: store) : try await EventStore.open(at: store)
        switch work {
        case .ingest: try await opened.ingest(.file(input), from: "websocket")
        case .copies: try await opened.ingest(.file(input), from: "realtime")
        case .line: try await opened.ingest(.file(input), from: "poll")
        case .verify: _ = try await opened.verify()
        case .replay: _ = try await opened.replay(projection: HealthProjection.file("health"))
        case .export: try await opened.export { _ in true }
        case .query: _ = try await opened.query("SELECT * FROM event_log") { _ in true }
        }
        await opened.close()
        for line in Machine.lines(of: "/proc/self/status") where line.hasPrefix("VmHWM") {
            print(line)
        }
    }
}
