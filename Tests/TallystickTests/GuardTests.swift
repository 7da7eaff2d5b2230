import Foundation
import Tallystick
import TallystickTestSupport
import Testing

@Suite("Guards against other programs")
struct GuardTests {
    private static let proved = [
        "events", "copies", "audit_trail", "mismatches", "conflicts", "conflict_candidates",
        "resolutions", "configurations", "keys", "checksums", "quarantine",
    ]

    @Test("Every proved table refuses every kind of write by plain SQLite", arguments: proved)
    func refuses(_ table: String) async throws {
        let template = try await TemplateStore.make()
        let path = try template.copy("plain.db")
        let database = try PlainSQLite(path)
        let before = try database.run("SELECT * FROM \(table)")
        let columns = try database.run("SELECT name, pk FROM pragma_table_info('\(table)')")
        let names = columns.compactMap { row in
            if case .text(let name) = row[0] { name } else { nil }
        }
        let key = names[columns.firstIndex { $0[1] == .integer(1) } ?? 0]
        let some = names.last ?? ""
        let all = names.joined(separator: ", ")
        var writes = [
            "INSERT INTO \(table) DEFAULT VALUES", "REPLACE INTO \(table) DEFAULT VALUES",
        ]
        if !before.isEmpty {
            writes += [
                "INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE", "INSERT OR FAIL", "REPLACE",
            ]
            .map { "\($0) INTO \(table) SELECT * FROM \(table) LIMIT 1" }
            writes += [
                "INSERT INTO \(table) SELECT * FROM \(table) WHERE true ON CONFLICT DO NOTHING",
                "INSERT INTO \(table) SELECT * FROM \(table) WHERE true ON CONFLICT (\(key)) DO UPDATE SET \(some) = 1",
                "INSERT OR REPLACE INTO \(table) (rowid, \(all)) SELECT rowid, \(all) FROM \(table) LIMIT 1",
                "UPDATE \(table) SET \(some) = \(some)",
                "UPDATE \(table) SET rowid = rowid + 100000",
                "UPDATE \(table) SET _rowid_ = -rowid", "UPDATE OR REPLACE \(table) SET \(key) = 1",
                "UPDATE OR IGNORE \(table) SET \(key) = \(key) + 1",
                "UPDATE \(table) SET \(key) = \(key) FROM (SELECT 1)",
                "DELETE FROM \(table)", "DELETE FROM \(table) WHERE \(key) = 1",
                "WITH x AS (SELECT 1) DELETE FROM \(table) WHERE \(key) IN x",
                "UPDATE \(table) SET \(some) = NULL RETURNING *",
            ]
        }
        for pragmas in ["", "PRAGMA recursive_triggers = ON", "PRAGMA foreign_keys = ON"] {
            if !pragmas.isEmpty { try database.run(pragmas) }
            for sql in writes {
                let error = #expect(throws: PlainSQLite.Failure.self) { try database.run(sql) }
                #expect(error?.description.contains("tallystick: rows of") ?? false, "\(sql)")
            }
        }
        #expect(try database.run("SELECT * FROM \(table)") == before)
    }

    @Test("Deleting what proved rows refer to never reaches them, and is found")
    func cascades() async throws {
        let template = try await TemplateStore.make()
        let path = try template.copy("cascade.db")
        let database = try PlainSQLite(path)
        try database.run("PRAGMA foreign_keys = ON")
        #expect(throws: PlainSQLite.Failure.self) { try database.run("DELETE FROM sources") }
        try database.run("PRAGMA foreign_keys = OFF")
        let before = try database.run("SELECT * FROM events")
        try database.run("DELETE FROM sources WHERE source_id = 1")
        #expect(try database.run("SELECT * FROM events") == before)
        let store = try await EventStore.open(at: path)
        #expect(try await store.verify().findings.contains { $0.record.hasPrefix("events ") })
        await store.close()
    }

    // MARK: Schema

    @Test(
        "A schema object that the migrations do not create is refused, with its name",
        arguments: [
            ("ALTER TABLE events ADD COLUMN extra TEXT", "events"),
            ("ALTER TABLE events RENAME COLUMN subject TO topic", "events"),
            ("ALTER TABLE copies RENAME TO copies2", "copies2"),
            ("DROP TABLE counters", "counters"), ("DROP TRIGGER events_refuse_update", "events"),
            ("DROP INDEX copies_by_position", "copies_by_position"),
            ("DROP VIEW event_log; CREATE VIEW event_log AS SELECT 1 AS position", "event_log"),
            ("CREATE TRIGGER t AFTER INSERT ON counters BEGIN SELECT 1; END", "t"),
            ("CREATE TABLE t (x)", "t"), ("CREATE VIEW v AS SELECT * FROM events", "v"),
            ("CREATE INDEX \"EVENTS_by\" ON events (subject)", "EVENTS_by"),
            ("CREATE TEMP TABLE ok (x); CREATE VIRTUAL TABLE f USING fts5(x)", "f"),

            // A trigger may have the name of a table; whichever comes first must not hide the other.
            ("CREATE TRIGGER events BEFORE INSERT ON counters BEGIN SELECT 1; END", "events"),
            // A row of projection_objects allows no trigger, no foreign name, no index of the store's tables.
            (
                """
                CREATE TRIGGER p_t AFTER INSERT ON counters BEGIN SELECT 1; END;
                INSERT INTO projection_objects SELECT name, 'p', type, sql FROM sqlite_schema
                WHERE name = 'p_t'
                """, "p_t"
            ),
            (
                """
                CREATE VIEW other AS SELECT * FROM events;
                INSERT INTO projection_objects SELECT name, 'p', type, sql FROM sqlite_schema
                WHERE name = 'other'
                """, "other"
            ),
            (
                """
                CREATE INDEX p_i ON events (subject);
                INSERT INTO projection_objects SELECT name, 'p', type, sql FROM sqlite_schema
                WHERE name = 'p_i'
                """, "p_i"
            ),
            (
                """
                CREATE TABLE p (x);
                INSERT INTO projection_objects VALUES ('p', 'p', 'table', 'CREATE TABLE p (y)')
                """, "table p"
            ),
        ]
    )
    func schema(_ sql: String, _ name: String) async throws {
        let test = try await TestStore()
        let database = try PlainSQLite(test.path)
        try database.execute(sql)
        do {
            _ = try await EventStore.open(at: test.path)
            Issue.record("opened after \(sql)")
        } catch {
            #expect(error.code == .schemaAltered)
            #expect(error.message.contains(name), "\(error.message)")
        }
        // The handle that was open before the change notices it too.
        #expect(await failureCode { try await test.ingest("{}", from: "x") } == .schemaAltered)
        #expect(await failureCode { _ = try await test.rows("SELECT 1") } == .schemaAltered)
        #expect(await failureCode { _ = try await test.store.verify() } == .schemaAltered)
        await test.store.close()
    }

    @Test("Statistics of the planner are nobody's evidence: a store that was analysed goes on")
    func analysed() async throws {
        let test = try await TestStore()
        try PlainSQLite(test.path).execute("ANALYZE")
        #expect(try await test.ingest("{}", from: "x").outcomes.quarantined == 1)
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test(
        "A projection's own tables, views and indexes are accepted, and nothing changes for the rest"
    )
    func projections() async throws {
        let test = try await TestStore()
        try await test.ingest(
            eventLine("1", data: #"{"a":1}"#),
            from: "x"
        )
        let projection = """
            -- tally:projection totals
            -- tally:version 1
            -- tally:setup
            CREATE TABLE totals (type TEXT PRIMARY KEY, n INTEGER, UNIQUE (n, type)) STRICT;
            CREATE INDEX totals_by_n ON totals (n);
            CREATE VIEW totals_large AS SELECT * FROM totals WHERE n > 10;
            -- tally:on *
            INSERT INTO totals VALUES (:type, 1) ON CONFLICT DO NOTHING;

            """
        let outcome = try await test.store.replay(projection: Array(projection.utf8))
        #expect(outcome.applied == 1)
        #expect(try await test.rows("SELECT n FROM totals") == [[.integer(1)]])
        let again = try await EventStore.open(at: test.path)
        #expect(try await again.verify().isIntact)
        await again.close()
        await test.store.close()
    }

    @Test("A store of 100,000 hostile tables is refused")
    func manyTables() async throws {
        let test = try await TestStore()
        await test.store.close()
        do {
            let database = try PlainSQLite(test.path)
            try database.run("PRAGMA writable_schema = ON")
            try database.run(
                """
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
                SELECT 'table', 't' || i, 't' || i, 2, 'CREATE TABLE t' || i || '(x)' FROM n
                """
            )
            try database.run(
                """
                INSERT INTO projection_objects (name, replay, type, sql)
                SELECT name, 'q', type, sql FROM sqlite_schema WHERE name LIKE 't%'
                """
            )
            try database.run("PRAGMA schema_version = 999999")
        }
        #expect(
            await failureCode { _ = try await EventStore.open(at: test.path) } == .schemaAltered
        )
    }

    // MARK: Files

    @Test(
        "Symbolic links, also of the files beside, other kinds of file and second names are refused"
    )
    func links() async throws {
        let template = try await TemplateStore.make()
        let path = try template.copy("linked.db")
        let link = path + ".link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        #expect(await failureCode { _ = try await EventStore.open(at: link) } == .notPermitted)
        for ending in ["-wal", "-shm", "-journal"] {
            try? FileManager.default.removeItem(atPath: path + ending)
            try FileManager.default.createSymbolicLink(
                atPath: path + ending,
                withDestinationPath: "/tmp/tallystick-elsewhere"
            )
            #expect(await failureCode { _ = try await EventStore.open(at: path) } == .notPermitted)
            try FileManager.default.removeItem(atPath: path + ending)
        }
        #expect(!FileManager.default.fileExists(atPath: "/tmp/tallystick-elsewhere"))
        try FileManager.default.linkItem(atPath: path, toPath: path + ".second")
        #expect(await failureCode { _ = try await EventStore.open(at: path) } == .notPermitted)
        var readOnly = StoreOptions()
        readOnly.access = .readOnly
        let store = try await EventStore.open(at: path, options: readOnly)
        #expect(try await store.verify().isIntact)
        #expect(try await Self.problems(path) == ["names"])
        try FileManager.default.removeItem(atPath: path + ".second")
        await store.close()
    }

    @Test("The doctor says when others may replace the store")
    func folder() async throws {
        let test = try await TestStore()
        #expect(try await Self.problems(test.path) == [])
        chmod(test.folder.path, 0o777)
        #expect(try await Self.problems(test.path) == ["folder"])
        chmod(test.folder.path, 0o700)
        await test.store.close()
    }

    /// Subjects of what the doctor finds wrong, but for the disk, which is the machine's.
    private static func problems(_ path: String) async throws -> [String] {
        try await EventStore.diagnose(at: path)
            .filter { $0.level == .problem && $0.subject != "disk" }.map(\.subject)
    }

    @Test("A store and the files beside it are its owner's alone")
    func permissions() async throws {
        let previous = umask(0)
        defer { umask(previous) }
        let test = try await TestStore()
        try await test.ingest(
            eventLine("1"),
            from: "x"
        )
        for ending in ["", "-wal", "-shm"] {
            var status = stat()
            #expect(lstat(test.path + ending, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600, "\(ending)")
        }
        await test.store.close()
    }
}
