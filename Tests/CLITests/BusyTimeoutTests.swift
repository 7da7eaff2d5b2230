import Foundation
import TallystickSQLite
import TallystickTestSupport
import Testing

@Suite("Waiting for another writer")
struct BusyTimeoutTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        #expect(tally.run("init", "s.db").code == 0)
        for (origin, value) in [("a", 1), ("b", 2)] {
            let event = #"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":\#(value)}"#
            let arguments = ["ingest", "s.db", "-", "--origin", origin]
            #expect(tally.run(arguments, input: event).code == 0)
            try Data(event.utf8).write(to: URL(filePath: folder.file("event.json")))
        }
        #expect(
            tally.run("keys", "generate", "s.db", "--signing", "signer", "--reason", "r").code == 0
        )
        try Data("{\"default_category\": \"debug\"}".utf8).write(
            to: URL(filePath: folder.file("settings.json"))
        )
    }

    @Test("Every command that writes waits as long as --busy-timeout says, and exits 75")
    func everyCommand() throws {
        let other = try Connection(path: folder.file("s.db"), mode: .readWrite)
        try other.execute("BEGIN IMMEDIATE")
        let projection = Project.file("fixtures/projections/error_counts.sql")
        for command in [
            ["ingest", "s.db", "event.json", "--origin", "c"],
            ["append", "s.db", "stream", "event.json"],
            ["conflicts", "resolve", "s.db", "1", "--take", "a", "--reason", "r"],
            ["conflicts", "resolve", "s.db", "--all", "--take", "a", "--reason", "r", "--yes"],
            ["conflicts", "reopen", "s.db", "1", "--reason", "r"],
            ["reconcile", "s.db"], ["replay", "s.db", projection],
            ["replay", "rebuild", "s.db", projection],
            ["config", "apply", "s.db", "settings.json", "--reason", "r"],
            ["breaker", "set", "s.db", "a", "open", "--reason", "r"],
            ["keys", "generate", "s.db", "--key-file", "ring.json", "--reason", "r"],
            ["seal", "s.db", "--key-file", "signer"],
        ] {
            let result = tally.run(command + ["--busy-timeout", "20ms"])
            #expect(result.code == 75, "\(command): \(result.code) \(result.errors)")
            #expect(result.errors.contains("--busy-timeout"), "\(command): \(result.errors)")
            expectRefused(command)
        }
        // These look first whether there is something to change.
        for command in [
            ["quarantine", "release", "s.db", "1", "--reason", "r"],
            ["replay", "drop", "s.db", "error_counts"], ["replay", "retry", "s.db", projection],
            ["verify", "s.db", "--repair-derived", "--reason", "r"], ["upgrade", "s.db"],
        ] { expectRefused(command) }
        try other.execute("ROLLBACK")
        #expect(tally.run("upgrade", "s.db", "--busy-timeout", "1m").code == 0)
        #expect(tally.run("verify", "s.db").code == 0)
    }

    private func expectRefused(_ command: [String]) {
        let wrong = tally.run(command + ["--busy-timeout", "soon"])
        #expect(wrong.code == 64, "\(command): \(wrong.code) \(wrong.errors)")
        #expect(wrong.errors.contains("'soon' is not a duration"), "\(command): \(wrong.errors)")
    }
}
