import Foundation
import TallystickTestSupport
import Testing

@Suite("Hostile statements on the command line")
struct HostileQueryTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        #expect(tally.run("init", "s.db").code == 0)
        var generator = EventGenerator(seed: 3, streams: 50)
        let events = String(decoding: generator.events(600), as: UTF8.self)
        #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: events).code == 0)
    }

    private static let statements = HostileStatement.all(
        in: (try? Project.text("Tests/hostile-queries.txt")) ?? ""
    )
    private static let techniques = Array(Set(statements.map(\.technique))).sorted()

    /// Every one that uses up a limit, and the first of every other kind; the rest runs in the library's tests.
    private static func selection(_ technique: String) -> [HostileStatement] {
        let all = statements.filter { $0.technique == technique }
        let limited = all.filter { $0.exitCode == 3 }
        let others = [77, 65, 0].compactMap { code in all.first { $0.exitCode == code } }
        return limited + others
    }

    /// What is to end by the limit has no end of its own, so that a short limit decides nothing but how long the test
    /// takes; everything else has all the time that it needs.
    private static func maxTime(_ statement: HostileStatement) -> String {
        statement.exitCode == 3 ? "100ms" : "10m"
    }

    @Test(
        "Every statement ends, with its exit code and bounded memory; file and folder stay as they are",
        arguments: techniques
    )
    func technique(_ technique: String) throws {
        let before = FolderContents(of: folder.path)
        let tally = TallyCommand(in: folder.path, under: Waiting.command)
        for statement in Self.selection(technique) {
            let (result, peak) = tally.measure(
                "query",
                "s.db",
                "--max-time",
                Self.maxTime(statement),
                "--output",
                "/dev/null",
                "--",
                statement.text
            )
            #expect(result.code == statement.exitCode, "\(statement): \(result.errors.prefix(300))")
            #expect(peak < 600, "\(statement)")
            #expect(statement.exitCode == 0 || result.errors.contains("tally query: "))
        }
        #expect(FolderContents(of: folder.path) == before)
    }

    @Test("The memory of a query has a limit of its own")
    func memory() {
        let sql = "SELECT length(printf('%.*c', 20000000, 'x'))"
        #expect(tally.run("query", "s.db", sql).output.contains("20000000"))
        let limited = tally.run("query", "s.db", sql, "--max-memory", "10")
        #expect(limited.code == 3)
        #expect(limited.errors.contains("--max-memory"))
        #expect(tally.run("query", "s.db", sql, "--max-memory", "0").code == 64)
    }

    @Test("A single step of SQLite that never ends is ended with the process")
    func singleStep() {
        let sql =
            "SELECT instr(printf('%.*c', 60000000, 'x'), printf('%.*c', 30000000, 'x') || 'y')"
        let result = tally.run("query", "s.db", sql, "--max-time", "100ms", "--output", "out.txt")
        #expect(result.code == 3)
        #expect(result.errors.contains("limit_reached"))
        #expect(!FileManager.default.fileExists(atPath: folder.file("out.txt")))
        #expect(FolderContents(of: folder.path).files.keys.allSatisfy { $0.hasPrefix("s.db") })
    }
}
