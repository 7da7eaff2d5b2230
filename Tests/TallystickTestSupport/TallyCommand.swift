public import Glibc

/// Runs a program that was built beside the tests, `tally` unless told otherwise.
public struct TallyCommand: Sendable {
    /// How a command ended.
    public struct Result: Sendable {
        /// The exit code; the negated signal when it was killed.
        public var code: Int32
        /// What it wrote to standard output.
        public var output: String
        /// What it wrote to standard error.
        public var errors: String
        /// How long it ran.
        public var seconds: Double
    }

    /// The program.
    public let path: String
    /// Looks for keys in what commands are given and print.
    public var watch = SecretWatch.shared
    private let folder: String
    private let wrapper: [String]

    /// Another program.
    public init(in folder: String, path: String, under wrapper: [String] = []) {
        self.folder = folder
        self.path = path
        self.wrapper = wrapper
    }

    /// - parameter folder: where commands run.
    /// - parameter program: the product's name.
    /// - parameter wrapper: words before the command, such as `setpriv` with its options.
    public init(in folder: String, program: String = "tally", under wrapper: [String] = []) {
        self.folder = folder
        self.wrapper = wrapper
        path = Self.product(program)
    }

    /// Where a product was built.
    private static func product(_ program: String) -> String {
        // The test bundle lies in the folder of the products.
        let bundle = CommandLine.arguments.first ?? ""
        let parts = bundle.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let beside = parts.joined(separator: "/") + "/" + program
        let package = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        let built = package.joined(separator: "/") + "/.build/debug/" + program
        // Commands run in a folder of their own, where a relative path would lead nowhere.
        guard access(beside, X_OK) == 0, let absolute = realpath(beside, nil) else { return built }
        defer { free(absolute) }
        return String(cString: absolute)
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
            let bytes = Array(input.utf8)
            fwrite(bytes, 1, bytes.count, file)
            fclose(file)
        }
        let clock = ContinuousClock()
        let started = clock.now
        let child = start(
            arguments,
            environment: environment,
            input: input == nil ? nil : scratch + ".in",
            output: scratch + ".out",
            errors: scratch + ".err"
        )
        let code = wait(for: child)
        let secrets = watch.inspect(words: arguments + environment, in: folder)
        for suffix in [".out", ".err"] {
            watch.inspect(Self.text(scratch + suffix), of: arguments, secrets)
        }
        let (seconds, attoseconds) = (clock.now - started).components
        defer { for suffix in [".in", ".out", ".err"] { unlink(scratch + suffix) } }
        return Result(
            code: code,
            output: Self.text(scratch + ".out"),
            errors: Self.text(scratch + ".err"),
            seconds: Double(seconds) + Double(attoseconds) / 1e18
        )
    }

    /// Runs a command to its end, and measures the most memory that it had, in mebibytes.
    ///
    /// Linux counts what the starter had as the command's own (`ru_maxrss` lives on in `execve`), and a process
    /// full of tests has much. A small program starts the command instead.
    public func measure(_ arguments: String..., input: String? = nil) -> (Result, peak: Int) {
        let file = "\(folder)/.peak-\(UInt32.random(in: .min ... .max))"
        defer { unlink(file) }
        let measured = TallyCommand(
            in: folder,
            path: path,
            under: [Self.product("TallystickCrashWorker"), "measure", file] + wrapper
        )
        let result = measured.run(arguments, input: input)
        let kibibytes = Int(Self.text(file).filter(\.isNumber))
        return (result, kibibytes.map { $0 >> 10 } ?? .max)
    }

    /// Starts a command whose output nobody reads.
    public func start(_ arguments: String...) -> pid_t { start(arguments) }

    /// Starts a command; files that are nil are `/dev/null`.
    public func start(
        _ arguments: [String],
        environment: [String] = [],
        input: String? = nil,
        output: String? = nil,
        errors: String? = nil
    ) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 0, input ?? "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output ?? "/dev/null", flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors ?? "/dev/null", flags, 0o600)
        // env changes to the folder, undoes what this process ignores, and becomes the command.
        let prefix =
            ["env", "--default-signal=XFSZ,PIPE,TERM,INT", "-C", folder] + environment
        var words: [UnsafeMutablePointer<CChar>?] = (prefix + wrapper + [path] + arguments).map {
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

    /// What a file holds; empty when it cannot be read.
    public static func text(_ path: String) -> String {
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
