import Foundation
import TallystickCore
import TallystickMigrations
import TallystickSQLite
import TallystickStorage
import TallystickTestSupport
import Testing

@testable import Tallystick

/// The rules of the design's section on SQLite as the store keeps them; those of a connection alone are among the
/// tests of TallystickSQLite.
@Suite("SQLite rules of the store")
struct SQLiteRulesTests {
    private func event(_ id: String) -> Event {
        Event(id: id, source: "/s", type: "t", data: .json("{}"))
    }

    private func options(busy: Duration) -> StoreOptions {
        var options = StoreOptions()
        options.busyTimeout = busy
        return options
    }

    @Test(
        "Two handles that write at once wait for each other: a transaction takes the lock when it begins"
    )
    func beginImmediate() async throws {
        let made = try await TestStore()
        let path = made.path
        let options = options(busy: Waiting.watchdog)
        let failures = await withTaskGroup(of: Int.self) { group in
            for writer in 0..<3 {
                group.addTask {
                    var failures = 0
                    do {
                        let store = try await EventStore.open(at: path, options: options)
                        for number in 0..<60 {
                            do {
                                try await store.append([event("\(writer)-\(number)")], to: "s")
                            } catch {
                                failures += 1
                            }
                        }
                        await store.close()
                    } catch {
                        failures += 1000
                    }
                    return failures
                }
            }
            return await group.reduce(0, +)
        }
        #expect(failures == 0)
        let rows = try await made.rows(
            "SELECT count(*), max(position), max(revision) FROM event_log"
        )
        #expect(rows == [[.integer(180), .integer(180), .integer(179)]])
    }

    /// When the database's file was written last. Not opened: closing it would drop SQLite's locks.
    private func modified(_ path: String) -> [Int] {
        var status = stat()
        guard stat(path, &status) == 0 else { return [] }
        return [status.st_mtim.tv_sec, status.st_mtim.tv_nsec, Int(status.st_size)]
    }

    @Test("The log is written back only while no other connection can commit")
    func guardedCheckpoint() async throws {
        let made = try await TestStore()
        try await made.store.append([event("1")], to: "s")
        let before = modified(made.path)
        let other = try Connection(path: made.path, mode: .readWrite)
        try other.execute("BEGIN IMMEDIATE")
        let options = options(busy: .milliseconds(50))
        // Opened before, closed while another holds the write lock: nothing may be written back.
        let second = try await EventStore.open(at: made.path, options: options)
        await second.close()
        #expect(modified(made.path) == before)
        try other.execute("ROLLBACK")
        let third = try await EventStore.open(at: made.path, options: options)
        await third.close()
        #expect(modified(made.path) != before, "with the lock free, closing writes the log back")
    }

    @Test("Neither a commit nor closing writes the log back by itself")
    func noCheckpointOfSQLite() async throws {
        let made = try await TestStore()
        await made.store.close()
        let before = modified(made.path)
        do {
            let connection = try Connection(path: made.path, mode: .readWrite, firesTriggers: false)
            try connection.execute("CREATE TABLE big (x); BEGIN IMMEDIATE")
            try connection.execute(
                "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 3000) INSERT INTO big SELECT zeroblob(4000) FROM c"
            )
            try connection.execute("COMMIT")
            // More pages than SQLite's automatic checkpoint waits for.
            #expect(connection.walFrames > 2000)
        }
        #expect(modified(made.path) == before)
        #expect(modified(made.path + "-wal").last ?? 0 > 8_000_000)
    }

    /// Whether no reader keeps the log from beginning anew, after something was added to it.
    private func logIsFree(_ test: TestStore, _ id: String) async throws -> Bool {
        try await test.store.append([event(id)], to: "s")
        let connection = try Connection(path: test.path, mode: .readWrite)
        let result = try connection.prepare("PRAGMA wal_checkpoint(RESTART)")
        guard try result.step() else { return false }
        return result.int64(at: 0) == 0
    }

    @Test("Who reads slowly holds no read transaction between events, nor while a sink works")
    func slowReaders() async throws {
        let test = try await TestStore()
        let lines = (1...5000).map {
            eventLine("e\($0)", data: "\($0)")
        }.joined(separator: "\n")
        try await test.ingest(lines, from: "a")
        let pinning = try Connection(path: test.path, mode: .readOnly)
        try pinning.execute("BEGIN; SELECT count(*) FROM events")
        #expect(try await !logIsFree(test, "pinned"), "a reader is seen by this check")
        try pinning.execute("COMMIT")

        var seen = 0
        for try await _ in test.store.events() {
            seen += 1
            if seen == 10 || seen == 3000 {
                #expect(try await logIsFree(test, "read-\(seen)"), "after \(seen) events")
            }
        }
        #expect(seen > 5000)
        #expect(VerifyLimits.chunk <= 10_000 && VerifyLimits.auditChunk <= 10_000)
        #expect(ReadAheadLimits.rows <= 10_000)
    }

    @Test("A backup has a rollback journal, and needs no log beside it")
    func backupJournal() async throws {
        let made = try await TestStore()
        try await made.store.append([event("1")], to: "s")
        let copy = made.folder.file("copy.db")
        try await made.store.backup(to: copy)
        let header = try Data(contentsOf: URL(filePath: copy)).prefix(20)
        #expect(
            Array(header[18...19]) == [1, 1],
            "1 is a rollback journal, 2 a log (fileformat2.html)"
        )
        let names = try FileManager.default.contentsOfDirectory(atPath: made.folder.path)
        #expect(names.filter { $0.hasPrefix("copy.db") } == ["copy.db"])
        var status = stat()
        #expect(stat(copy, &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test("A backup that is written to has a log again, so that readers do not stop the writer")
    func backupIsWritten() async throws {
        let made = try await TestStore()
        let copy = made.folder.file("copy.db")
        try await made.store.backup(to: copy)
        let store = try await EventStore.open(at: copy)
        let reader = try Connection(path: copy, mode: .readOnly)
        try reader.execute("BEGIN; SELECT count(*) FROM events")
        try await store.append([event("1")], to: "s")
        try reader.execute("COMMIT")
        await store.close()
    }

    @Test("Store, log and shared memory are the owner's alone")
    func permissions() async throws {
        let made = try await TestStore()
        try await made.store.append([event("1")], to: "s")
        for suffix in ["", "-wal", "-shm"] {
            var status = stat()
            #expect(stat(made.path + suffix, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600, "\(suffix)")
        }
    }

    @Test("Migrations use nothing that SQLite 3.40.1 lacks")
    func oldSQLite() throws {
        let absent = [
            "jsonb", "unhex", "string_agg", "json_error_position", "snapshot", "octet_length",
            " concat(",
            "concat_ws", "timediff", "json_pretty", "median(", "percentile(",
        ]
        let folder = Fixture.root.appending(path: "migrations").path
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            $0.hasSuffix(".sql")
        }
        #expect(!files.isEmpty)
        for file in files {
            let sql = Fixture.text("migrations/\(file)").lowercased()
            #expect(!sql.isEmpty)
            for word in absent { #expect(!sql.contains(word), "\(file): \(word)") }
        }
    }

    @Test("Text with NUL is kept and read to its last byte")
    func embeddedNUL() async throws {
        let made = try await TestStore()
        let data = #"{"text":"before\u0000after"}"#
        try await made.store.append(
            [Event(id: "1", source: "/s", type: "t", data: .json(data))],
            to: "s"
        )
        let rows = try await made.rows("SELECT data, length(CAST(data AS BLOB)) FROM event_log")
        #expect(rows == [[.text(data), .integer(Int64(data.utf8.count))]])
    }
}

@Suite("The digests of the schema")
struct SchemaDigestTests {
    @Test(
        "They are those of what the migrations create",
        arguments: Migrations.schemaDigests.keys.sorted()
    )
    func digests(count: Int) throws {
        #expect(try SchemaCheck.digest(ofMigrations: count) == Migrations.schemaDigests[count])
    }

    @Test("The newest schema has one")
    func newest() { #expect(Migrations.schemaDigests[Migrations.all.count] != nil) }
}
