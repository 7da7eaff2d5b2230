import Glibc
import TallystickSQLite
import TallystickTestSupport
import Testing

@Suite("SQLite rules")
struct ConnectionTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func open(_ name: String = "t.db") throws -> Connection {
        let path = folder.file(name)
        return try Connection(path: path, mode: .create, busyTimeoutMilliseconds: 0)
    }

    @Test(
        "Double-quoted strings, writable schema and triggers' side doors are closed on each connection"
    )
    func settings() throws {
        let connection = try open()
        try connection.execute("CREATE TABLE t (x)")
        #expect(throws: SQLiteError.self) {
            try connection.execute("SELECT \"no such column\" FROM t")
        }
        try connection.execute("PRAGMA writable_schema = ON")
        #expect(throws: SQLiteError.self) { try connection.execute("DELETE FROM sqlite_schema") }
        #expect(throws: SQLiteError.self) { try connection.execute("SELECT load_extension('x')") }
        for (pragma, value) in [
            ("cell_size_check", 1), ("mmap_size", 0), ("wal_autocheckpoint", 0), ("synchronous", 2),
            ("trusted_schema", 0),
        ] {
            let statement = try connection.prepare("PRAGMA \(pragma)")
            #expect(try statement.step() || pragma == "mmap_size", "\(pragma)")
            #expect(statement.int64(at: 0) == Int64(value), "\(pragma)")
        }
    }

    @Test("Text is read to its last byte, NUL included")
    func embeddedNUL() throws {
        let connection = try open()
        let statement = try connection.prepare("SELECT ?1")
        try statement.bindText("a\u{0}b", at: 1)
        #expect(try statement.step())
        #expect(statement.text(at: 0) == "a\u{0}b")
    }

    @Test("A second writer is refused while one holds BEGIN IMMEDIATE, a checkpoint included")
    func oneWriter() throws {
        let connection = try open()
        try connection.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (x)")
        let other = try Connection(
            path: folder.file("t.db"),
            mode: .readWrite,
            busyTimeoutMilliseconds: 0
        )
        try other.execute("BEGIN IMMEDIATE")
        #expect(throws: SQLiteError.self) { try connection.execute("BEGIN IMMEDIATE") }
        try connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        try other.execute("ROLLBACK")
        try connection.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (1); COMMIT")
        #expect(connection.walFrames > 0)
    }

    @Test("Closing the last connection leaves the log in place: checkpoints are ours alone")
    func noCheckpointOnClose() throws {
        do {
            let connection = try open()
            try connection.execute(
                "PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)"
            )
        }
        var status = stat()
        #expect(stat(folder.file("t.db-wal"), &status) == 0 && status.st_size > 0)
        let again = try Connection(path: folder.file("t.db"), mode: .readOnly)
        let rows = try again.prepare("SELECT count(*) FROM t")
        #expect(try rows.step())
        #expect(rows.int64(at: 0) == 1)
    }

    @Test("An extended code matches its primary code")
    func codes() throws {
        let connection = try open()
        try connection.execute("CREATE TABLE t (x PRIMARY KEY); INSERT INTO t VALUES (1)")
        let error = #expect(throws: SQLiteError.self) {
            try connection.execute("INSERT INTO t VALUES (1)")
        }
        #expect(error?.isConstraint == true)
        #expect(error?.code != .constraint)
    }

    @Test("The authorizer checks nested actions against the tables that they touch")
    func authorizer() throws {
        let connection = try open()
        try connection.execute(
            "CREATE TABLE mine (x); CREATE TABLE yours (x); CREATE VIEW mine_v AS SELECT x FROM yours"
        )
        let authorizer = Authorizer()
        try connection.install(authorizer)
        let phase = Authorizer.Phase.projection(
            owns: { $0.hasPrefix("mine") },
            reads: { table, _ in table.hasPrefix("mine") },
            mayDefine: false
        )
        func refused(_ sql: String) -> Bool {
            do {
                _ = try authorizer.during(phase) { () throws(SQLiteError) in
                    try connection.prepareOnly(sql)
                }
                return false
            } catch {
                return true
            }
        }
        #expect(!refused("INSERT INTO mine VALUES (1)"))
        #expect(refused("INSERT INTO yours VALUES (1)"))
        #expect(refused("INSERT INTO mine SELECT x FROM yours"))
        #expect(refused("INSERT INTO mine SELECT x FROM mine_v"))
        #expect(refused("INSERT INTO mine VALUES (random())"))
        #expect(refused("CREATE TRIGGER mine_t AFTER INSERT ON mine BEGIN SELECT 1; END"))
        #expect(refused("ATTACH ':memory:' AS x"))
        #expect(refused("PRAGMA user_version"))
        #expect(refused("SAVEPOINT s"))
    }
    @Test("A schema that changes after a statement was prepared is checked again when it steps")
    func authorizerAfterSchemaChange() throws {
        let connection = try open()
        try connection.execute(
            "CREATE TABLE mine (x); CREATE TABLE yours (x); CREATE VIEW mine_v AS SELECT x FROM mine"
        )
        let authorizer = Authorizer()
        try connection.install(authorizer)
        let phase = Authorizer.Phase.projection(
            owns: { $0.hasPrefix("mine") },
            reads: { table, _ in table.hasPrefix("mine") },
            mayDefine: false
        )
        let statement = try authorizer.during(phase) { () throws(SQLiteError) in
            try connection.prepareOnly("SELECT * FROM mine_v")
        }
        _ = try authorizer.during(phase) { () throws(SQLiteError) in try statement.step() }
        try statement.reset()
        let other = try Connection(path: folder.file("t.db"), mode: .readWrite)
        try other.execute("DROP VIEW mine_v; CREATE VIEW mine_v AS SELECT x FROM yours")
        let error = #expect(throws: SQLiteError.self) {
            try authorizer.during(phase) { () throws(SQLiteError) in _ = try statement.step() }
        }
        #expect(error?.isDenied == true)
        #expect(authorizer.denial?.contains("yours") == true)
        // The store's own phase allows it: the phase of the step is the one that counts.
        _ = try statement.step()
    }

    @Test("Functions that read JSON as a table may be used in every phase, from the first use on")
    func tableValuedFunctions() throws {
        let connection = try open()
        let authorizer = Authorizer()
        try connection.install(authorizer)
        for phase in [
            Authorizer.Phase.query(reads: { table, _ in table == "json_each" }),
            .projection(owns: { _ in false }, reads: { _, _ in false }, mayDefine: false),
        ] {
            let rows = try authorizer.during(phase) { () throws(SQLiteError) in
                try connection.prepareOnly("SELECT value FROM json_each('[7]')")
            }
            #expect(try rows.step())
            #expect(rows.int64(at: 0) == 7)
        }
        let error = #expect(throws: SQLiteError.self) {
            try authorizer.during(.query(reads: { table, _ in table == "json_each" })) {
                () throws(SQLiteError) in
                _ = try connection.prepareOnly("SELECT * FROM json_tree('[7]')")
            }
        }
        #expect(error?.isDenied == true)
    }

    @Test("Symbolic links are refused, and a new file is the owner's alone")
    func files() throws {
        let path = folder.file("t.db")
        do {
            let connection = try open()
            try connection.execute("CREATE TABLE t (x)")
        }
        #expect(symlink(path, folder.file("link.db")) == 0)
        let error = #expect(throws: SQLiteError.self) {
            _ = try Connection(path: folder.file("link.db"), mode: .readOnly)
        }
        #expect(error?.cannotOpen == true)
    }
}
