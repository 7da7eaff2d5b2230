import ArgumentParser
import Glibc
import Tallystick
import TallystickCore

struct Demo: TallyCommand {
    static let title = "demo"
    static let configuration = CommandConfiguration(
        abstract: "Show the main job on fixtures, from ingest to a decision.",
        discussion: """
            Builds a store from two origins of a dual-write migration, kills a replay half-way, resumes it, shows
            that nothing was lost, and resolves a conflict. Run it in the project's folder.

            EXAMPLE
              tally demo
            """
    )

    @Option(help: "The folder with events/ and projections/.")
    var fixtures: String = "fixtures"
    @Option(help: "Keep the store here; by default it is removed.")
    var keep: String?

    func execute() async throws -> Int32 {
        let folder = try Scratch(keep)
        let stage = Stage(folder.path)
        let store = folder.path + "/demo.db"
        let projection = fixtures + "/projections/service_health.sql"
        try stage.say("Two paths bring the events of one monitoring system; the second is not faithful.")
        try stage.run(["init", store, "-t"])
        try stage.run(["ingest", store, fixtures + "/events/websocket.ndjson", "--origin", "websocket", "-t"])
        try stage.run(["ingest", store, fixtures + "/events/realtime.ndjson", "--origin", "realtime", "-t"])
        try stage.say("A replay is killed half-way, and resumed; beside it another one runs undisturbed.")
        try stage.killed(["replay", store, projection, "--batch", "1", "-t"], store: store)
        try stage.run(["replay", "list", store, "--nl"], shows: { "  " + ReplayLine.short($0) })
        let resumed = try stage.run(["replay", store, projection, "--json"], shows: ReplayLine.digests)
        let other = folder.path + "/undisturbed.db"
        let whole = try stage.run(
            ["replay", store, projection, "--into", other, "--json"], shows: ReplayLine.digests,
            beforehand: ["backup", store, folder.path + "/copy.db"], on: folder.path + "/copy.db",
            drops: "service_health")
        guard ReplayLine.digests(resumed) == ReplayLine.digests(whole) else {
            throw StoreError(.bug, during: "compare the replays", "their digests differ")
        }
        try stage.say("The digests are the same: every event was applied once, in order.")
        try stage.say("Where the two origins disagree, the store keeps both copies.")
        try stage.run(["conflicts", "diff", store, "1", "-t"])
        try stage.run(["conflicts", "resolve", store, "1", "--take", "websocket", "--reason", "the feed of record", "-t"])
        try stage.say("The projection follows the decision, and everything can be proved.")
        try stage.run(["replay", store, projection, "-t"])
        try stage.run(["verify", store, "-t"])
        try stage.run([
            "query", store,
            "SELECT service, status, checks FROM service_health ORDER BY checks DESC LIMIT 5", "-t",
        ])
        if keep != nil { try stage.say("The store is \(store).") }
        return Exit.done
    }
}

/// Runs commands of tally as a person would, and shows them.
private struct Stage {
    private let folder: String

    init(_ folder: String) { self.folder = folder }

    func say(_ text: String) throws { try show("\n# \(text)\n") }

    private func show(_ text: String) throws {
        let output = try OutputFile(path: nil)
        try output.write(text)
        try output.flush()
    }

    /// Runs a command and shows what it prints, or what `shows` makes of that.
    @discardableResult
    func run(
        _ arguments: [String],
        shows: ((String) -> String)? = nil,
        beforehand: [String]? = nil,
        on copy: String? = nil,
        drops replay: String? = nil
    ) throws -> String {
        var arguments = arguments
        if let beforehand, let copy, let replay {
            _ = try Child.run(beforehand)
            _ = try Child.run(["replay", "drop", copy, replay])
            arguments[1] = copy
        }
        let words = arguments.map { $0.hasPrefix(folder + "/") ? String($0.dropFirst(folder.count + 1)) : $0 }
        try show("\n$ tally " + words.map { $0.contains(" ") ? "\"\($0)\"" : $0 }.joined(separator: " ") + "\n")
        let (code, printed) = try Child.run(arguments)
        try show(shows.map { $0(printed) + "\n" } ?? printed)
        guard code == Exit.done else {
            throw StoreError(.bug, during: "run the demo", on: words.joined(separator: " "), "it exited \(code)")
        }
        return printed
    }

    /// Starts a replay and kills it without warning once it has got somewhere.
    func killed(_ arguments: [String], store: String) throws {
        try show("\n$ tally " + arguments.dropFirst(0).map { $0.hasPrefix(folder) ? String($0.dropFirst(folder.count + 1)) : $0 }
            .joined(separator: " ") + "      # and kill -9\n")
        let child = try Child.start(arguments)
        usleep(400_000)
        kill(child, SIGKILL)
        var status: Int32 = 0
        waitpid(child, &status, 0)
        try show("  killed\n")
    }
}

/// Other processes of this program.
private enum Child {
    static func start(_ arguments: [String], output: Int32? = nil) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        if let output {
            posix_spawn_file_actions_adddup2(&actions, output, 1)
            posix_spawn_file_actions_addclose(&actions, output)
        } else {
            posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        }
        defer { posix_spawn_file_actions_destroy(&actions) }
        var words: [UnsafeMutablePointer<CChar>?] = (["tally"] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var child = pid_t()
        let result = posix_spawn(&child, "/proc/self/exe", &actions, nil, words, environ)
        guard result == 0 else {
            throw StoreError(.bug, during: "start tally again", String(cString: strerror(result)))
        }
        return child
    }

    static func run(_ arguments: [String]) throws -> (code: Int32, output: String) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else {
            throw StoreError(.bug, during: "start tally again", String(cString: strerror(errno)))
        }
        let child = try start(arguments, output: ends[1])
        close(ends[1])
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(ends[0], &chunk, chunk.count)
            if count <= 0 { break }
            output.append(contentsOf: chunk[..<count])
        }
        close(ends[0])
        var status: Int32 = 0
        waitpid(child, &status, 0)
        let code = status & 0x7F == 0 ? (status >> 8) & 0xFF : -1
        return (code, String(decoding: output, as: UTF8.self))
    }
}

/// What the demo shows of a replay's report.
private enum ReplayLine {
    static func digests(_ report: String) -> String {
        guard let document = try? JSONDocument(Array(report.utf8)) else { return report }
        let digest = document.root["digest"]?.string ?? ""
        let applied = document.root["applied_digest"]?.string ?? ""
        return "  digest \(digest)\n  applied digest \(applied)"
    }

    static func short(_ line: String) -> String {
        guard let document = try? JSONDocument(Array(line.utf8)) else { return line }
        var position: [UInt8] = []
        document.root["position"]?.write(to: &position)
        var head: [UInt8] = []
        document.root["head"]?.write(to: &head)
        return "\(document.root["replay"]?.string ?? "") stands at \(String(decoding: position, as: UTF8.self)) of "
            + String(decoding: head, as: UTF8.self)
    }
}

/// A folder for the demo's files.
private final class Scratch {
    let path: String
    private let isKept: Bool

    init(_ keep: String?) throws {
        isKept = keep != nil
        if let keep {
            path = keep
            guard mkdir(keep, 0o700) == 0 || errno == EEXIST else {
                throw StoreError(.cannotCreate, during: "create the folder", on: keep, String(cString: strerror(errno)))
            }
            return
        }
        var template = Array("/tmp/tally-demo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw StoreError(.cannotCreate, during: "create a folder", String(cString: strerror(errno)))
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        guard !isKept else { return }
        for name in ["demo.db", "copy.db", "undisturbed.db"] {
            for suffix in ["", "-wal", "-shm"] { unlink("\(path)/\(name)\(suffix)") }
        }
        rmdir(path)
    }
}
