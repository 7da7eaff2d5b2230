import Foundation
import TallystickTestSupport
import Testing

@Suite("Where results go")
struct OutputTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        #expect(tally.run("init", "s.db").code == 0)
        let event = #"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#
        #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: event).code == 0)
    }

    @Test(
        "Results that nobody gets, because standard output is closed, are a failed write",
        arguments: [
            ["read", "s.db", "--nl"], ["export", "s.db"], ["query", "s.db", "SELECT 1"],
            ["replay", "s.db", "--to", "-"], ["stats", "s.db"], ["verify", "s.db"],
            ["audit", "export", "s.db"], ["completions", "bash"], ["--version"],
        ]
    )
    func closedOutput(_ command: [String]) {
        let closed = TallyCommand(
            in: folder.path,
            under: ["/bin/bash", "-c", "exec \"$@\" >&-", "tally"]
        )
        let result = closed.run(command)
        #expect(result.code == 74, "\(result)")
        #expect(result.errors.contains("standard output"), "\(result)")
        #expect(!result.errors.contains("continue with"), "\(result)")
    }

    @Test("Input that is not there, because standard input is closed, is a failed read")
    func closedInput() {
        let closed = TallyCommand(
            in: folder.path,
            under: ["/bin/bash", "-c", "exec \"$@\" <&-", "tally"]
        )
        for command in [["ingest", "s.db", "-", "--origin", "a"], ["append", "s.db", "t", "-"]] {
            let result = closed.run(command)
            #expect(result.code == 74, "\(result)")
        }
    }

    @Test(
        "SIGTERM ends a command whose output has no reader, with exit 3",
        arguments: [["export", "s.db"], ["stats", "s.db"], ["read", "s.db"]]
    )
    func withoutReader(_ command: [String]) throws {
        mkfifo(folder.file("FIFO"), 0o600)
        let child = tally.start(command + ["--output", "FIFO"])
        #expect(Waiting.until(child, handles: SIGTERM))
        kill(child, SIGTERM)
        #expect(tally.wait(for: child) == 3)
    }

    @Test("SIGTERM ends a command whose reader reads no more, with exit 3")
    func slowReader() throws {
        mkfifo(folder.file("FIFO"), 0o600)
        let lines = (2..<2000).map {
            #"{"specversion":"1.0","id":"\#($0)","source":"/s","type":"t","data":"\#(String(repeating: "x", count: 200))"}"#
        }
        let input = lines.joined(separator: "\n")
        #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: input).code == 0)
        let child = tally.start(["export", "s.db", "--output", "FIFO"])
        // Opening waits for the writer; what it writes is more than a pipe holds.
        let end = open(folder.file("FIFO"), O_RDONLY | O_CLOEXEC)
        defer { close(end) }
        var byte: UInt8 = 0
        #expect(read(end, &byte, 1) == 1)
        kill(child, SIGTERM)
        #expect(tally.wait(for: child) == 3)
    }

    @Test("A FIFO gets everything once, however slowly it is read")
    func fifo() throws {
        mkfifo(folder.file("FIFO"), 0o600)
        let expected = tally.run("query", "s.db", Self.large).output
        #expect(expected.utf8.count > 1_000_000)
        let child = tally.start(["query", "s.db", Self.large, "--output", "FIFO"])
        let text = TallyCommand.text(folder.file("FIFO"))
        #expect(tally.wait(for: child) == 0)
        #expect(text == expected)
    }

    private static let large = """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        SELECT i, printf('%0500d', i) AS text FROM n
        """
}
