import Glibc
import TallystickTestSupport
import Testing

/// Processes that get less than they need: what is missing is an error, never a trap, a hang or a bug.
@Suite("Scarce resources")
struct ResourceTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        let tally = TallyCommand(in: folder.path)
        #expect(tally.run("init", "s.db").code == 0)
        for (origin, value) in [("a", 1), ("b", 2)] {
            let event = #"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":\#(value)}"#
            let arguments = ["ingest", "s.db", "-", "--origin", origin]
            #expect(tally.run(arguments, input: event).code == 0)
        }
        #expect(tally.run(["ingest", "s.db", "-", "--origin", "a"], input: "no event").code != 70)
    }

    private static let event =
        #"{"specversion":"1.0","id":"2","source":"/s","type":"t","data":[[[1]]]}"#

    /// One or more of every command.
    private static let commands: [[String]] = [
        ["--version"], ["--help"], ["init", "n.db"], ["ingest", "s.db", "-", "--origin", "c"],
        ["append", "s.db", "t", "-"], ["read", "s.db"], ["export", "s.db"], ["verify", "s.db"],
        ["replay", "list", "s.db"], ["replay", "s.db", "--to", "-"], ["conflicts", "s.db"],
        ["conflicts", "diff", "s.db", "1"], ["reconcile", "s.db", "--dry-run"],
        ["breaker", "s.db"],
        ["quarantine", "s.db"], ["audit", "s.db"], ["audit", "verify", "s.db"],
        ["audit", "replay", "s.db"], ["config", "show", "s.db"], ["query", "s.db", "SELECT 1"],
        ["stats", "s.db", "--content-digest"], ["doctor", "s.db"], ["keys", "list", "s.db"],
        ["keys", "generate", "s.db", "--signing", "signer.key", "--reason", "r"],
        ["seal", "s.db", "--key-file", "signer.key"], ["prove", "event", "s.db", "1"],
        ["backup", "s.db", "copy.db"], ["upgrade", "s.db"], ["completions", "bash"],
    ]
    /// Bug, and what a shell says of a program that it cannot start, are not among them.
    private static let codes: Set<Int32> = [0, 1, 2, 3, 4, 64, 65, 66, 73, 74, 75, 77]

    private func check(_ limit: String, _ allowed: Set<Int32> = codes.subtracting([2])) {
        let program = "\(limit); exec \"$@\""
        let limited = TallyCommand(in: folder.path, under: ["/bin/bash", "-c", program, "tally"])
        for command in Self.commands {
            let result = limited.run(command, input: Self.event)
            #expect(
                allowed.contains(result.code),
                "\(limit): \(command): \(result.code) \(result.errors)"
            )
        }
        let verified = TallyCommand(in: folder.path).run("verify", "s.db")
        #expect(verified.code == 0, "\(limit): \(verified.errors)")
    }

    @Test("With few open files a command works, or says so", arguments: 4...12)
    func openFiles(_ count: Int) { check("ulimit -n \(count)") }

    @Test(
        "A limit on the stack of the first thread is not one on those that work",
        arguments: [256, 1024]
    )
    func stack(_ kibibytes: Int) { check("ulimit -s \(kibibytes)") }

    @Test("Deep input is taken under any limit on the stack")
    func deepInput() {
        let deep = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        let event = #"{"specversion":"1.0","id":"d","source":"/s","type":"t","data":\#(deep)}"#
        let program = "ulimit -s 256; exec \"$@\""
        let limited = TallyCommand(in: folder.path, under: ["/bin/bash", "-c", program, "tally"])
        let result = limited.run(["ingest", "s.db", "-", "--origin", "a"], input: event)
        #expect(result.code == 0 && result.output.contains("\"appended\":1"), "\(result)")
        #expect(limited.run("verify", "s.db").code == 0)
    }

    @Test("A limit on the size of files makes writes fail, not the process", arguments: [0, 64])
    func fileSize(_ blocks: Int) { check("ulimit -f \(blocks)") }

    @Test("Streams that are closed are nobody's", arguments: ["exec <&-", "exec >&-", "exec 2>&-"])
    func closedStreams(_ closing: String) { check(closing) }

    @Test("Output that nobody can take is a failed write")
    func fullDevice() {
        let program = "exec \"$@\" > /dev/full"
        let full = TallyCommand(in: folder.path, under: ["/bin/bash", "-c", program, "tally"])
        let plain = TallyCommand(in: folder.path)
        for command in Self.commands {
            let result = full.run(command, input: Self.event)
            // Refused for reasons of their own, or without a word to say.
            let expected: Set<Int32> = [4, 64, 66, 73, 74]
            let isSilent = result.code == 0 && plain.run(command, input: Self.event).output.isEmpty
            #expect(
                isSilent || expected.contains(result.code),
                "\(command): \(result.code) \(result.errors)"
            )
        }
    }

    /// Whether this process may have a mount namespace of its own.
    private static let canUnmount: Bool = {
        let folder = try? TemporaryFolder()
        let unshare = TallyCommand(in: folder?.path ?? "/", path: "/usr/bin/unshare")
        return unshare.run("-m", "/bin/true").code == 0
    }()

    @Test("Nothing needs /proc", .enabled(if: canUnmount))
    func withoutProc() {
        let program = "mount -t tmpfs none /proc && exec \"$@\""
        let words = ["/usr/bin/unshare", "-m", "/bin/bash", "-c", program, "tally"]
        let bare = TallyCommand(in: folder.path, under: words)
        let plain = TallyCommand(in: folder.path)
        for command in [
            ["--version"], ["read", "s.db"], ["verify", "s.db"], ["query", "s.db", "SELECT 7"],
        ] {
            let (result, expected) = (bare.run(command), plain.run(command))
            #expect(result.code == expected.code, "\(command): \(result)")
            #expect(result.output.isEmpty == expected.output.isEmpty, "\(command): \(result)")
        }
        #expect(bare.run("--version").output == plain.run("--version").output)
        #expect(bare.run("stats", "missing.db").code == 66)
    }

    @Test("The demo runs in any folder, and leaves nothing there")
    func demo() {
        let result = TallyCommand(in: folder.path).run("demo")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output.contains("The digests are the same"))
        #expect(
            TallyCommand(in: folder.path, path: "/bin/ls").run("-A").output.contains("websocket")
                == false
        )
    }
}
