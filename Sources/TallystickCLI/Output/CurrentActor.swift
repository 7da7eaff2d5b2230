import ArgumentParser
import Glibc
import Tallystick
import TallystickCore

/// Who runs a command, for the audit trail: user@host.
enum CurrentActor {
    static var current: String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let host = String(
            decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
        let user = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "\(geteuid())"
        return "\(user)@\(host)"
    }
}

/// The options of every command that changes what a store is to go by: who does it, and why.
struct ChangeOptions: ParsableArguments {
    @Option(name: .customLong("actor"), help: "Who does it; user@host without.")
    private var givenActor: String?
    @Option(help: "Why.")
    var reason: String
    @OptionGroup var waiting: WaitOptions

    var actor: String { givenActor ?? CurrentActor.current }
}

/// The option of every command that writes to a store.
struct WaitOptions: ParsableArguments {
    @Option(help: "How long to wait while another process writes, for example 500ms or 1m.")
    private var busyTimeout = "5s"

    func validate() throws { _ = try Durations.parse(busyTimeout) }

    /// How a command that follows the settings opens a store.
    func command(_ access: StoreOptions.Access = .readWrite) throws -> StoreOptions {
        try applied(to: .command(access))
    }

    func applied(to options: StoreOptions = StoreOptions()) throws -> StoreOptions {
        var options = options
        options.busyTimeout = try Durations.parse(busyTimeout)
        return options
    }
}

/// A settings file on disk.
enum SettingsFile {
    /// Lets an error over a settings file say which file it was.
    static func naming<Result>(
        _ path: String,
        _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            return try await body()
        } catch let error as StoreError where error.code == .badInput {
            throw StoreError(
                .badInput,
                during: error.operation,
                on: "\(path), \(error.subject)",
                error.message,
                hint: error.hint
            )
        }
    }

    /// Reads and checks a file.
    ///
    /// - throws: `StoreError` with `badInput`, and line and column.
    static func read(_ path: String) throws(StoreError) -> [UInt8] {
        let bytes = try SmallFile.read(path)
        do throws(SettingsError) {
            _ = try StoreSettings(json: bytes)
        } catch {
            throw StoreError(
                .badInput,
                during: "read the settings",
                on: "\(path), line \(error.line), column \(error.column)",
                error.message
            )
        }
        return bytes
    }
}

/// Files that fit in memory.
enum SmallFile {
    private static let limit = 64 << 20

    static func read(_ path: String) throws(StoreError) -> [UInt8] {
        // A FIFO without a writer is waited for below, where a signal ends the waiting.
        let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path, errno) }
        defer { if descriptor != 0 { close(descriptor) } }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            try waitForInput(descriptor, path)
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                throw failure(path, errno)
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= limit else {
                throw StoreError(
                    .badInput,
                    during: "read the file",
                    on: path,
                    "it has more than \(limit) bytes"
                )
            }
        }
    }

    /// Waits until there is something to read, or the command is to end.
    private static func waitForInput(
        _ descriptor: Int32,
        _ path: String
    ) throws(StoreError) {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while Glibc.poll(&poll, 1, 100) <= 0 {
            guard Task.isCancelled else { continue }
            throw StoreError(.interrupted, during: "read the file", on: path, "it was stopped")
        }
    }

    private static func failure(_ path: String, _ number: Int32) -> StoreError {
        StoreError(
            number == ENOENT ? .noInput : number == EACCES ? .notPermitted : .inputOutput,
            during: "read the file",
            on: path,
            String(cString: strerror(number)),
            hint: "Check the path"
        )
    }
}
