public import Glibc

/// Runs the `tally` that was built beside the tests.
public struct TallyCommand: Sendable {
    /// How a command ended.
    public struct Result: Sendable {
        /// The exit code; the negated signal when it was killed.
        public var code: Int32
        public var output: String
        public var errors: String
    }

    /// The program.
    public let path: String
    private let folder: String

    /// Another program.
    public init(in folder: String, path: String) {
        self.folder = folder
        self.path = path
    }

    /// - parameter folder: where commands run.
    public init(in folder: String) {
        self.folder = folder
        // The test bundle lies in the folder of the products.
        let program = CommandLine.arguments.first ?? ""
        let parts = program.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let beside = parts.joined(separator: "/") + "/tally"
        let package = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        let built = package.joined(separator: "/") + "/.build/debug/tally"
        path = access(beside, X_OK) == 0 ? beside : built
    }

    /// Runs a command to its end.
    public func run(_ arguments: String..., input: String? = nil) -> Result {
        run(arguments, input: input)
    }

    /// Runs a command to its end.
    ///
    /// - parameter environment: variables that it has besides those of this process: `NAME=value`.
    public func run(
        _ arguments: [String],
        environment: [String] = [],
        input: String? = nil
    ) -> Result {
        let scratch = "\(folder)/.run-\(UInt32.random(in: .min ... .max))"
        if let input, let file = fopen(scratch + ".in", "w") {
            fputs(input, file)
            fclose(file)
        }
        let child = start(
            arguments,
            environment,
            standardInput: input == nil ? "/dev/null" : scratch + ".in",
            scratch
        )
        let code = wait(for: child)
        defer { for suffix in [".in", ".out", ".err"] { unlink(scratch + suffix) } }
        return Result(
            code: code,
            output: Self.text(scratch + ".out"),
            errors: Self.text(scratch + ".err")
        )
    }

    /// Starts a command whose output nobody reads.
    public func start(_ arguments: String...) -> pid_t {
        start(arguments, [], standardInput: "/dev/null", nil)
    }

    private func start(
        _ arguments: [String],
        _ environment: [String],
        standardInput: String,
        _ scratch: String?
    ) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, 0, standardInput, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(
            &actions,
            1,
            scratch.map { $0 + ".out" } ?? "/dev/null",
            flags,
            0o600
        )
        posix_spawn_file_actions_addopen(
            &actions,
            2,
            scratch.map { $0 + ".err" } ?? "/dev/null",
            flags,
            0o600
        )
        // env changes to the folder, then becomes the command.
        var words: [UnsafeMutablePointer<CChar>?] =
            (["env", "-C", folder] + environment + [path] + arguments).map {
                strdup($0)
            }
        words.append(nil)
        defer { for word in words { free(word) } }
        var child = pid_t()
        return posix_spawn(&child, "/usr/bin/env", &actions, nil, words, environ) == 0 ? child : -1
    }

    /// Waits for a command that was started; the exit code, or the negated signal.
    @discardableResult
    public func wait(for child: pid_t) -> Int32 {
        var status: Int32 = 0
        guard child > 0, waitpid(child, &status, 0) == child else { return -1000 }
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
    }

    private static func text(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}
