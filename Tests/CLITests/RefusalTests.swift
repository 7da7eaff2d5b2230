import Foundation
import TallystickTestSupport
import Testing

@Suite("Requests about what is not there, or that contradict themselves")
struct RefusalTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        try Data(#"{"origins": {"configured": {"priority": 1}}}"#.utf8).write(
            to: URL(filePath: folder.file("settings.json"))
        )
        #expect(tally.run("init", "s.db", "--config", "settings.json").code == 0)
        let event = #"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#
        #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: event).code == 0)
    }

    private func expect(_ code: Int32, _ text: String, of command: [String]) {
        let result = tally.run(command)
        #expect(result.code == code, "\(command): \(result.code) \(result.errors)")
        #expect(result.errors.contains(text), "\(command): \(result.errors)")
    }

    @Test(
        "A breaker is set for an origin that delivered something or is configured, and for no other"
    )
    func breakers() {
        func set(_ origin: String) -> [String] {
            ["breaker", "set", "s.db", origin, "open", "--reason", "r"]
        }
        expect(66, "origin 'nobody'", of: set("nobody"))
        expect(66, "origin 'nobody'", of: ["reconcile", "s.db", "--origins", "nobody"])
        #expect(tally.run(set("a")).code == 0)
        #expect(tally.run(set("configured")).code == 0)
        // What it delivered is in quarantine.
        #expect(tally.run("ingest", "s.db", "-", "--origin", "bad", input: "no event\n").code == 65)
        #expect(tally.run(set("bad")).code == 0)
    }

    @Test("A proof of a position that the store does not have is refused for that, sealed or not")
    func positions() {
        for position in ["99999", "2", "0"] {
            expect(66, "there is no such position", of: ["prove", "event", "s.db", position])
        }
        expect(66, "no head that covers it was sealed", of: ["prove", "event", "s.db", "1"])
    }

    @Test("A parameter of a query has one value")
    func parameters() {
        for words in [["-p", "id=1", "-p", "id=2"], ["-p", "id", "1", "id:integer", "2"]] {
            expect(
                64,
                "-p id: the parameter is given twice",
                of: ["query", "s.db", "SELECT :id"] + words
            )
        }
    }

    @Test("What is refused is called by what it should be")
    func expectations() throws {
        try Data("CREATE TABLE t (a)".utf8).write(to: URL(filePath: folder.file("p.sql")))
        expect(64, "--limit must be a positive number", of: ["read", "s.db", "--limit", "-1"])
        expect(64, "--limit must be a positive number", of: ["read", "s.db", "--limit", "0"])
        expect(
            64,
            "neither an RFC 3339 time nor a duration",
            of: ["reconcile", "s.db", "--since", "tomorrow"]
        )
        expect(65, "this is not JSON", of: ["config", "validate", "p.sql"])
        expect(65, "not a signed note", of: ["prove", "event", "s.db", "1", "--note", "p.sql"])
    }
}
