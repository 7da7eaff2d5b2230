import ArgumentParser
import CTallystickBaseline
import Tallystick
import TallystickTestKit

@main
struct Benchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tally-benchmarks",
        abstract: "Measure the store beside hand-written C loops over SQLite.",
        discussion: """
            Pairs alternate in one run; medians are shown. The C loops insert the same rows, already parsed, with the
            same tables, page size, batch and durability, and hash nothing.
            """
    )

    @Option(help: "Events; up to 10 million.")
    var events = 300_000
    @Option(help: "Alternated pairs of runs.")
    var pairs = 3
    @Option(help: "Single appends.")
    var appends = 2_000

    func run() async throws {
        let folder = try TemporaryFolder(named: "tally-benchmarks")
        let workload = try Workload(events: events, streams: max(1, events / 3))
        print(
            "SQLite \(String(cString: tally_baseline_sqlite_version())), WAL, synchronous=FULL, page size 4096"
        )
        print(
            "\(events) events of \(workload.bytes.count / events) bytes, \(max(1, events / 3)) streams, CRC-32 and SHA-256"
        )
        print("")
        print("| work | ours | raw C | ratio |")
        print("|---|---|---|---|")
        try await IngestMeasure(workload, folder, pairs).run()
        try await AppendMeasure(workload, folder, pairs, appends).run()
        try await ReadingMeasures(workload, folder, pairs).run()
        try await ReconcileMeasures(workload, folder).run()
    }
}

/// Prints rows of the table.
enum Table {
    static func row(_ work: String, ours: Double, baseline: Double?, unit: String) {
        let ratio = baseline.map { " \(rounded(ours / $0, 2))" } ?? ""
        let other = baseline.map { " \(rounded($0, 0))\(unit)" } ?? ""
        print("| \(work) | \(rounded(ours, 0))\(unit) |\(other) |\(ratio) |")
    }

    static func rounded(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let number = (value * scale).rounded() / scale
        return digits == 0 ? String(Int(number)) : String(number)
    }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }
}
