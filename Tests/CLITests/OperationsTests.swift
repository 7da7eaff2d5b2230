import Foundation
import TallystickTestSupport
import Testing

/// What a service or a cron job needs of the commands.
@Suite("Operations")
struct OperationsTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path, under: Waiting.command)
        #expect(tally.run("init", "s.db").code == 0)
    }

    private func deliver(_ origin: String, data: Int, ids: Range<Int> = 0..<3) {
        let lines = ids.map { id in
            #"{"specversion":"1.0","id":"e\#(id)","source":"/s","type":"t","data":\#(data)}"#
        }
        let result = tally.run(
            ["ingest", "s.db", "-", "--origin", origin],
            input: lines.joined(separator: "\n")
        )
        #expect(result.code == 0)
    }

    @Test("stats --check exits 1 for a threshold, a breaker, and an old conflict, and names each")
    func check() throws {
        deliver("a", data: 1)
        let healthy = tally.run("stats", "s.db", "--check", "--json")
        #expect(healthy.code == 0)
        #expect(healthy.output.contains(#""findings":[]"#))
        deliver("b", data: 2)
        let breaker = tally.run(
            "breaker",
            "set",
            "s.db",
            "a",
            "forced_open",
            "--reason",
            "repair"
        )
        #expect(breaker.code == 0)
        let bad = tally.run("stats", "s.db", "--check", "--json")
        #expect(bad.code == 1, "\(bad.errors)")
        for part in [
            #"{"check":"mismatch_threshold","limit":"0.02","subject":"b system","value":"1.0"}"#,
            #"{"check":"breaker","limit":"closed","subject":"origin a","value":"forced_open"}"#,
        ] {
            #expect(bad.output.contains(part), "\(bad.output)")
        }
        let old = Waiting.until {
            tally.run("stats", "s.db", "--check", "--json", "--max-conflict-age", "1s")
                .output.contains(#""check":"oldest_conflict","limit":"1 s","subject":"conflict 1""#)
        }
        #expect(old)
        #expect(tally.run("stats", "s.db", "--max-conflict-age", "1d").code == 64)
        #expect(tally.run("stats", "s.db", "--check", "--max-conflict-age", "soon").code == 64)
    }

    @Test("reconcile --follow reports each run that found something, until SIGTERM")
    func follow() throws {
        deliver("a", data: 1)
        let output = folder.file("output")
        let plain = TallyCommand(in: folder.path)
        let child = plain.start(
            ["reconcile", "run", "s.db", "--follow", "--interval", "100ms"],
            output: output
        )
        deliver("b", data: 2)
        tally.makeMissing(at: "b", in: "s.db")
        #expect(Waiting.until { TallyCommand.text(output).contains(#""missing_at_origin":1"#) })
        #expect(kill(child, SIGTERM) == 0)
        #expect(plain.wait(for: child) == 0)
        #expect(tally.run("reconcile", "run", "s.db", "--follow", "--dry-run").code == 64)
        #expect(tally.run("reconcile", "run", "s.db", "--interval", "5s").code == 64)
    }

    @Test("compare --expect holds an origin against a file, and leaves the store as it is")
    func expect() throws {
        deliver("a", data: 1, ids: 0..<10)
        let lines = (2..<12).map { id in
            #"{"specversion":"1.0","id":"e\#(id)","source":"/s","type":"t","data":\#(id == 5 ? 2 : 1)}"#
        }
        try lines.joined(separator: "\n").write(
            toFile: folder.file("file.ndjson"),
            atomically: true,
            encoding: .utf8
        )
        let before = tally.run("query", "s.db", "SELECT count(*) FROM audit_trail").output
        let result = tally.run("compare", "s.db", "a", "--expect", "file.ndjson", "--csv")
        #expect(result.code == 1, "\(result.errors)")
        #expect(result.output.contains("a,file.ndjson,7,1,2,2"), "\(result.output)")
        let listed = tally.run(
            "compare",
            "s.db",
            "a",
            "--expect",
            "file.ndjson",
            "--list",
            "only-b",
            "--nl"
        )
        #expect(
            listed.output.contains(#""event_id":"e10""#)
                && listed.output.contains(#""event_id":"e11""#)
        )
        #expect(tally.run("query", "s.db", "SELECT count(*) FROM audit_trail").output == before)
        let same = tally.run(["compare", "s.db", "a", "--expect", "-"], input: lines[0])
        #expect(same.code == 1)
        #expect(tally.run("compare", "s.db", "a", "b", "--expect", "file.ndjson").code == 64)
        #expect(tally.run("compare", "s.db", "a", "--expect", "none.ndjson").code == 66)
    }
}
