import Glibc
import Tallystick

/// Keeps `--output` from replacing what cannot be got back: a database, a file of keys, what the command reads.
enum OutputGuard {
    /// Checks the output that a command line names, before the command does its work.
    ///
    /// - throws: `StoreError` with `cannotCreate`.
    static func checkCommandLine() throws(StoreError) {
        for path in outputs(CommandLine.arguments) { try check(path) }
    }

    /// - throws: `StoreError` with `cannotCreate` for a path that must not be replaced.
    static func check(_ path: String) throws(StoreError) {
        guard path != "-" else { return }
        if OutputFile.isReplaceable(path) {
            do throws(StoreError) {
                try NewFile.checkName(path, during: "create the output")
            } catch {
                throw refusal(path, error.message)
            }
        }
        guard let target = Identity(path) else { return }
        if let kind = precious(path) {
            throw refusal(path, "this is \(kind)")
        }
        let files = inputs(CommandLine.arguments).flatMap { word in
            [word] + StorePathCheck.companions.map { word + $0 }
        }
        if files.contains(where: { Identity($0) == target }) {
            throw refusal(path, "the command uses this file")
        }
    }

    private static func refusal(_ path: String, _ reason: String) -> StoreError {
        StoreError(
            .cannotCreate,
            during: "create the output",
            on: path,
            reason,
            hint: "Choose another path for --output"
        )
    }

    /// A regular file, whatever its name.
    private struct Identity: Equatable {
        var device: UInt
        var inode: UInt

        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
            (device, inode) = (UInt(status.st_dev), UInt(status.st_ino))
        }
    }

    /// What a file is by its first bytes, where it is worth more than any output.
    private static func precious(_ path: String) -> String? {
        let kinds = [
            ("SQLite format 3\0", "a SQLite database"), ("{\"tallystick_keys\"", "a file of keys"),
            ("PRIVATE+KEY+", "a signing key"),
        ]
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var start = [UInt8](repeating: 0, count: 32)
        let count = max(0, read(descriptor, &start, start.count))
        return kinds.first { start[..<count].starts(with: $0.0.utf8) }?.1
    }

    private static let option = "--output"

    private static func outputs(_ arguments: [String]) -> [String] {
        zip(arguments, arguments.dropFirst()).filter { $0.0 == option }.map(\.1)
            + arguments.filter { $0.hasPrefix(option + "=") }
            .map { String($0.dropFirst(option.count + 1)) }
    }

    /// Every word that could name a file, but the outputs.
    private static func inputs(_ arguments: [String]) -> [String] {
        zip([""] + arguments, arguments).dropFirst().flatMap { before, word -> [String] in
            if before == option || word.hasPrefix(option) { return [] }
            let value = word.firstIndex(of: "=").map { String(word[word.index(after: $0)...]) }
            return [word] + (value.map { [$0] } ?? [])
        }
    }
}
