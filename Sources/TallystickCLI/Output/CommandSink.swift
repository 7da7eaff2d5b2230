import Glibc
import Synchronization
import Tallystick

/// Hands batches to a command: each time a new process that reads NDJSON from its standard input, and takes
/// the batch by exit 0.
final class CommandSink: ReplaySink {
    private let command: String
    private let code = Mutex<Int32?>(nil)

    /// - parameter command: for `/bin/sh -c`.
    init(_ command: String) { self.command = command }

    /// The exit code of the last process; 128 and the signal for one that was killed, nil before the first.
    var lastCode: Int32? { code.withLock { $0 } }

    /// Why a batch was not taken.
    struct Refusal: Error, CustomStringConvertible {
        let code: Int32
        var description: String {
            code > 128
                ? "the command was ended by signal \(code - 128)"
                : "the command ended with exit code \(code)"
        }
    }

    func take(_ items: [ReplayItem]) throws {
        var lines: [UInt8] = []
        for item in items {
            item.writeJSON(to: &lines)
            lines.append(0x0A)
        }
        let child = try start()
        write(lines, to: child.input)
        close(child.input)
        let ended = try Self.wait(for: child.identifier)
        code.withLock { $0 = ended }
        guard ended == 0 else { throw Refusal(code: ended) }
    }

    private func start() throws(StoreError) -> (identifier: pid_t, input: Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Self.failure(errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        // Results are ours to write: what the command says goes where notes go.
        posix_spawn_file_actions_adddup2(&actions, 2, 1)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // This process blocks and ignores signals that the command must obey.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        // A group of its own: Ctrl-C stops the replay after the batch that the command is taking.
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP)
        )
        let arguments: [String] = ["sh", "-c", command]
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var child = pid_t()
        let result = posix_spawn(&child, "/bin/sh", &actions, &attributes, words, environ)
        close(ends[0])
        guard result == 0 else {
            close(ends[1])
            throw Self.failure(result)
        }
        return (child, ends[1])
    }

    /// Writes until all is written, or the command reads no more: its exit code says whether that is well.
    private func write(_ bytes: [UInt8], to descriptor: Int32) {
        var offset = 0
        while offset < bytes.count {
            let written = bytes.withUnsafeBytes { buffer in
                Glibc.write(
                    descriptor,
                    buffer.baseAddress.map { $0 + offset },
                    buffer.count - offset
                )
            }
            if written < 0 {
                if errno == EINTR { continue }
                return
            }
            offset += written
        }
    }

    private static func wait(for child: pid_t) throws(StoreError) -> Int32 {
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 {
            guard errno == EINTR else { throw failure(errno) }
        }
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }

    private static func failure(_ number: Int32) -> StoreError {
        StoreError(.inputOutput, during: "run the command", String(cString: strerror(number)))
    }
}
