import Foundation
import TallystickTestSupport
import Testing

@Suite("Names of new files on the command line")
struct FileNameTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand
    private static let event = #"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#
    private static let projection = Project.file("fixtures/projections/error_counts.sql")

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
        #expect(tally.run("init", "s.db").code == 0)
        #expect(tally.run("ingest", "s.db", "-", "--origin", "a", input: Self.event).code == 0)
    }

    private var names: Set<String> {
        get throws { Set(try FileManager.default.contentsOfDirectory(atPath: folder.path)) }
    }

    @Test(
        "No command makes a file of a name that SQLite, or an unfinished file, has beside a database",
        arguments: ["-wal", "-shm", "-journal", ".tally-new"]
    )
    func reservedNames(_ ending: String) throws {
        #expect(tally.run("backup", "s.db", "e.db").code == 0)
        let before = try names
        let path = "e.db" + ending
        for command in [
            ["backup", "s.db", path], ["init", path], ["export", "s.db", "--output", path],
            ["export", "s.db", "--output=" + path],
            ["replay", "s.db", Self.projection, "--into", path],
            ["keys", "generate", "s.db", "--key-file", path, "--reason", "x"],
            ["demo", "--keep", path],
        ] {
            let result = tally.run(command)
            #expect(result.code == 73, "\(command): \(result.errors)")
            #expect(result.errors.contains("names that end in \(ending)"), "\(result.errors)")
            #expect(try !names.contains(path), "\(command)")
        }
        #expect(try names.subtracting(before).allSatisfy { $0.hasPrefix("s.db-") })
        #expect(tally.run("verify", "e.db").code == 0)
    }

    @Test(
        "A store under a name of SQLite's own files can be read, but is not written to",
        arguments: ["-wal", "-shm", "-journal"]
    )
    func storeOfReservedName(_ ending: String) throws {
        #expect(tally.run("backup", "s.db", "copy").code == 0)
        let path = "e.db" + ending
        try FileManager.default.moveItem(atPath: folder.file("copy"), toPath: folder.file(path))
        let refused = tally.run("ingest", path, "-", "--origin", "b", input: Self.event)
        #expect(refused.code == 77)
        #expect(refused.errors.contains("names that end in \(ending)"), "\(refused.errors)")
        #expect(tally.run("verify", path).code == 0)
    }

    @Test(
        "The log or journal that an earlier database has left is not played into a new one",
        arguments: ["-wal", "-journal"]
    )
    func leftLog(_ ending: String) throws {
        let left = Data("what is left of an earlier one".utf8)
        try left.write(to: URL(filePath: folder.file("e.db" + ending)))
        let before = try names
        for command in [
            ["init", "e.db"], ["backup", "s.db", "e.db"],
            ["replay", "s.db", Self.projection, "--into", "e.db"],
        ] {
            let result = tally.run(command)
            #expect(result.code == 73, "\(command): \(result.errors)")
            #expect(result.errors.contains("e.db\(ending)"), "\(result.errors)")
        }
        #expect(try names.subtracting(before).allSatisfy { $0.hasPrefix("s.db-") })
        #expect(try Data(contentsOf: URL(filePath: folder.file("e.db" + ending))) == left)
        // An empty one changes nothing.
        try Data().write(to: URL(filePath: folder.file("e.db" + ending)))
        #expect(tally.run("init", "e.db").code == 0)
        #expect(tally.run("verify", "e.db").code == 0)
    }

    @Test("A store that is deleted without its log leaves nothing to the next one of its name")
    func deletedStore() throws {
        for name in ["s.db", "s.db-shm"] {
            try FileManager.default.removeItem(atPath: folder.file(name))
        }
        #expect(tally.run("init", "s.db").code == 73)
        try FileManager.default.removeItem(atPath: folder.file("s.db-wal"))
        #expect(tally.run("init", "s.db").code == 0)
        #expect(tally.run("verify", "s.db").code == 0)
    }

    @Test("Making a file removes no file of somebody else that has its name with an ending")
    func similarNames() throws {
        for name in ["e.db.new", "e.db.tmp", "e.db.bak", "e.db~"] {
            #expect(tally.run("init", name).code == 0)
        }
        let before = try names
        #expect(tally.run("init", "e.db").code == 0)
        #expect(tally.run("export", "s.db", "--output", "x").code == 0)
        #expect(try before.isSubset(of: names))
    }

    @Test("A file that cannot be made is called as it was asked for, and a missing folder is named")
    func missingFolder() throws {
        for command in [
            ["init", "none/e.db"], ["backup", "s.db", "none/e.db"],
            ["export", "s.db", "--output", "none/e.db"],
            ["keys", "generate", "s.db", "--key-file", "none/e.db", "--reason", "x"],
        ] {
            let result = tally.run(command)
            #expect(result.code == 73, "\(command): \(result.errors)")
            #expect(result.errors.contains("(none/e.db): there is no folder 'none'"), "\(result)")
        }
        symlink("nowhere", folder.file("link.db"))
        for command in [["init", "link.db"], ["backup", "s.db", "link.db"]] {
            let result = tally.run(command)
            #expect(result.code == 73)
            #expect(result.errors.contains("there is a symbolic link already"), "\(result.errors)")
        }
    }
}
