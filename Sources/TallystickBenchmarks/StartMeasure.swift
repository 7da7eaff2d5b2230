import Glibc
import TallystickTestKit

/// `tally --version`, from start to exit.
struct StartMeasure: Measure {
    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        let tally = TallyCommand(in: context.folder.path)
        guard access(tally.path, X_OK) == 0, !tally.path.contains("/debug/") else {
            print("| tally --version | not built: swift build -c release --product tally | | | |")
            return []
        }
        var times: [Double] = []
        for _ in 0..<21 {
            times.append(
                await seconds {
                    let child = tally.start("--version")
                    tally.wait(for: child)
                } * 1e3
            )
        }
        return [
            TableRow(work: "tally --version", ours: times, unit: " ms", goal: "under 20 ms")
        ]
    }
}
