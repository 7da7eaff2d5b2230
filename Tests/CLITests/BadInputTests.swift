import Foundation
import TallystickTestKit
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
        let result = tally.run(
            "ingest",
            "s.db",
            "-",
            "--origin",
            "a",
            "--json",
            input: Self.good + "\n" + line + "\n"
        )
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output.contains("\"appended\":1"))
        #expect(result.output.contains("\"quarantined\":1"))
        if line != "[1]" {
            #expect(result.output.contains("\"code\":\"\(code)\""), "\(result.output)")
        }
        #expect(result.output.contains("\"line\":2"))
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

    @Test("A line over the limit is quarantined with its length, in bounded memory")
    func longLine() throws {
        let path = folder.file("long.ndjson")
        let line = #"{"specversion":"1.0","id":"2","source":"/s","type":"t","data":""#
        let text = Self.good + "\n" + line + String(repeating: "x", count: 20 << 20) + "\"}\n"
        try Data(text.utf8).write(to: URL(filePath: path))
        let result = tally.run("ingest", "s.db", path, "--origin", "a", "--json")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output.contains("\"code\":\"too_large\""))
        let kept = tally.run(
            "query",
            "s.db",
            "SELECT length, length(content) AS kept FROM quarantine"
        ).output
        #expect(kept == "{\"length\":\((20 << 20) + line.utf8.count + 2),\"kept\":16777216}\n")
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

    @Test("Control characters of an event never reach the terminal")
    func escapes() {
        let event = #"{"specversion":"1.0","id":"\u001b[31m","source":"/s","type":"t\u0007"}"#
        #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: event).code == 0)
        let table = tally.run("read", "s.db", "-t").output
        #expect(table.contains("\\x1b[31m"))
        #expect(!table.unicodeScalars.contains("\u{1B}"))
    }
}
