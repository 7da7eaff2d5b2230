import Foundation
import TallystickTestSupport
import Testing

@Suite("Conflict commands")
struct ConflictCommandTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        #expect(tally.run("init", "s.db").code == 0)
        for (origin, value) in [("left", 1), ("right", 2)] {
            let lines = ["a", "b"].map { id in
                #"{"specversion":"1.0","id":"\#(id)","source":"/s","type":"t","data":{"n":\#(value),"same":0}}"#
            }
            #expect(
                tally.run(
                    "ingest",
                    "s.db",
                    "-",
                    "--origin",
                    origin,
                    input: lines.joined(separator: "\n")
                ).code == 0
            )
        }
    }

    @Test("A bulk resolution shows first, and decides with --yes")
    func bulk() {
        let words = ["conflicts", "resolve", "s.db", "--all", "--take", "right", "--reason", "r"]
        let preview = tally.run(words + ["--json"])
        #expect(preview.code == 0)
        #expect(preview.output.contains("\"preview\":true,\"decided\":2,\"refused\":0"))
        #expect(tally.run("conflicts", "list", "s.db", "--check").code == 1)
        #expect(tally.run(words + ["--kind", "equivocation"]).output.contains("\"decided\":0"))
        let done = tally.run(words + ["--kind", "payload_differs", "--yes"])
        #expect(done.output.contains("\"preview\":false,\"decided\":2,\"refused\":0"))
        #expect(tally.run("conflicts", "list", "s.db", "--check").code == 0)
        #expect(tally.run("audit", "verify", "s.db").code == 0)
    }

    @Test("Of a conflict with many candidates a page is compared, and the next one goes on")
    func pages() {
        let lines = (0..<130).map {
            #"{"specversion":"1.0","id":"a","source":"/s","type":"t","data":{"n":\#($0 + 10)}}"#
        }
        let input = lines.joined(separator: "\n")
        #expect(tally.run("ingest", "s.db", "-", "--origin", "left", input: input).code == 0)
        func diff(_ words: String...) -> (code: Int32, columns: [Substring], errors: String) {
            let result = tally.run(["conflicts", "diff", "s.db", "1", "--csv"] + words)
            let header = result.output.split(separator: "\r\n").first ?? ""
            return (result.code, header.split(separator: ","), result.errors)
        }
        let first = diff()
        #expect(first.code == 3 && first.errors.contains("--after 100"))
        #expect(first.columns.count == 101 && first.columns.last == "100 left")
        let second = diff("--after", "100")
        #expect(second.code == 0 && second.errors == "")
        #expect(second.columns.prefix(3) == ["place", "1 left", "101 left"])
        #expect(second.columns.count == 34 && second.columns.last == "132 left")
        let few = diff("--after", "7", "--limit", "2")
        #expect(few.code == 0 && few.columns == ["place", "1 left", "8 left", "9 left"])
        #expect(diff("--limit", "0").code == 64 && diff("--after", "-1").code == 64)
        let shown = tally.run("conflicts", "show", "s.db", "1")
        #expect(shown.code == 0 && shown.output.split(separator: "\n").count == 132)
    }

    @Test("What cannot be meant is refused as usage; what somebody else decided, with code 4")
    func refusals() {
        func resolve(_ words: String...) -> Int32 {
            tally.run(["conflicts", "resolve", "s.db", "--reason", "r"] + words).code
        }
        #expect(resolve("1") == 64)
        #expect(resolve("--take", "left") == 64)
        #expect(resolve("1", "--all", "--take", "left") == 64)
        #expect(resolve("1", "--yes", "--take", "left") == 64)
        #expect(resolve("1", "--take", "left", "--exclude") == 64)
        #expect(resolve("--all", "--kind", "none", "--take", "left") == 64)
        #expect(resolve("9", "--take", "left") == 66)
        #expect(resolve("1", "--take", "left", "--reason", " ") == 64)
        #expect(resolve("1", "--content", "none.json") == 66)
        #expect(resolve("1", "--take", "left") == 0)
        #expect(resolve("1", "--take", "right") == 4)
        #expect(tally.run("conflicts", "reopen", "s.db", "2", "--reason", "r").code == 4)
        #expect(tally.run("conflicts", "reopen", "s.db", "1", "--reason", "r").code == 0)
        #expect(resolve("1", "--take", "right") == 0)
    }

    @Test("Of two commands that decide the same conflict at once, one wins and one exits 4")
    func atOnce() {
        for conflict in ["1", "2"] {
            let words = { (origin: String) in
                tally.start(
                    "conflicts",
                    "resolve",
                    "s.db",
                    conflict,
                    "--take",
                    origin,
                    "--reason",
                    "r"
                )
            }
            let running = [words("left"), words("right")]
            #expect(running.map { tally.wait(for: $0) }.sorted() == [0, 4])
        }
        let count = tally.run("query", "s.db", "SELECT count(*) AS n FROM resolutions").output
        #expect(count == "{\"n\":2}\n")
    }

    @Test("Only what differs is coloured, on a terminal, unless NO_COLOR is set")
    func colours() throws {
        func diff(_ words: [String], _ variables: [String] = []) throws -> String {
            let script =
                "import pty, sys\nsys.exit(pty.spawn(sys.argv[1:]) >> 8)"
            let process = Process()
            let pipe = Pipe()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments =
                ["-C", folder.path, "-u", "NO_COLOR", "TERM=xterm"] + variables
                + ["python3", "-c", script, tally.path, "conflicts", "diff", "s.db", "1"] + words
            process.standardOutput = pipe
            process.standardInput = FileHandle.nullDevice
            try process.run()
            let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            return String(decoding: data, as: UTF8.self)
        }
        let full = try diff(["--full"])
        #expect(full.contains("\u{1B}[31m1\u{1B}[0m"), "\(full.debugDescription)")
        #expect(full.contains("\u{1B}[32m2\u{1B}[0m"))
        #expect(full.contains("/data/same"))
        #expect(!full.contains("m0\u{1B}"))
        let plain = try diff([])
        #expect(!plain.contains("/data/same"))
        #expect(!(try diff([], ["NO_COLOR=1"])).contains("\u{1B}["))
        let piped = tally.run("conflicts", "diff", "s.db", "1").output
        #expect(piped == "{\"place\":\"/data/n\",\"1 left\":\"1\",\"2 right\":\"2\"}\n")
    }
}
