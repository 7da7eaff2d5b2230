import Foundation
import Tallystick
import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

@Suite("Files that appear complete, or not at all")
struct DurableFileTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }
    }

    private func publish(_ path: String, replacing: Bool = false) throws {
        let file = try PendingFile(for: path, permissions: 0o600, during: "write the test's file")
        try Array("whole".utf8).withUnsafeBytes { try file.write($0) }
        try file.publish(replacing: replacing)
    }

    @Test("A file has its name once it is published, and one that is given up leaves nothing")
    func publishing() throws {
        let path = folder.file("a")
        do {
            let file = try PendingFile(for: path, permissions: 0o600, during: "write")
            #expect(try names == ["a.tally-new"])
            _ = file.descriptor
        }
        #expect(try names.isEmpty)
        try publish(path)
        #expect(try names == ["a"])
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "whole")
    }

    @Test("What a killed process left is replaced; what another one is writing is not")
    func leftovers() throws {
        let path = folder.file("a")
        #expect(
            FileManager.default.createFile(atPath: path + ".tally-new", contents: Data("half".utf8))
        )
        #expect(
            FileManager.default.createFile(atPath: path + ".tally-new-wal", contents: Data([1]))
        )
        try publish(path)
        #expect(try names == ["a"])

        let file = try PendingFile(for: path, permissions: 0o600, during: "write")
        let failure = #expect(throws: StoreError.self) { try publish(path, replacing: true) }
        #expect(failure?.code == .busy && failure?.isRetryable == true)
        file.discard()
        try publish(path, replacing: true)
    }

    @Test("A link that lies in wait under the temporary name is not followed")
    func links() throws {
        let (path, victim) = (folder.file("a"), folder.file("victim"))
        #expect(FileManager.default.createFile(atPath: victim, contents: Data("safe".utf8)))
        try FileManager.default.createSymbolicLink(
            atPath: path + ".tally-new",
            withDestinationPath: victim
        )
        #expect(throws: StoreError.self) { try publish(path) }
        #expect(try String(contentsOfFile: victim, encoding: .utf8) == "safe")
    }

    @Test("A file that is there already stays, unless it is to be replaced")
    func existing() throws {
        let path = folder.file("a")
        #expect(FileManager.default.createFile(atPath: path, contents: Data("old".utf8)))
        let failure = #expect(throws: StoreError.self) { try publish(path) }
        #expect(failure?.code == .cannotCreate)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
        #expect(try names == ["a"])
        try publish(path, replacing: true)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "whole")
    }

    // MARK: Stores

    /// What releases before this one left under a store's own name when they were cut short.
    private static let unfinished = [
        ("nothing", ""),
        ("a header", "PRAGMA journal_mode = WAL; PRAGMA user_version = 0;"),
        (
            "a schema without a row on record",
            "PRAGMA journal_mode = WAL; PRAGMA application_id = 0x54414C59; PRAGMA user_version = 4;"
                + "CREATE TABLE audit_trail (audit_sequence INTEGER PRIMARY KEY);"
        ),
    ]

    @Test("An init that was cut short makes way for the next one", arguments: unfinished)
    func unfinishedStore(_ name: String, _ sql: String) async throws {
        let path = folder.file("s.db")
        do { try Connection(path: path, mode: .create).execute(sql) }
        #expect(
            FileManager.default.createFile(atPath: path + ".tally-new", contents: Data("SQLi".utf8))
        )
        let store = try await EventStore.create(at: path)
        #expect(try await store.verify().isIntact)
        await store.close()
        #expect(try names.filter { !$0.hasPrefix("s.db-") } == ["s.db"])
    }

    @Test(
        "Any other file is left as it is",
        arguments: [
            "CREATE TABLE mine (a); INSERT INTO mine VALUES (1)",
            "CREATE TABLE mine (a)", "PRAGMA application_id = 7",
        ]
    )
    func foreignDatabase(_ sql: String) async throws {
        let path = folder.file("s.db")
        do { try Connection(path: path, mode: .create).execute(sql) }
        let before = try Data(contentsOf: URL(filePath: path))
        #expect(await failureCode { _ = try await EventStore.create(at: path) } == .storeExists)
        #expect(try Data(contentsOf: URL(filePath: path)) == before)
        #expect(try names == ["s.db"])
    }

    @Test("A store with one row on record is never taken for an unfinished one")
    func existingStore() async throws {
        let path = folder.file("s.db")
        let store = try await EventStore.create(at: path)
        let id = store.storeID
        await store.close()
        #expect(await failureCode { _ = try await EventStore.create(at: path) } == .storeExists)
        let again = try await EventStore.open(at: path, options: .readOnly)
        #expect(again.storeID == id)
        await again.close()
    }

    @Test("A new store is one file, in WAL mode; a backup is one file that needs nothing beside it")
    func oneFile() async throws {
        let (path, copy) = (folder.file("s.db"), folder.file("copy.db"))
        let store = try await EventStore.create(at: path)
        try await store.backup(to: copy, verifies: true)
        await store.close()
        #expect(try names.filter { $0.hasPrefix("copy") } == ["copy.db"])
        let backup = try await EventStore.open(at: copy, options: .readOnly)
        #expect(try await backup.verify().isIntact)
        await backup.close()
        #expect(try names.filter { $0.hasPrefix("copy") } == ["copy.db"])
    }
}
