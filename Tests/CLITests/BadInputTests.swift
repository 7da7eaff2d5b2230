import Foundation
import TallystickTestSupport
import Testing

@Suite("Bad input on the command line")
struct BadInputTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        _ = tally.run("init", "s.db")
    }

    /// Ingests from standard input, with a report in JSON.
    private func ingest(_ input: String) -> TallyCommand.Result {
        tally.run("ingest", "s.db", "-", "--origin", "a", "--json", input: input)
    }

    private static let good = #"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#

    @Test(
        "Each kind of bad event is quarantined with its code and place, the good one beside it is kept",
        arguments: [
            ("not json", "json_syntax"), (#"{"specversion":"1.0","id":"2""#, "json_unexpected_end"),
            (String(repeating: "[", count: 1_000_000), "json_too_deep"),
            (
                #"{"specversion":"1.0","id":"2","source":"/s","type":"t","data":1e1234567890}"#,
                "json_exponent"
            ),
            (
                #"{"specversion":"1.0","id":"2","id":"3","source":"/s","type":"t"}"#,
                "json_duplicate_member"
            ),
            (
                #"{"specversion":"1.0","id":"\ud800","source":"/s","type":"t"}"#,
                "json_lone_surrogate"
            ),
            (#"{"specversion":"1.0","id":"2\u0000","source":"/s","type":"t"}"#, "attribute_value"),
            (#"{"specversion":"1.0","source":"/s","type":"t"}"#, "missing_attribute"),
            (#"{"specversion":"1.0","id":"","source":"/s","type":"t"}"#, "empty_attribute"),
            (#"{"specversion":"1.0","id":2,"source":"/s","type":"t"}"#, "attribute_type"),
            (#"{"specversion":"0.3","id":"2","source":"/s","type":"t"}"#, "bad_specversion"),
            (
                #"{"specversion":"1.0","id":"2","source":"/s","type":"t","time":"yesterday"}"#,
                "bad_time"
            ),
            (
                #"{"specversion":"1.0","id":"2","source":"/s","type":"t","Upper":"x"}"#,
                "attribute_name"
            ),
            (
                #"{"specversion":"1.0","id":"2","source":"/s","type":"t","data":1,"data_base64":"AA=="}"#,
                "data_and_data_base64"
            ),
            (
                #"{"specversion":"1.0","id":"2","source":"/s","type":"t","data_base64":"A"}"#,
                "bad_base64"
            ),
            (
                #"{"specversion":"1.0","id":"2","source":"/s","type":"t","ext":{}}"#,
                "attribute_type"
            ),
            (
                #"{"specversion":"1.0","id":"2","source":"/s","type":"t","checksum":"00000000","checksumalgorithm":"crc32"}"#,
                "checksum_mismatch"
            ),
            ("[1]", "json_syntax"), ("7", "not_an_object"),
        ]
    )
    func events(_ line: String, _ code: String) {
        let result = ingest(Self.good + "\n" + line + "\n")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output.contains("\"appended\":1"))
        #expect(result.output.contains("\"quarantined\":1"))
        if line != "[1]" {
            #expect(result.output.contains("\"code\":\"\(code)\""), "\(result.output)")
        }
        #expect(result.output.contains("\"line\":2"))
        #expect(tally.run("verify", "s.db").code == 0)
    }

    @Test(
        "Whatever value an attribute has, what is accepted verifies, and can be read and exported"
    )
    func attributeTypes() throws {
        let names = [
            "tallystream", "tallyrevision", "traceparent", "checksum", "checksumalgorithm",
            "checksumkeyid", "dataschema", "datacontenttype", "subject", "time", "extension",
        ]
        let values = [
            "7", "-0", "1.5", "true", "false", "null", #""""#, #""x""#, #""\u0000""#, #""\u0041""#,
            #""\"\\""#, "[]", "{}", #""ru""#,
        ]
        var lines: [String] = []
        for name in names {
            for value in values {
                lines.append(
                    #"{"specversion":"1.0","id":"\#(lines.count)","source":"/s","type":"t","\#(name)":\#(value)}"#
                )
            }
        }
        let result = ingest(
            lines.joined(separator: "\n")
        )
        #expect(result.code == 0, "\(result.errors)")
        #expect(tally.run("verify", "s.db").code == 0)
        #expect(tally.run("read", "s.db").code == 0)
        let exported = tally.run("export", "s.db")
        #expect(exported.code == 0)
        let bad = tally.run(
            "query",
            "s.db",
            "SELECT count(*) AS n FROM streams WHERE name = '' OR instr(name, char(0))"
        )
        #expect(bad.output == "{\"n\":0}\n")
        _ = tally.run("init", "copy.db")
        #expect(
            tally.run("ingest", "copy.db", "-", "--origin", "a", input: exported.output).code == 0
        )
        #expect(tally.run("export", "copy.db").output == exported.output)
    }

    @Test(
        "A value that is missing in an array is named, wherever it is",
        arguments: ["[E,]", "[E,,E]", "[,E]", "[E ,\n ]", "[,]"]
    )
    func missingValues(_ layout: String) {
        let input = layout.replacing("E", with: Self.good)
        let result = ingest(input)
        #expect(result.code == (layout.contains("E") ? 0 : 65))
        #expect(result.output.contains("a value is missing in the array"), "\(result.output)")
        for whole in ["[]", "[ ]", "[\(Self.good)\n]"] {
            let result = ingest(whole)
            #expect(!result.output.contains("missing in the array"), "\(whole)")
        }
    }

    @Test("--output replaces no database, no file of keys, and nothing that the command reads")
    func preciousOutput() throws {
        func path(_ name: String) -> URL { URL(filePath: folder.file(name)) }
        try Data(Self.good.utf8).write(to: path("in.ndjson"))
        _ = tally.run("init", "other.db")
        #expect(
            tally.run("keys", "generate", "s.db", "--key-file", "ring.json", "--reason", "x").code
                == 0
        )
        let link = folder.file("link.json")
        symlink("ring.json", link)
        let commands: [([String], String)] = [
            (["ingest", "s.db", "in.ndjson", "--origin", "a"], "in.ndjson"),
            (["ingest", "s.db", "./in.ndjson", "--origin", "a"], "in.ndjson"),
            (["stats", "s.db"], "other.db"), (["stats", "s.db"], "s.db"),
            (["stats", "s.db"], "s.db-wal"), (["stats", "s.db"], "s.db-shm"),
            (["stats", "s.db"], "ring.json"), (["stats", "s.db"], "link.json"),
            (
                ["keys", "rotate", "s.db", "--key-file", "ring.json", "--reason", "x"], "ring.json"
            ),
            (
                ["keys", "rotate", "s.db", "--key-file=ring.json", "--reason", "x"], "ring.json"
            ),
        ]
        for (words, output) in commands {
            let before = try Data(contentsOf: path(output))
            for option in [["--output", output], ["--output=" + output]] {
                let result = tally.run(words + option)
                #expect(result.code == 73, "\(words + option): \(result.errors)")
                #expect(result.errors.contains("--output"))
                #expect(try Data(contentsOf: path(output)) == before)
            }
        }
        let keys = tally.run("query", "s.db", "SELECT count(*) AS n FROM keys")
        #expect(keys.output == "{\"n\":1}\n", "the work was not begun")
        #expect(tally.run("stats", "s.db", "--output", "out.json").code == 0)
        #expect(tally.run("stats", "s.db", "--output", "out.json").code == 0, "it may be replaced")
        #expect(tally.run("init", "new.db", "--output", "new.db").code == 73, "made meanwhile")
        #expect(tally.run("verify", "new.db").code == 0)
        let standard = tally.run("stats", "s.db", "--output", "-", "--json")
        #expect(standard.output.contains("\"command\":\"stats\""))
        #expect(!FileManager.default.fileExists(atPath: folder.file("-")))
    }

    @Test(
        "SIGTERM ends a command that waits for input which does not come, with exit 3",
        arguments: [
            ["ingest", "s.db", "FIFO", "--origin", "a"], ["append", "s.db", "st", "FIFO"],
        ],
        [true, false]
    )
    func waiting(_ words: [String], hasWriter: Bool) {
        mkfifo(folder.file("FIFO"), 0o600)
        let child = tally.start(words)
        var end: Int32 = -1
        if hasWriter {
            end = open(folder.file("FIFO"), O_WRONLY | O_CLOEXEC)
            _ = (Self.good + "\n").withCString { write(end, $0, strlen($0)) }
        }
        #expect(Waiting.until(child, handles: SIGTERM))
        kill(child, SIGTERM)
        #expect(tally.wait(for: child) == 3)
        if end >= 0 { close(end) }
        #expect(tally.run("verify", "s.db").code == 0)
    }

    @Test("Input without any event exits 65 and says why; --fail-on exits 1")
    func noEvent() {
        let result = tally.run("ingest", "s.db", "-", "--origin", "a", input: "nonsense\n")
        #expect(result.code == 65)
        #expect(result.errors.contains("quarantine"))
        let mixed = tally.run(
            "ingest",
            "s.db",
            "-",
            "--origin",
            "a",
            "--fail-on",
            "quarantined",
            input: Self.good + "\nx\n"
        )
        #expect(mixed.code == 1)
    }

    @Test("A source that equals the origin is refused with the way out")
    func sourceIsOrigin() {
        let event = #"{"specversion":"1.0","id":"1","source":"poll","type":"t"}"#
        let result = tally.run("ingest", "s.db", "-", "--origin", "poll", input: event)
        #expect(result.code == 65)
        #expect(result.errors.contains("--map source="))
        #expect(
            tally.run("query", "s.db", "SELECT count(*) AS n FROM events").output == "{\"n\":0}\n"
        )
    }

    @Test("Quarantine tells what is wrong, where, and shows the input")
    func quarantineIsExplained() throws {
        let bad = #"{"specversion":"1.0","id":"2","source":"/s","type":"t","data":{"a":1,"a":2}}"#
        let result = tally.run(
            "ingest",
            "s.db",
            "-",
            "--origin",
            "a",
            "-t",
            input: Self.good + "\n" + bad + "\n"
        )
        #expect(result.output.contains("line 2"))
        #expect(result.output.contains("json_duplicate_member"), "\(result.output)")
        let shown = tally.run("quarantine", "show", "s.db", "1", "-t")
        #expect(shown.code == 0, "\(shown.errors)")
        #expect(shown.output.contains("json_duplicate_member"))
        #expect(shown.output.contains("\"a\":1"), "\(shown.output)")
    }

    @Test(
        "Attributes that are missing, empty, of the wrong type or badly named are refused one by one",
        arguments: ["id", "source", "type", "specversion"],
        ["missing", "empty", "number", "null", "array"]
    )
    func attributes(_ name: String, _ change: String) {
        var members = [
            "specversion": "\"1.0\"", "id": "\"9\"", "source": "\"/s\"", "type": "\"t\"",
        ]
        switch change {
        case "missing": members[name] = nil
        case "empty": members[name] = "\"\""
        case "number": members[name] = "1"
        case "null": members[name] = "null"
        default: members[name] = "[\"1.0\"]"
        }
        let line = "{" + members.map { "\"\($0)\":\($1)" }.sorted().joined(separator: ",") + "}"
        let result = ingest(line)
        #expect(result.code == 65)
        #expect(result.output.contains("\"quarantined\":1"), "\(line)")
        #expect(result.output.contains("\"appended\":0"), "\(line)")
        #expect(result.errors.contains("hint: "))
        #expect(result.errors.contains("line 1"), "\(result.errors)")
        #expect(result.errors.contains(name), "what is wrong is named: \(result.errors)")
    }

    @Test("A line of a hundred megabytes, from a pipe, is quarantined in bounded memory")
    func longLine() throws {
        // The full run uses a gigabyte.
        let mebibytes =
            ProcessInfo.processInfo.environment["TALLY_LONG_LINE_MIB"].flatMap { Int($0) } ?? 100
        let event = #"{"specversion":"1.0","id":"%s","source":"/s","type":"t","data":"%s"}\n"#
        let producer = """
            printf '\(event)' 1 x; printf '{"specversion":"1.0","id":"2","source":"/s","type":"t","data":"'
            head -c \(mebibytes)M /dev/zero | tr '\\0' x; printf '"}\\n\(event)' 3 x
            """
        let piped = TallyCommand(
            in: folder.path,
            under: ["bash", "-c", "{ \(producer)\n} | \"$@\"", "piped"]
        )
        let (result, peak) = piped.measure("ingest", "s.db", "-", "--origin", "a", "--json")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output.contains("\"code\":\"too_large\""), "\(result.output)")
        #expect(result.output.contains("\"appended\":2"))
        #expect(peak < 200, "\(peak) MiB")
        let kept = tally.run(
            "query",
            "s.db",
            "SELECT length, length(content) AS kept FROM quarantine"
        )
        let around = #"{"specversion":"1.0","id":"2","source":"/s","type":"t","data":""}"#.utf8
            .count
        #expect(kept.output == "{\"length\":\((mebibytes << 20) + around),\"kept\":16777216}\n")
        #expect(tally.run("verify", "s.db").code == 0)
    }

    @Test(
        "Nesting of a million, in arrays and objects, before and inside an event",
        arguments: ["[", "{\"a\":"]
    )
    func nesting(_ opening: String) {
        let deep = String(repeating: opening, count: 1_000_000)
        for line in [
            deep, #"{"specversion":"1.0","id":"2","source":"/s","type":"t","data":"# + deep,
        ] {
            let result = ingest(Self.good + "\n" + line + "\n")
            #expect(result.code == 0, "\(result.code) \(result.errors)")
            #expect(result.output.contains("\"quarantined\":1"), "\(result.output)")
            #expect(result.output.contains("json_too_deep"), "\(result.output)")
        }
    }

    @Test(
        "Bytes that are no text are refused where they are",
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82],
            [0x00],
        ] as [[UInt8]]
    )
    func bytes(_ bytes: [UInt8]) throws {
        var input = Array(
            (Self.good + "\n" + #"{"specversion":"1.0","id":"2","source":"/s","type":"t","data":""#)
                .utf8
        )
        input += bytes + Array("\"}\n".utf8)
        let path = folder.file("bytes.ndjson")
        try Data(input).write(to: URL(filePath: path))
        let result = tally.run("ingest", "s.db", path, "--origin", "a", "--json")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output.contains("\"quarantined\":1"), "\(result.output)")
        #expect(result.output.contains("\"appended\":1"), "\(result.output)")
        #expect(result.output.contains("\"line\":2"))
        #expect(tally.run("verify", "s.db").code == 0)
    }

    @Test("The same bytes twice are one input in quarantine; the input is there byte for byte")
    func quarantineIsFaithful() throws {
        let bad = "no\u{1B}[31m event \u{0}, at all"
        for _ in 0..<2 {
            #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: bad + "\n").code == 65)
        }
        let rows = tally.run("query", "s.db", "SELECT hex(content) AS h FROM quarantine", "--csv")
            .output
        let hexadecimal = bad.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
            .joined()
        #expect(rows == "h\r\n\(hexadecimal.uppercased())\r\n")
    }

    @Test("Files that are no store are refused, each with its exit code")
    func noStore() throws {
        #expect(tally.run("stats", "missing.db").code == 66)
        try "hello, this is text and no database at all".write(
            toFile: folder.file("text.db"),
            atomically: true,
            encoding: .utf8
        )
        #expect(tally.run("stats", "text.db").code == 66)
        #expect(tally.run("init", "s.db").code == 73)
        #expect(tally.run("init", "no/such/folder.db").code == 73)
        try FileManager.default.createSymbolicLink(
            atPath: folder.file("link.db"),
            withDestinationPath: folder.file("s.db")
        )
        #expect(tally.run("stats", "link.db").code == 77)
        #expect(tally.run("ingest", "s.db", "missing.ndjson", "--origin", "a").code == 66)
        #expect(tally.run("ingest", "s.db").code == 64)
        #expect(tally.run("nonsense").code == 64)
    }

    @Test("A query that does more than read is denied; errors have their codes")
    func queries() {
        for sql in [
            "DELETE FROM events", "DROP TABLE events", "ATTACH 'x.db' AS x",
            "PRAGMA journal_mode = DELETE",
            "SELECT load_extension('x')", "CREATE TABLE t (x)", "VACUUM INTO 'y.db'",
            "SELECT readfile('s.db')",
        ] {
            let result = tally.run("query", "s.db", sql)
            #expect(result.code == 77 || result.code == 65, "\(sql): \(result.code)")
            #expect(!result.errors.isEmpty)
        }
        #expect(tally.run("query", "s.db", "SELECT nothing").code == 65)
        #expect(tally.run("query", "s.db", "SELECT 1; SELECT 2").code == 65)
        let endless =
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
        #expect(tally.run("query", "s.db", endless, "--max-time", "200ms").code == 3)
    }
}
