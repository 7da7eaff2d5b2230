import Foundation
import TallystickTestSupport
import Testing

/// A small disk of its own.
private final class SmallDisk {
    let path: String

    /// Nil if nothing can be mounted.
    init?(in folder: TemporaryFolder) throws {
        path = folder.file("disk")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        guard system("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path) == 0 else {
            return nil
        }
    }

    deinit { _ = system("umount", "-l", path) }

    private var filler: String { path + "/filler" }

    /// Fills the disk except for some bytes.
    func fill(leaving free: Int) throws {
        let descriptor = open(filler, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let block = [UInt8](repeating: 0, count: 4096)
        var count = 0
        while write(descriptor, block, block.count) == block.count { count += block.count }
        try #require(ftruncate(descriptor, off_t(max(0, count - free))) == 0)
    }

    func makeRoom() { unlink(filler) }
}

@Suite("Full disks", .serialized)
struct FullDiskTests {
    private static let isRoot = geteuid() == 0
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
    }

    private static func event(_ value: Int) -> String {
        eventLine("1", data: value)
    }

    private static let repository = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: folder.file(name)))
    }

    /// A store with one of everything that a command can change, as a backup: without a write-ahead log.
    private func makeBackup() throws {
        try write(Self.event(3), to: "event.json")
        try write("{}", to: "settings.json")
        try write(
            """
            -- tally:projection seen
            -- tally:version 1
            -- tally:setup
            CREATE TABLE seen (id TEXT PRIMARY KEY) STRICT;
            -- tally:on *
            INSERT INTO seen VALUES (:id);

            """,
            to: "seen.sql"
        )
        #expect(tally.run("init", "s.db").code == 0)
        for (origin, value) in [("a", 1), ("b", 2)] {
            let input = Self.event(value) + "\nno event\n"
            #expect(
                tally.run("ingest", "s.db", "-", "--origin", origin, input: input).code == 0
            )
        }
        #expect(tally.run("replay", "s.db", "seen.sql").code == 0)
        #expect(tally.run("backup", "s.db", "template.db").code == 0)
    }

    private static let writing: [[String]] = [
        ["ingest", "disk/s.db", "event.json", "--origin", "c"],
        ["append", "disk/s.db", "stream", "event.json"],
        ["conflicts", "resolve", "disk/s.db", "1", "--take", "a", "--reason", "r"],
        ["conflicts", "resolve", "disk/s.db", "--all", "--take", "a", "--reason", "r", "--yes"],
        ["conflicts", "reopen", "disk/s.db", "1", "--reason", "r"],
        ["quarantine", "release", "disk/s.db", "1", "--reason", "r"],
        ["reconcile", "disk/s.db"], ["reconcile", "disk/s.db", "--dry-run"],
        ["replay", "disk/s.db", "seen.sql"], ["replay", "rebuild", "disk/s.db", "seen.sql"],
        ["replay", "retry", "disk/s.db", "seen.sql"], ["replay", "drop", "disk/s.db", "seen"],
        ["config", "apply", "disk/s.db", "settings.json", "--reason", "r"],
        ["breaker", "set", "disk/s.db", "a", "open", "--reason", "r"],
        ["keys", "generate", "disk/s.db", "--key-file", "ring.json", "--reason", "r"],
        ["verify", "disk/s.db", "--repair-derived", "--reason", "r"],
        ["upgrade", "disk/s.db"],
    ]

    /// The store can be read, whatever was refused.
    private func expectReadable(_ context: String) {
        for command in [["verify", "disk/s.db"], ["stats", "disk/s.db"], ["read", "disk/s.db"]] {
            let result = tally.run(command)
            #expect(result.code == 0, "\(context): \(command): \(result.errors)")
        }
    }

    private func expectFull(_ result: TallyCommand.Result, _ context: String) {
        #expect(result.code == 74, "\(context): \(result.errors)")
        #expect(result.errors.contains("[disk_full]"), "\(context): \(result.errors)")
        #expect(result.errors.contains("Free some space"), "\(context): \(result.errors)")
    }

    @Test(
        "Without room for a write-ahead log, a backup used as the store stays unchanged and readable",
        .enabled(if: isRoot, "mounting a small disk needs the superuser")
    )
    func backup() throws {
        guard let disk = try SmallDisk(in: folder) else { return }
        try makeBackup()
        try FileManager.default.copyItem(
            atPath: folder.file("template.db"),
            toPath: disk.path + "/s.db"
        )
        let store = URL(filePath: disk.path + "/s.db")
        let before = try Data(contentsOf: store)
        try disk.fill(leaving: 0)
        for command in Self.writing {
            expectFull(tally.run(command), "\(command)")
            #expect(try Data(contentsOf: store) == before, "\(command)")
        }
        expectReadable("a full disk")
        expectFull(tally.run("init", "disk/other.db"), "init")
        expectFull(tally.run("backup", "s.db", "disk/other.db"), "backup")
        disk.makeRoom()
        for command in Self.writing {
            let result = tally.run(command)
            #expect(![70, 74].contains(result.code), "\(command): \(result.errors)")
        }
        expectReadable("room was made")
    }

    @Test(
        "However little room there is, a command on a file without a write-ahead log works or reports a full disk",
        .enabled(if: isRoot, "mounting a small disk needs the superuser"),
        arguments: [4, 40, 260, 300, 400]
    )
    func littleRoom(_ kibibytes: Int) throws {
        guard let disk = try SmallDisk(in: folder) else { return }
        try makeBackup()
        let old = Self.repository.appending(path: "fixtures/databases/schema-1.db").path
        let cases =
            [["upgrade", "disk/s.db"]].map { (old, $0) }
            + Self.writing.prefix(4).map { (folder.file("template.db"), $0) }
        for (template, command) in cases {
            for ending in ["", "-wal", "-shm", "-journal"] { unlink(disk.path + "/s.db" + ending) }
            try FileManager.default.copyItem(atPath: template, toPath: disk.path + "/s.db")
            chmod(disk.path + "/s.db", 0o600)
            try disk.fill(leaving: kibibytes << 10)
            let context = "\(kibibytes) KiB: \(command)"
            let result = tally.run(command)
            if result.code == 74 {
                #expect(result.errors.contains("Free some space"), "\(context): \(result.errors)")
            } else {
                #expect([0, 4].contains(result.code), "\(context): \(result.errors)")
            }
            expectReadable(context)
            disk.makeRoom()
            #expect([0, 4].contains(tally.run(command).code), "\(context): after room was made")
        }
    }

    @Test(
        "A log without room for its index is reported as a full disk, not a broken one",
        .enabled(if: isRoot, "mounting a small disk needs the superuser")
    )
    func indexOfLog() throws {
        guard let disk = try SmallDisk(in: folder) else { return }
        #expect(tally.run("init", "disk/s.db").code == 0)
        let ingest = ["ingest", "disk/s.db", "-", "--origin", "a"]
        #expect(tally.run(ingest, input: Self.event(1)).code == 0)
        unlink(disk.path + "/s.db-shm")
        try disk.fill(leaving: 0)
        expectFull(tally.run("stats", "disk/s.db"), "stats")
        expectFull(tally.run(ingest, input: Self.event(2)), "ingest")
        disk.makeRoom()
        expectReadable("room was made")
    }
}
