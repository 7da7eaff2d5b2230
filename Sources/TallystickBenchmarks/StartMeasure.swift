import Glibc
import TallystickTestSupport

/// `tally --version`, from the start of its process to its exit. No other program is started in between.
struct StartMeasure: Measure {
    private static let runs = 21

    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        let tally = TallyCommand(in: context.folder.path)
        guard access(tally.path, X_OK) == 0 else {
            print("| tally --version | not built: swift build -c release --product tally | | | |")
            return []
        }
        let output = context.folder.file("version")
        // The first run reads the program from disk.
        try Self.start(tally.path, output)
        var times: [Double] = []
        for _ in 0..<Self.runs {
            times.append(try await seconds { try Self.start(tally.path, output) } * 1e3)
        }
        guard TallyCommand.text(output).contains(".") else {
            throw failed("'tally --version' printed no version")
        }
        let build = tally.path.contains("/debug/") ? " (debug build)" : ""
        return [
            TableRow(
                work: "tally --version\(build)",
                ours: times,
                unit: " ms",
                goal: "under 20 ms"
            )
        ]
    }

    /// - throws: if the program cannot be started, or fails.
    private static func start(_ path: String, _ output: String) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, 1, output, flags, 0o600)
        var words: [UnsafeMutablePointer<CChar>?] = [strdup(path), strdup("--version"), nil]
        defer { for word in words { free(word) } }
        var child = pid_t()
        let code = posix_spawn(&child, path, &actions, nil, &words, environ)
        guard code == 0 else { throw failed("\(path) cannot be started: error \(code)") }
        var status: Int32 = 0
        guard waitpid(child, &status, 0) == child, status == 0 else {
            throw failed("'\(path) --version' did not succeed: status \(status)")
        }
    }
}
