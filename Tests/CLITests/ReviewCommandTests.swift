import Foundation
import TallystickTestSupport
import Testing

/// `conflicts review`, as a person uses it who types lines.
@Suite("Reviewing conflicts")
struct ReviewCommandTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path, under: Waiting.command)
        #expect(tally.run("init", "s.db").code == 0)
        try deliver("a", "the quick brown fox 🦊 jumps over the lazy dog", total: 1)
        try deliver("b", "the quick red fox 🦊 jumps over the lazy dog", total: 2)
    }

    private func deliver(_ origin: String, _ text: String, total: Int) throws {
        let long = String(repeating: text + " ", count: 6)
        let lines = (1...3).map { id in
            #"{"specversion":"1.0","id":"e\#(id)","source":"/s","type":"t","data":{"text":"\#(long)","total":\#(total),"list":[1,[\#(total)]]}}"#
        }
        let result = tally.run(
            ["ingest", "s.db", "-", "--origin", origin],
            input: lines.joined(separator: "\n")
        )
        #expect(result.code == 0)
    }

    private func review(_ lines: [String], _ words: String...) -> TallyCommand.Result {
        tally.run(
            ["conflicts", "review", "s.db", "--actor", "ann"] + words,
            input: lines.joined(separator: "\n") + "\n"
        )
    }

    private func query(_ sql: String) -> String { tally.run("query", "s.db", sql, "--csv").output }

    @Test(
        "A side, a merge, an exclusion, a skip and what is taken back are decided as they are typed"
    )
    func decisions() throws {
        let done = review([
            "2", "b is right", "m", "2", "2", "1", "", "u", "not sure", "1", "", "s",
        ])
        #expect(done.code == 0, "\(done.errors)")
        #expect(done.output.contains("conflict 1 is decided"))
        let decided = query(
            "SELECT conflict_id, decision, winner_origin, actor, reason FROM resolution_trail ORDER BY resolution_id"
        )
        #expect(
            decided == """
                conflict_id,decision,winner_origin,actor,reason\r
                1,take,b,ann,b is right\r
                2,merge,,ann,b is right\r
                2,take,a,ann,not sure\r

                """
        )
        let merged = query(
            "SELECT content -> '$.data.total' || ' ' || (content -> '$.data.list') AS c FROM resolutions WHERE decision = 'merge'"
        )
        #expect(merged.contains("1 [1,[2]]"), "\(merged)")
        #expect(query("SELECT count(*) FROM open_conflicts") == "count(*)\r\n1\r\n")
        // The next session begins with what is left.
        let next = review(["x"], "--reason", "a test")
        #expect(next.code == 0 && next.output.contains("no further open conflict matches"))
        #expect(query("SELECT count(*) FROM open_conflicts") == "count(*)\r\n0\r\n")
        #expect(tally.run("verify", "s.db").code == 0)
        #expect(tally.run("audit", "replay", "s.db").code == 0)
    }

    @Test("Every value is shown whole, in lines of at most 80 columns")
    func wrapping() throws {
        let shown = review(["q"]).output
        for line in shown.split(separator: "\n") {
            let columns = line.reduce(0) {
                $0 + ($1.unicodeScalars.first?.properties.isEmojiPresentation == true ? 2 : 1)
            }
            #expect(columns <= 80, "\(line)")
        }
        #expect(shown.contains("brown") && shown.contains("red"))
        #expect(shown.components(separatedBy: "lazy").count - 1 == 12)
        #expect(shown.contains("/data/list/1/0") && shown.contains("/data/total"))
    }

    @Test("What is no choice is said, and nothing is decided without a reason")
    func mistakes() throws {
        let done = review(["9", "1", "", "q"])
        #expect(done.output.contains("'9' is not one of the choices"))
        #expect(done.output.contains("a decision needs a reason"))
        #expect(query("SELECT count(*) FROM resolutions") == "count(*)\r\n0\r\n")
    }

    @Test("Of two reviewers of one conflict one decides, and the other is told")
    func twoReviewers() throws {
        let pipe = folder.file("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        let end = open(pipe, O_RDWR)
        defer { close(end) }
        let output = folder.file("output")
        let child = tally.start(
            ["conflicts", "review", "s.db", "--actor", "bob", "--reason", "mine"],
            input: pipe,
            output: output
        )
        #expect(Waiting.until { TallyCommand.text(output).contains("[q] quit") })
        let other = tally.run(
            "conflicts",
            "resolve",
            "s.db",
            "1",
            "--take",
            "a",
            "--reason",
            "faster",
            "--actor",
            "ann"
        )
        #expect(other.code == 0)
        let answer = Array("2\nq\n".utf8)
        #expect(write(end, answer, answer.count) == answer.count)
        #expect(tally.wait(for: child) == 0)
        #expect(TallyCommand.text(output).contains("already decided by ann"))
        #expect(query("SELECT actor FROM resolutions") == "actor\r\nann\r\n")
    }

    @Test("A review that waits for an answer ends with a signal")
    func signal() throws {
        let pipe = folder.file("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        let end = open(pipe, O_RDWR)
        defer { close(end) }
        let output = folder.file("output")
        let plain = TallyCommand(in: folder.path)
        let child = plain.start(["conflicts", "review", "s.db"], input: pipe, output: output)
        #expect(Waiting.until { TallyCommand.text(output).contains("[q] quit") })
        #expect(kill(child, SIGTERM) == 0)
        #expect(plain.wait(for: child) == 0)
    }

    @Test("Conflicts over what is missing have a screen, and are accepted")
    func missing() throws {
        tally.makeMissing(at: "b", in: "s.db")
        #expect(tally.run("reconcile", "s.db").code == 1)
        let done = review(["a"], "--kind", "missing_at_origin", "--reason", "known")
        #expect(done.output.contains("missing at b"))
        #expect(done.output.contains("[a] accept missing"))
        #expect(query("SELECT decision FROM resolutions") == "decision\r\naccept_missing\r\n")
    }

    @Test("One instant that is written in two ways is not a difference")
    func times() throws {
        for (origin, time) in [("a", "2026-03-01T00:00:00Z"), ("b", "2026-03-01T01:00:00+01:00")] {
            let line =
                #"{"specversion":"1.0","id":"t","source":"/t","type":"t","time":"\#(time)","data":"\#(origin)"}"#
            #expect(tally.run(["ingest", "s.db", "-", "--origin", origin], input: line).code == 0)
        }
        let places = tally.run("conflicts", "diff", "s.db", "4", "--csv").output
            .split(separator: "\r\n").dropFirst().map { $0.prefix { $0 != "," } }
        #expect(places == ["/data"])
        let full = tally.run("conflicts", "diff", "s.db", "4", "--full", "--csv").output
        #expect(full.contains("+01:00"))
    }

    @Test("A screen that nobody gets is a failure")
    func lostOutput() throws {
        let shell = TallyCommand(in: folder.path, path: "/bin/sh", under: Waiting.command)
        for words in ["show s.db 1 -t", "review s.db"] {
            let lost = shell.run("-c", "'\(tally.path)' conflicts \(words) >&- </dev/null")
            #expect(lost.code == 74, "\(words): \(lost.errors)")
        }
    }
}
