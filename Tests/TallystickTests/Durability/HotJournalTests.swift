import Foundation
import Tallystick
import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

/// A database in rollback mode (a backup, a store of schema 1, a projection's file) whose writer was cut short has a
/// journal beside it that has to be played back first.
@Suite("A journal that a loss of power left")
struct HotJournalTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Leaves the file as it is in the middle of a transaction that was already written to the database in part.
    private func cutShort(_ path: String, _ sql: String) throws {
        let connection = try Connection(path: path, mode: .readWrite, firesTriggers: false)
        // With one page of cache the database is written before the commit, and the journal synced before that.
        try connection.execute("PRAGMA cache_size = 1")
        try connection.execute("BEGIN IMMEDIATE")
        try connection.execute(sql)
        for ending in ["", "-journal"] {
            try FileManager.default.copyItem(atPath: path + ending, toPath: path + ".cut" + ending)
        }
        try connection.execute("ROLLBACK")
        for ending in ["", "-journal"] {
            unlink(path + ending)
            try FileManager.default.moveItem(atPath: path + ".cut" + ending, toPath: path + ending)
        }
        #expect(throws: SQLiteError.self) { try Connection(path: path, mode: .readOnly) }
    }

    private let damage = """
        UPDATE events SET data = data || printf('%.3000c', 'x'), subject = printf('%.3000c', 'y')
        """

    private func backup() async throws -> String {
        let (path, copy) = (folder.file("s.db"), folder.file("copy.db"))
        var generator = EventGenerator(seed: 4, streams: 9)
        let store = try await EventStore.create(at: path)
        try await store.ingest(.bytes(generator.events(300), named: "events"), from: "feed")
        try await store.backup(to: copy)
        await store.close()
        return copy
    }

    @Test("is played back by whoever reads the store next")
    func readingPlaysItBack() async throws {
        let copy = try await backup()
        try cutShort(copy, damage)
        let store = try await EventStore.open(at: copy, options: .readOnly)
        let report = try await store.verify()
        #expect(report.isIntact)
        #expect(report.events == 300)
        await store.close()
        #expect(access(copy + "-journal", F_OK) != 0)
    }

    @Test("is played back by a diagnosis, and by a backup")
    func diagnosis() async throws {
        let copy = try await backup()
        try cutShort(copy, damage)
        let diagnoses = try await EventStore.diagnose(at: copy)
        #expect(diagnoses.filter { $0.level == .problem }.map(\.subject).isEmpty)
    }

    @Test("is played back by an upgrade, which then finishes in a log")
    func upgrade() async throws {
        let path = folder.file("old.db")
        try FileManager.default.copyItem(
            atPath: Fixture.path("databases/schema-1.db"),
            toPath: path
        )
        try cutShort(path, damage)
        let (before, after) = try await EventStore.upgrade(at: path)
        #expect(before == 1 && after > 1)
        let store = try await EventStore.open(at: path)
        #expect(try await store.verify().isIntact)
        await store.close()
        #expect(access(path + "-journal", F_OK) != 0)
    }

    @Test(
        "says what has to be done where the reader may not write",
        .enabled(if: geteuid() != 0, "the superuser may write everywhere")
    )
    func withoutPermission() async throws {
        let copy = try await backup()
        try cutShort(copy, damage)
        chmod(copy, 0o400)
        let failure = await failure { _ = try await EventStore.open(at: copy, options: .readOnly) }
        #expect(failure?.code == .notPermitted)
        #expect(failure?.hint.contains("may write") == true)
    }
}
