import Foundation
import Tallystick
import TallystickTestSupport
import Testing

/// The whole list that `tally query` must withstand, through the library; what uses up a limit is tested on the
/// command line, where memory is limited too.
@Suite("Hostile statements")
struct HostileQueryTests {
    private static let statements = HostileStatement.all(
        in: Fixture.text("Tests/hostile-queries.txt")
    )
    private static let techniques = Array(Set(statements.map(\.technique))).sorted()

    private func closedStore() async throws -> TestStore {
        let made = try await TestStore()
        let lines = (1...50).map {
            eventLine($0, data: #"{"n":\#($0)}"#)
        }
        try await made.ingest(lines.joined(separator: "\n"), from: "a")
        await made.store.close()
        return made
    }

    private func outcome(_ sql: String, on store: EventStore) async -> StoreError.Code? {
        var limits = QueryLimits()
        limits.duration = Waiting.watchdog
        let fixed = limits
        return await failureCode { try await store.query(sql, limits: fixed) { _ in true } }
    }

    @Test("The list has all techniques and at least 150 statements")
    func isComplete() {
        #expect(Self.statements.count >= 300)
        #expect(Self.techniques.count >= 20)
    }

    @Test("Nothing is written, and no other file touched, by any technique", arguments: techniques)
    func technique(_ technique: String) async throws {
        let made = try await closedStore()
        let before = FolderContents(of: made.folder.path)
        for statement in Self.statements where statement.technique == technique {
            let expected: StoreError.Code? =
                switch statement.exitCode {
                case 77: .queryDenied
                case 65: .queryFailed
                default: nil
                }
            guard statement.exitCode != 3 else { continue }
            #expect(await outcome(statement.text, on: made.store) == expected, "\(statement)")
        }
        #expect(FolderContents(of: made.folder.path) == before)
    }

    @Test(
        "A NUL ends no statement early",
        arguments: [
            "SELECT 1\u{0}; DELETE FROM events", "SELECT 1;\u{0}DELETE FROM events",
            "SELECT 1 --\u{0}\nDELETE FROM events", "\u{0}DELETE FROM events",
            "SELECT '\u{0}'; DELETE FROM events", "SELECT 1\u{0}",
        ]
    )
    func embeddedNUL(_ sql: String) async throws {
        let made = try await closedStore()
        let before = FolderContents(of: made.folder.path)
        #expect(await outcome(sql, on: made.store) == .queryFailed)
        #expect(FolderContents(of: made.folder.path) == before)
    }

    @Test("A statement of more than a million bytes is refused before it is parsed")
    func hugeStatement() async throws {
        let made = try await closedStore()
        let sql = "SELECT 1 /* " + String(repeating: "x", count: 1_000_000) + " */"
        #expect(await outcome(sql, on: made.store) == .limitReached)
    }

    @Test("A table that is none of the store's is not read, whatever SQLite is built with")
    func unknownTables() async throws {
        let made = try await closedStore()
        for sql in ["SELECT * FROM dbstat", "SELECT * FROM sqlite_stmt"] {
            let code = await outcome(sql, on: made.store)
            #expect(code == .queryDenied || code == .queryFailed)
        }
        #expect(await outcome("SELECT value FROM json_each('[1,2]')", on: made.store) == nil)
        #expect(await outcome("SELECT name FROM sqlite_schema", on: made.store) == nil)
    }
}
