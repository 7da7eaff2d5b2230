import Foundation
import TallystickTestSupport
import Testing

@Suite("tally compare")
struct CompareCommandTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        try deliver(0..<10, to: "a", from: "web hook")
        try deliver(2..<12, to: "b", from: "poll", changing: 5)
    }

    private func deliver(
        _ ids: Range<Int>,
        to name: String,
        from origin: String,
        changing changed: Int? = nil
    ) throws {
        let lines = ids.map { id in
            "{\"specversion\":\"1.0\",\"id\":\"\(id)\",\"source\":\"/s\",\"type\":\"t\","
                + "\"time\":\"2026-03-01T0\(id % 3):00:00Z\",\"data\":{\"n\":\(id == changed ? 1 : 0)}}\n"
        }
        try lines.joined().write(toFile: folder.file(name), atomically: true, encoding: .utf8)
        if name == "a" { try #require(tally.run("init", "s.db").code == 0) }
        let result = tally.run("ingest", "s.db", name, "--origin", origin)
        try #require(result.code <= 1, "\(result.errors)")
    }

    private func compare(_ words: String...) -> TallyCommand.Result {
        tally.run(["compare", "s.db", "web hook", "poll"] + words)
    }

    @Test(
        "Differences end with 1, and are counted; an origin agrees with one that delivered the same"
    )
    func counts() throws {
        let result = compare("--csv")
        #expect(result.code == 1)
        #expect(
            result.output == """
                origin_a,origin_b,same,differ,only_a,only_b,members\r
                web hook,poll,7,1,2,2,"[{""events"":1,""place"":""/data/n""}]"\r

                """
        )
        let object = compare().output
        #expect(object.contains(#""same":7,"differ":1,"only_a":2,"only_b":2"#))
        #expect(object.contains(#""members":[{"events":1,"place":"/data/n"}]"#))

        let again = tally.run("ingest", "s.db", "a", "--origin", "mirror")
        #expect(again.code == 0, "\(again.errors)")
        #expect(tally.run("compare", "s.db", "web hook", "mirror").code == 0)
    }

    @Test("Counts by group, within a span of time")
    func groups() {
        let result = compare("--by", "hour", "--csv", "--since", "2026-03-01T01:00:00Z")
        #expect(result.code == 1)
        #expect(
            result.output == """
                origin_a,origin_b,hour,same,differ,only_a,only_b\r
                web hook,poll,2026-03-01T01:00Z,2,0,1,1\r
                web hook,poll,2026-03-01T02:00Z,2,1,0,1\r

                """
        )
        let until = compare("--by", "type", "--until", "2026-03-01T00:00:00Z", "--csv")
        #expect(until.code == 0)
        #expect(until.output == "origin_a,origin_b,type,same,differ,only_a,only_b\r\n")
    }

    @Test(
        "Events of one kind are listed",
        arguments: [
            ("only-a", ["0", "1"]), ("only-b", ["10", "11"]), ("differ", ["5"]),
        ]
    )
    func listings(_ kind: String, _ ids: [String]) {
        let result = compare("--list", kind, "--csv")
        #expect(result.code == 1)
        let rows = result.output.split(separator: "\r\n").dropFirst()
        #expect(rows.map { $0.split(separator: ",")[5].description } == ids)
        let table = compare("--list", kind, "--output", "list.txt", "--format", "table")
        #expect(table.code == 1)
        #expect(TallyCommand.text(folder.file("list.txt")).contains("event_id"))
    }

    @Test("A table names what differs most, and a next step that can be pasted")
    func table() {
        let result = compare("-t")
        #expect(result.code == 1)
        #expect(result.errors.contains("web hook and poll differ most in /data/n (1)"))
        #expect(
            result.errors.contains("next: tally compare s.db 'web hook' poll --list only-a")
        )
    }

    @Test("What cannot be compared is said, with the exit code of its kind")
    func refusals() {
        #expect(tally.run("compare", "s.db", "poll").code == 64)
        #expect(tally.run("compare", "s.db", "poll", "poll").code == 64)
        #expect(tally.run("compare", "s.db", "poll", "nobody").code == 66)
        #expect(tally.run("compare", "none.db", "poll", "nobody").code == 66)
        #expect(compare("--since", "soon").code == 64)
        #expect(compare("--by", "day", "--list", "differ").code == 64)
        let result = compare("--until", "soon")
        #expect(result.errors.contains("--until: 'soon'"))
    }
}
