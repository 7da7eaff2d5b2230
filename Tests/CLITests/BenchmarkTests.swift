import TallystickTestSupport
import Testing

@Suite("Benchmarks")
struct BenchmarkTests {
    @Test("The benchmark program measures a small store, each measure beside its C loop")
    func smoke() throws {
        let folder = try TemporaryFolder()
        let tally = TallyCommand(in: folder.path)
        let program = TallyCommand(in: folder.path, path: tally.path + "-benchmarks")
        let measures = [
            "ingest", "copies", "append", "keys", "verify", "proof", "replay", "resume",
        ]
        let result = program.run(
            ["--events", "2000", "--streams", "500", "--pairs", "1", "--appends", "5"]
                + measures.flatMap { ["--only", $0] }
        )
        #expect(result.code == 0, "\(result.errors)")
        let rows = result.output.split(separator: "\n").filter { $0.hasPrefix("| ") }
        // The heading, two more rows for copies, one more for proofs, and a row for each measure.
        #expect(rows.count == 4 + measures.count)
        #expect(result.output.contains("fsync of a page"))
        #expect(program.run(["--events", "1"]).code == 64)
    }

    @Test("The program whose start is measured is started, also where the path is relative")
    func start() throws {
        let products = TallyCommand(in: "/").path.split(separator: "/").dropLast()
        let program = TallyCommand(
            in: "/" + products.joined(separator: "/"),
            path: "./tally-benchmarks"
        )
        let result = program.run(["--events", "1000", "--streams", "10", "--only", "start"])
        #expect(result.code == 0, "\(result.errors)")
        let row = result.output.split(separator: "\n").last ?? ""
        #expect(row.hasPrefix("| tally --version") && row.contains(" ms ("), "\(row)")
    }
}
