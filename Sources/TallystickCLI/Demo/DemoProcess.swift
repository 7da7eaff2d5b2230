import Glibc
import Tallystick

/// Another process of this program.
final class DemoProcess {
    private let identifier: pid_t
    private var status: Int32?

    private init(_ identifier: pid_t) { self.identifier = identifier }

    /// Starts one whose output nobody sees.
    static func start(_ arguments: [String]) throws(StoreError) -> DemoProcess {
        DemoProcess(try spawn(arguments, output: nil, hidesErrors: true))
    }

    /// Runs one to its end.
    static func run(
        _ arguments: [String],
        hidesErrors: Bool = false
    ) throws(StoreError) -> (code: Int32, output: String) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw failure(errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let child: DemoProcess
        do throws(StoreError) {
            child = DemoProcess(try spawn(arguments, output: ends[1], hidesErrors: hidesErrors))
        } catch {
            close(ends[1])
            throw error
        }
        close(ends[1])
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(ends[0], &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            output.append(contentsOf: chunk[..<count])
        }
        return (child.wait(), String(decoding: output, as: UTF8.self))
    }

    var hasEnded: Bool {
        guard status == nil else { return true }
        var value: Int32 = 0
        guard waitpid(identifier, &value, WNOHANG) == identifier else { return false }
        status = value
        return true
    }

    /// SIGKILL: nothing of it runs any more, not even a handler.
    func kill() {
        guard !hasEnded else { return }
        _ = Glibc.kill(identifier, SIGKILL)
        _ = wait()
    }

    private func wait() -> Int32 {
        var value = status ?? 0
        if status == nil {
            while waitpid(identifier, &value, 0) < 0, errno == EINTR {}
            status = value
        }
        return value & 0x7F == 0 ? (value >> 8) & 0xFF : -1
    }

    private static func spawn(
        _ arguments: [String],
        output: Int32?,
        hidesErrors: Bool
    ) throws(StoreError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let output {
            posix_spawn_file_actions_adddup2(&actions, output, 1)
        } else {
            posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        }
        if hidesErrors { posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) }
        var words: [UnsafeMutablePointer<CChar>?] = (["tally"] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var child = pid_t()
        // Without /proc, the program is looked for as the shell did.
        let own = "/proc/self/exe"
        let program = access(own, X_OK) == 0 ? own : CommandLine.arguments.first ?? "tally"
        let result = posix_spawnp(&child, program, &actions, nil, words, environ)
        guard result == 0 else { throw failure(result) }
        return child
    }

    private static func failure(_ number: Int32) -> StoreError {
        StoreError(.inputOutput, during: "start tally again", String(cString: strerror(number)))
    }
}
