import Foundation
import Tallystick
import TallystickSQLite
import TallystickTestSupport
import Testing

/// Files that somebody else put where a projection is to be.
@Suite("Hostile files for projections")
struct HostileTargetTests {
    private static let projection = Array(
        """
        -- tally:projection seen
        -- tally:version 1
        -- tally:setup
        CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, n INTEGER) STRICT;
        -- tally:on *
        INSERT INTO seen VALUES (:id, 1);

        """.utf8
    )
    private static let event = eventLine("1")

    private func store() async throws -> TestStore {
        let test = try await TestStore()
        try await test.ingest(Self.event, from: "x")
        return test
    }

    private func replay(_ test: TestStore, into path: String) async throws {
        var options = ReplayOptions()
        options.target = .file(path)
        _ = try await test.store.replay(projection: Self.projection, options: options)
    }

    private func database(_ path: String, _ sql: String) throws {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        try PlainSQLite(path).execute(sql)
    }

    @Test(
        "What is no regular file of one name is refused at once, and nothing behind it is touched"
    )
    func otherKinds() async throws {
        let test = try await store()
        let folder = test.folder
        let victim = folder.file("victim.db")
        try database(victim, "CREATE TABLE t (x); INSERT INTO t VALUES (1)")
        let before = try Data(contentsOf: URL(filePath: victim))
        symlink(victim, folder.file("link.db"))
        symlink(folder.file("nowhere.db"), folder.file("dangling.db"))
        link(victim, folder.file("second.db"))
        mkdir(folder.file("folder.db"), 0o700)
        mkfifo(folder.file("fifo.db"), 0o600)
        try Data("no database, but text that is long enough to be one".utf8)
            .write(to: URL(filePath: folder.file("text.db")))
        let cases: [(String, StoreError.Code)] = [
            (folder.file("link.db"), .notPermitted), (folder.file("dangling.db"), .notPermitted),
            (folder.file("second.db"), .notPermitted), (victim, .notPermitted),
            (folder.file("folder.db"), .notAStore), (folder.file("fifo.db"), .notAStore),
            ("/dev/null", .notAStore), (folder.file("text.db"), .notAStore),
            (folder.file("no/such/folder.db"), .cannotCreate),
        ]
        for (path, code) in cases {
            #expect(await failureCode { try await replay(test, into: path) } == code, "\(path)")
        }
        #expect(try Data(contentsOf: URL(filePath: victim)) == before)
        #expect(access(folder.file("nowhere.db"), F_OK) != 0)
        await test.store.close()
    }

    @Test("Links in the place of the files beside are refused", arguments: ["-wal", "-journal"])
    func companions(_ ending: String) async throws {
        let test = try await store()
        let path = test.folder.file("out.db")
        try database(path, ending == "-wal" ? "PRAGMA journal_mode = WAL" : "CREATE TABLE t (x)")
        unlink(path + ending)
        symlink(test.folder.file("elsewhere"), path + ending)
        #expect(await failureCode { try await replay(test, into: path) } == .notPermitted)
        #expect(access(test.folder.file("elsewhere"), F_OK) != 0)
        await test.store.close()
    }

    @Test("The store itself, by any path, the files beside it, and other stores are refused")
    func stores() async throws {
        let test = try await store()
        let other = try await store()
        let folder = test.folder.path
        let paths = [
            test.path, folder + "/./store.db", folder + "//store.db", test.path + "-wal",
            test.path + "-shm", test.path + "-journal", other.path,
        ]
        for path in paths {
            #expect(
                await failureCode { try await replay(test, into: path) } == .invalidArgument,
                "\(path)"
            )
        }
        #expect(access(test.path + "-journal", F_OK) != 0)
        // The locks of the handle that is open still hold: another writer waits for them.
        try await test.ingest(Self.event.replacing("\"1\",", with: "\"2\","), from: "x")
        #expect(try await test.store.verify().isIntact)
        #expect(try await other.store.verify().isIntact)
        await test.store.close()
        await other.store.close()
    }

    private static let checkpoints = """
        CREATE TABLE replay_checkpoints (
            replay TEXT PRIMARY KEY, store_id TEXT NOT NULL, projection_version INTEGER NOT NULL,
            definition_sha256 TEXT NOT NULL, position INTEGER NOT NULL,
            resolution_watermark INTEGER NOT NULL, root TEXT NOT NULL, digest TEXT NOT NULL,
            digest_state BLOB NOT NULL, applied_digest TEXT NOT NULL,
            applied_digest_state BLOB NOT NULL, updated_at INTEGER NOT NULL%
        """
    private static let schemas = [
        "CREATE VIEW replay_checkpoints AS SELECT 'seen' AS replay",
        "CREATE TABLE replay_checkpoints (replay TEXT)",
        checkpoints.replacing("%", with: ") STRICT, WITHOUT ROWID"),
        checkpoints.replacing(
            "%",
            with: ", CHECK (length(zeroblob(1000000000)) > 0)) STRICT, WITHOUT ROWID"
        ),
        checkpoints.replacing(
            "%",
            with: ", more TEXT AS (hex(root)) STORED) STRICT, WITHOUT ROWID"
        ),
        "CREATE TABLE REPLAY_Checkpoints (a, b)", "CREATE VIEW parked_events AS SELECT 1 AS replay",
        "CREATE TABLE seen (id TEXT PRIMARY KEY, n INTEGER CHECK (n < 0)) STRICT",
        "CREATE TABLE seen (id TEXT PRIMARY KEY, n INTEGER, more TEXT AS (hex(id))) STRICT",
        "CREATE VIEW seen AS SELECT 1 AS id, 2 AS n",
        "CREATE TABLE t (x); CREATE TABLE seen_more (a); CREATE INDEX seen_more_a ON seen_more (hex(a))",
        """
        CREATE TABLE seen (id TEXT PRIMARY KEY, n INTEGER) STRICT;
        CREATE TABLE log (x);
        CREATE TRIGGER seen_log AFTER INSERT ON seen BEGIN INSERT INTO log VALUES (new.id); END
        """,
        """
        CREATE TABLE seen (id TEXT PRIMARY KEY, n INTEGER) STRICT;
        CREATE INDEX other ON seen (n) WHERE n > abs(id)
        """,
    ]

    @Test("A schema that is not ours is refused, and left as it was", arguments: schemas.indices)
    func schema(_ index: Int) async throws {
        let test = try await store()
        let path = test.folder.file("out.db")
        try database(path, Self.schemas[index])
        let rows = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"
        let before = try PlainSQLite(path).run(rows)
        let code = await failureCode { try await replay(test, into: path) }
        #expect(
            [.invalidArgument, .schemaAltered, .projectionInvalid].contains(code),
            "\(String(describing: code)): \(Self.schemas[index])"
        )
        let after = try PlainSQLite(path).run(rows)
        let ours: [SQLValue] = [.text("replay_checkpoints"), .text("parked_events")]
        #expect(after.filter { before.contains($0) || !ours.contains($0[2]) } == before)
        await test.store.close()
    }

    @Test("A trigger that is added behind our back never runs, and is refused at the next run")
    func lateTrigger() async throws {
        let test = try await store()
        let path = test.folder.file("out.db")
        try await replay(test, into: path)
        try PlainSQLite(path).execute(
            """
            CREATE TABLE log (x);
            CREATE TRIGGER late AFTER INSERT ON seen BEGIN INSERT INTO log VALUES (new.id); END
            """
        )
        try await test.ingest(Self.event.replacing("\"1\",", with: "\"2\","), from: "x")
        #expect(await failureCode { try await replay(test, into: path) } == .schemaAltered)
        #expect(try PlainSQLite(path).run("SELECT count(*) FROM log") == [[.integer(0)]])
        await test.store.close()
    }

    @Test("A write-ahead log of another database is not taken for the file's own")
    func foreignLog() async throws {
        let test = try await store()
        let path = test.folder.file("out.db")
        try database(path, "PRAGMA journal_mode = WAL; CREATE TABLE mine (x)")
        let other = test.folder.file("other.db")
        try database(other, "PRAGMA journal_mode = WAL")
        let writer = try PlainSQLite(other)
        try writer.execute("CREATE TABLE seen (evil); CREATE TABLE replay_checkpoints (evil)")
        let log = try Data(contentsOf: URL(filePath: other + "-wal"))
        #expect(!log.isEmpty)
        try log.write(to: URL(filePath: path + "-wal"))
        let code = await failureCode { try await replay(test, into: path) }
        // SQLite cannot tell a log's owner: what it makes of the two is judged like any other file.
        if code == nil {
            #expect(try PlainSQLite(path).run("SELECT count(*) FROM seen") == [[.integer(1)]])
        } else {
            #expect(code == .corrupt || code == .invalidArgument || code == .schemaAltered)
        }
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test("A path that somebody wrote into the store makes a drop touch no tables but ours")
    func forgedPath() async throws {
        let test = try await store()
        let path = test.folder.file("out.db")
        try await replay(test, into: path)
        let victim = test.folder.file("victim.db")
        try database(victim, "CREATE TABLE seen (precious); INSERT INTO seen VALUES (1)")
        try test.tamper("UPDATE replays SET target_path = '\(victim)'")
        try await test.store.dropReplay("seen")
        #expect(try PlainSQLite(victim).run("SELECT precious FROM seen") == [[.integer(1)]])
        await test.store.close()
    }
}
