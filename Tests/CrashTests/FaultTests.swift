import Foundation
import TallystickSQLite
import TallystickTestSupport
import Testing

/// Runs a system program; returns its exit code.
func system(_ words: String...) -> Int32 {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = words
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    do {
        try process.run()
    } catch {
        return -1
    }
    process.waitUntilExit()
    return process.terminationStatus
}

@Suite("Disks that fail and files that are not ours", .serialized)
struct FaultTests {
    /// File modes do not restrict the superuser, so such tests run as nobody.
    private static let isRoot = geteuid() == 0
    private static let asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    private func scene(events: Int = 200) throws -> CrashScene {
        let scene = try CrashScene()
        let file = try scene.writeFiles(1, events: events, seed: 1)[0]
        #expect(scene.tally.run("ingest", "killed.db", file, "--origin", "a").code == 0)
        return scene
    }

    // MARK: Full disks

    @Test("At a limit on the file's size ingest exits 74; with room again the same command goes on")
    func sizeLimit() throws {
        let scene = try scene()
        let file = try scene.writeFiles(1, events: 3000, seed: 2)[0]
        let limited = TallyCommand(
            in: scene.folder.path,
            under: ["bash", "-c", "ulimit -f 600; exec \"$@\"", "limited"]
        )
        let full = limited.run("ingest", "killed.db", file, "--origin", "a")
        #expect(full.code == 74, "\(full.errors)")
        #expect(full.errors.contains("hint: "))
        #expect(scene.tally.run("verify", "killed.db").code == 0)
        #expect(scene.tally.run("ingest", "killed.db", file, "--origin", "a").code == 0)
        scene.expectNoGaps("killed.db", events: 3200, "after the limit was lifted")
    }

    @Test(
        "On a full disk ingest, replay, backup and init exit 74 or 73, leave nothing half-written, and work once there is room",
        .enabled(if: isRoot, "mounting a small disk needs the superuser")
    )
    func fullDisk() throws {
        let scene = try CrashScene()
        let disk = scene.folder.file("disk")
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
        guard system("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk) == 0 else {
            // A container may forbid it; the test above does not need a disk.
            return
        }
        defer { #expect(system("umount", "-l", disk) == 0) }
        let tally = scene.tally
        let file = try scene.writeFiles(1, events: 6000, seed: 3)[0]
        #expect(tally.run("init", "disk/s.db").code == 0)
        let full = tally.run("ingest", "disk/s.db", file, "--origin", "a")
        #expect(full.code == 74, "\(full.errors)")
        #expect(full.errors.contains("disk_full") || full.errors.contains("outcome_unknown"))
        #expect(tally.run("verify", "disk/s.db").code == 0)

        let names = try FileManager.default.contentsOfDirectory(atPath: disk).sorted()
        #expect([73, 74].contains(tally.run("backup", "disk/s.db", "disk/copy.db").code))
        #expect([73, 74].contains(tally.run("init", "disk/other.db").code))
        #expect(try FileManager.default.contentsOfDirectory(atPath: disk).sorted() == names)

        #expect(system("mount", "-o", "remount,size=64m", disk) == 0)
        let resumed = tally.run("ingest", "disk/s.db", file, "--origin", "a")
        #expect(resumed.code == 0, "\(resumed.errors)")
        scene.expectNoGaps("disk/s.db", events: 6000, "after the disk was made larger")
    }

    // MARK: Failed syncs

    /// A prefix for a command whose sync of a write-ahead log fails. Later syncs succeed, as they do on Linux, where
    /// the kernel has dropped the pages meanwhile.
    private func failingSync(_ number: Int, _ scene: CrashScene) throws -> [String] {
        let library = try InterposedLibrary.build("failing-calls.c", in: scene.folder.path)
        let fault = ["FAIL_CLASS=sync", "FAIL_PATH=-wal", "FAIL_AT=\(number)", "FAIL_ERRNO=\(EIO)"]
        return ["env", "LD_PRELOAD=\(library)"] + fault
    }

    @Test(
        "After a failed sync the outcome is unknown, and the handle stops writing, even if the disk recovers"
    )
    func failedSyncPoisons() throws {
        let scene = try scene()
        let worker = TallyCommand(
            in: scene.folder.path,
            program: "TallystickCrashWorker",
            under: try failingSync(1, scene)
        )
        let result = worker.run("fail", "killed.db")
        #expect(
            result.output == "first outcome_unknown\nsecond outcome_unknown\n",
            "\(result.errors)"
        )
        let again = TallyCommand(in: scene.folder.path, program: "TallystickCrashWorker")
        #expect(again.run("fail", "killed.db").output == "first stored\nsecond stored\n")
        scene.expectNoGaps("killed.db", events: 202, "both are stored once")
    }

    @Test(
        "Ingest exits 74 if a sync fails, and the same command resolves the unknown outcome",
        arguments: 1...4
    )
    func failedSyncOfIngest(_ number: Int) throws {
        let scene = try scene()
        let files = try scene.writeFiles(4, events: 100, seed: 2)
        let failing = TallyCommand(
            in: scene.folder.path,
            under: try failingSync(number, scene)
        )
        let failed = failing.run(["ingest", "killed.db"] + files + ["--origin", "a"])
        if number > 1, failed.code == 0 {
            // Batches share a commit if the disk is slow. In that case the failed sync is that of a checkpoint after
            // the last one.
            scene.expectNoGaps("killed.db", events: 600, "success, and every event is stored")
        } else {
            #expect(failed.code == 74, "\(failed.errors)")
            #expect(failed.errors.contains("[outcome_unknown]"))
        }
        #expect(scene.tally.run("verify", "killed.db").code == 0)
        #expect(scene.tally.run(["ingest", "killed.db"] + files + ["--origin", "a"]).code == 0)
        scene.expectNoGaps("killed.db", events: 600, "every event is stored once")
    }

    // MARK: Readers and other writers

    @Test(
        "A reader that holds its transaction does not block writers; doctor reports it; afterwards the log is written back"
    )
    func heldReader() throws {
        let scene = try scene()
        let reader = try Connection(path: scene.folder.file("killed.db"), mode: .readOnly)
        try reader.execute("BEGIN")
        let count = try reader.prepare("SELECT count(*) FROM events")
        #expect(try count.step())
        let before = count.int64(at: 0)
        try count.reset()

        for seed in 2...5 {
            let file = try scene.writeFiles(1, events: 300, seed: UInt64(seed))[0]
            #expect(scene.tally.run("ingest", "killed.db", file, "--origin", "a").code == 0)
        }
        #expect(try count.step())
        #expect(count.int64(at: 0) == before, "the reader keeps its moment")
        try count.reset()
        let held = scene.tally.run("doctor", "killed.db", "--json")
        #expect(held.output.contains("pages of the log from being written back"), "\(held.output)")

        try reader.execute("COMMIT")
        let free = scene.tally.run("doctor", "killed.db", "--json")
        #expect(
            free.output.contains("no reader keeps the log from being written back"),
            "\(free.output)"
        )
        let size =
            try FileManager.default.attributesOfItem(
                atPath: scene.folder.file("killed.db-wal")
            )[.size] as? Int
        let file = try scene.writeFiles(1, events: 10, seed: 9)[0]
        #expect(scene.tally.run("ingest", "killed.db", file, "--origin", "a").code == 0)
        let later =
            try FileManager.default.attributesOfItem(
                atPath: scene.folder.file("killed.db-wal")
            )[.size] as? Int
        #expect(later == size, "the log starts from its beginning and does not grow")
        scene.expectNoGaps("killed.db", events: 1410, "after the reader")
    }

    @Test(
        "While another program writes, commands wait for the busy timeout, then exit 75 without writing"
    )
    func lockedByAnother() throws {
        let scene = try scene()
        let other = try Connection(path: scene.folder.file("killed.db"), mode: .readWrite)
        try other.execute("BEGIN IMMEDIATE")
        let file = try scene.writeFiles(1, events: 10, seed: 2)[0]
        let result = scene.tally.run(
            "ingest",
            "killed.db",
            file,
            "--origin",
            "a",
            "--busy-timeout",
            "100ms"
        )
        #expect(result.code == 75)
        #expect(result.errors.contains("--busy-timeout"))
        for command in ["stats", "verify", "read", "doctor"] {
            let read = scene.tally.run(command, "killed.db")
            #expect(read.code == 0, "\(command) goes on: \(read.errors)")
        }
        try other.execute("ROLLBACK")
        #expect(scene.tally.run("ingest", "killed.db", file, "--origin", "a").code == 0)
        scene.expectNoGaps("killed.db", events: 210, "after the other program")
    }

    // MARK: Files that are not ours

    @Test(
        "Another user's unreadable store is not read; a readable one is not written",
        .enabled(if: isRoot, "becoming another user needs the superuser")
    )
    func otherUser() throws {
        let scene = try scene()
        chmod(scene.folder.path, 0o755)
        let nobody = TallyCommand(in: scene.folder.path, under: Self.asNobody)
        let event = scene.folder.file("event.json")
        try eventLine("x").write(
            toFile: event,
            atomically: true,
            encoding: .utf8
        )
        chmod(event, 0o644)
        func run(_ arguments: String...) -> TallyCommand.Result {
            // The user nobody cannot write here: output goes to a place where root permits it.
            nobody.run(arguments)
        }
        for command in ["stats", "verify", "read", "doctor"] {
            let refused = run(command, "killed.db")
            #expect(refused.code == 77, "\(command): \(refused.code) \(refused.errors)")
            #expect(refused.errors.contains("permissions"))
        }
        for suffix in ["", "-wal", "-shm"] { chmod(scene.folder.file("killed.db" + suffix), 0o644) }
        for command in ["stats", "verify", "read"] {
            let read = run(command, "killed.db")
            #expect(read.code == 0, "\(command): \(read.errors)")
        }
        let doctor = run("doctor", "killed.db", "--json")
        #expect(doctor.code == 1 && doctor.output.contains("belongs to another user"))
        #expect(run("ingest", "killed.db", event, "--origin", "a").code == 77)
        #expect(run("append", "killed.db", "s", event).code == 77)
        #expect(run("init", "new.db").code == 73)
        #expect(run("backup", "killed.db", "copy.db").code == 73)
        scene.expectNoGaps("killed.db", events: 200, "nothing was written")
    }

    @Test(
        "A copy in a read-only folder is read without a log, and not written",
        .enabled(if: isRoot, "becoming another user needs the superuser")
    )
    func readOnlyFolder() throws {
        let scene = try scene()
        let archive = scene.folder.file("archive")
        try FileManager.default.createDirectory(atPath: archive, withIntermediateDirectories: false)
        #expect(scene.tally.run("backup", "killed.db", "archive/copy.db").code == 0)
        for path in [archive, scene.folder.path] { chmod(path, 0o755) }
        chmod(archive + "/copy.db", 0o444)
        let nobody = TallyCommand(in: scene.folder.path, under: Self.asNobody)
        #expect(nobody.run("verify", "archive/copy.db").code == 0)
        #expect(nobody.run("append", "archive/copy.db", "s", "/dev/null").code == 77)
        #expect(try FileManager.default.contentsOfDirectory(atPath: archive) == ["copy.db"])
    }

    @Test(
        "A truncated store is refused as damaged, at every length",
        arguments: [50, 1000, 4096, 100_000, 250_000]
    )
    func truncated(_ length: Int) throws {
        let scene = try scene()
        #expect(scene.tally.run("backup", "killed.db", "cut.db").code == 0)
        #expect(truncate(scene.folder.file("cut.db"), length) == 0)
        let file = try scene.writeFiles(1, events: 10, seed: 2)[0]
        for arguments in [
            ["verify", "cut.db"], ["stats", "cut.db"], ["ingest", "cut.db", file, "--origin", "a"],
        ] {
            let result = scene.tally.run(arguments)
            #expect(
                result.code == 2 || (length < 100 && result.code == 66),
                "\(arguments): \(result.code)"
            )
            // `verify` reports the parts that it could not read, and the others say what to do.
            let isExplained =
                result.errors.contains("hint: ") || result.output.contains(#""finding":"page""#)
            #expect(isExplained, "\(arguments): \(result.output) \(result.errors)")
        }
    }

    @Test("An empty file, a text and another program's database are not stores")
    func noStore() throws {
        let scene = try scene()
        for (name, text) in [
            ("empty.db", ""), ("text.db", String(repeating: "no database ", count: 500)),
        ] {
            try text.write(toFile: scene.folder.file(name), atomically: true, encoding: .utf8)
            for command in ["stats", "verify", "doctor"] {
                #expect(scene.tally.run(command, name).code == 66, "\(command) \(name)")
            }
        }
        do {
            let other = try Connection(path: scene.folder.file("other.db"), mode: .create)
            try other.execute("CREATE TABLE t (x)")
        }
        #expect(scene.tally.run("verify", "other.db").code == 66)
    }

    @Test(
        "A newer schema exits 78, an altered one 2",
        arguments: [
            ("PRAGMA user_version = 99", Int32(78)), ("DROP TRIGGER events_refuse_delete", 2),
            ("CREATE TABLE x (y)", 2), ("DROP VIEW event_log", 2),
            ("DELETE FROM schema_migrations", 2), ("PRAGMA application_id = 1", 66),
            ("ALTER TABLE events ADD COLUMN extra TEXT", 2), ("PRAGMA user_version = 0", 2),
            ("CREATE TRIGGER t AFTER INSERT ON counters BEGIN DELETE FROM counters; END", 2),
            ("CREATE INDEX i ON events (data)", 2), ("DROP INDEX conflicts_by_position", 2),
        ]
    )
    func schema(_ change: String, _ code: Int32) throws {
        let scene = try scene(events: 5)
        do {
            let other = try Connection(path: scene.folder.file("killed.db"), mode: .readWrite)
            try other.execute(change)
        }
        let file = try scene.writeFiles(1, events: 10, seed: 2)[0]
        for arguments in [
            ["verify", "killed.db"], ["stats", "killed.db"],
            ["ingest", "killed.db", file, "--origin", "a"],
        ] {
            let result = scene.tally.run(arguments)
            #expect(result.code == code, "\(arguments): \(result.code) \(result.errors)")
            #expect(result.errors.contains("hint: "), "\(result.errors)")
        }
    }
}
