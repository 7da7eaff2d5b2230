import Synchronization
import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

@testable import Tallystick

/// The audit trail: nothing of it can be changed unnoticed, and everything in it can be found.
@Suite("Audit trail")
struct AuditTrailTests {
    private static func event(_ id: String, _ value: Int, _ more: String = "") -> String {
        eventLine(
            id,
            source: "/test",
            type: "status",
            subject: "s",
            more: more,
            data: #"{"value":\#(value)}"#
        )
    }

    /// A store with two rows or more in every detail table.
    private func filled() async throws -> TestStore {
        let test = try await TestStore()
        let store = test.store
        for id in ["a", "b"] {
            try await test.ingest(Self.event(id, 1), from: "left")
            try await test.ingest(Self.event(id, 2), from: "right")
            try await test.ingest(Self.event(id, 3), from: "third")
            try await test.ingest("no event \(id)", from: "left")
            try await test.ingest(
                Self.event("t" + id, 1, #","checksum":"00000000""#),
                from: "right"
            )
        }
        for (conflict, origin) in [(Int64(1), "right"), (2, "third"), (1, "left")] {
            if origin == "left" {
                try await store.reopen(conflict: 1, actor: "bob", reason: "wrong")
            }
            try await store.resolve(
                ManualResolution(
                    conflictID: conflict,
                    choice: .take(origin: origin),
                    actor: "ann",
                    reason: "checked"
                )
            )
        }
        try await store.apply(
            settings: Array(#"{"default_category": "debug"}"#.utf8),
            actor: "ann",
            reason: "quieter"
        )
        return test
    }

    /// The records that a verification names. What the store is, its settings and its keys are read when it is
    /// opened or verified: a row of these that makes no sense any more is named by the error.
    private func findings(_ path: String) async throws -> [String] {
        var options = StoreOptions()
        options.access = .readOnly
        var verification = VerifyOptions()
        verification.scope = .audit
        do throws(StoreError) {
            let store = try await EventStore.open(at: path, options: options)
            return try await store.verify(verification).findings.map(\.record)
        } catch {
            guard error.code == .integrity else { throw error }
            return [error.subject]
        }
    }

    /// Changes a copy of the store, around the guards or with the guards dropped and made again, and verifies it.
    private func findings(
        after sql: String,
        in test: TestStore,
        droppingGuards: Bool = false
    ) async throws -> [String] {
        let path = test.folder.file("copy-\(UInt32.random(in: .min ... .max)).db")
        try await test.store.backup(to: path)
        let connection = try Connection(
            path: path,
            mode: .readWrite,
            firesTriggers: droppingGuards
        )
        var guards: [(name: String, sql: String)] = []
        if droppingGuards {
            let rows = try connection.prepare(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
            )
            while try rows.step() { guards.append((rows.text(at: 0), rows.text(at: 1))) }
        }
        try connection.execute("BEGIN")
        for one in guards { try connection.execute("DROP TRIGGER \(one.name)") }
        try connection.execute(sql)
        for one in guards { try connection.execute(one.sql) }
        try connection.execute("COMMIT")
        return try await findings(path)
    }

    private func columns(
        of table: String,
        _ test: TestStore
    ) throws -> [(name: String, type: String)] {
        let connection = try Connection(path: test.path, mode: .readOnly)
        let rows = try connection.prepare("SELECT name, type FROM pragma_table_info('\(table)')")
        var columns: [(name: String, type: String)] = []
        while try rows.step() { columns.append((rows.text(at: 0), rows.text(at: 1))) }
        return columns
    }

    @Test("A change of any column of any row of the trail or its detail tables is found and named")
    func columns() async throws {
        let test = try await filled()
        try await test.store.owner.addKeysAndChecksums()
        var checked = 0
        for (table, key) in Self.tables {
            for (name, type) in try columns(of: table, test) {
                let other =
                    type == "INTEGER"
                    ? "coalesce(\(name), 0) + 1000"
                    : type == "BLOB" ? "x'00'" : "coalesce(\(name), '') || 'x'"
                let row = try #require(
                    try await test.rows(
                        "SELECT \(key), audit_sequence FROM \(table) ORDER BY \(key) LIMIT 1"
                    ).first,
                    "\(table) has no row"
                )
                guard case .integer(let id) = row[0], case .integer(let sequence) = row[1] else {
                    Issue.record("a key that is no number")
                    continue
                }
                let found = try await findings(
                    after: "UPDATE \(table) SET \(name) = \(other) WHERE \(key) = \(id)",
                    in: test
                )
                let isNamed =
                    found.contains("audit_trail \(sequence)") || found == ["\(table) \(id)"]
                    || found == Self.firstRow && sequence == 1
                #expect(isNamed, "\(table).\(name): \(found)")
                checked += 1
            }
        }
        #expect(checked > 80)
    }

    @Test("A row that is deleted, swapped with another, or added is found and named")
    func rows() async throws {
        let test = try await filled()
        try await test.store.owner.addKeysAndChecksums()
        #expect(try await findings(after: "SELECT 1", in: test) == [])
        for (table, key) in Self.tables {
            let rows = try await test.rows(
                "SELECT \(key), audit_sequence FROM \(table) ORDER BY \(key) LIMIT 2"
            )
            try #require(rows.count == 2, "\(table) has \(rows.count) rows")
            guard case .integer(let first) = rows[0][0], case .integer(let second) = rows[1][0],
                case .integer(let one) = rows[0][1], case .integer(let two) = rows[1][1]
            else {
                Issue.record("a key that is no number")
                continue
            }
            let deleted = try await findings(
                after: "DELETE FROM \(table) WHERE \(key) = \(second)",
                in: test,
                droppingGuards: true
            )
            #expect(deleted.contains("audit_trail \(two)"), "\(table): \(deleted)")
            let swapped = try await findings(
                after: """
                    UPDATE \(table) SET \(key) = -1 WHERE \(key) = \(first);
                    UPDATE \(table) SET \(key) = \(first) WHERE \(key) = \(second);
                    UPDATE \(table) SET \(key) = \(second) WHERE \(key) = -1
                    """,
                in: test
            )
            let isNamed =
                swapped.contains("audit_trail \(one)") && swapped.contains("audit_trail \(two)")
                || swapped == Self.firstRow && one == 1
            #expect(isNamed, "\(table): \(swapped)")
            let (sql, added) = try await insertion(into: table, key, like: first, of: one, test)
            let appended = try await findings(after: sql, in: test)
            #expect(appended.contains("audit_trail \(added)"), "\(table): \(appended)")
        }
    }

    @Test("Settings in force that were changed to nonsense are named, not a reason to fail")
    func settingsInForce() async throws {
        let test = try await filled()
        let row = try await test.rows(
            "SELECT max(version), max(audit_sequence) FROM configurations"
        )
        guard case .integer(let version)? = row.first?[0],
            case .integer(let sequence)? = row.first?[1]
        else {
            Issue.record("there are no settings")
            return
        }
        for sql in [
            "UPDATE configurations SET content = '{' WHERE version = \(version)",
            "DELETE FROM configurations",
        ] {
            let found = try await findings(after: sql, in: test)
            #expect(found.contains("audit_trail \(sequence)"), "\(found)")
        }
        try test.tamper("UPDATE configurations SET content = '{' WHERE version = \(version)")
        var options = StoreOptions()
        options.access = .readOnly
        let store = try await EventStore.open(at: test.path, options: options)
        #expect(await failureCode { _ = try await store.statistics() } == .integrity)
        #expect(
            await failureCode { _ = try await EventStore.open(at: test.path) } == .integrity
        )
    }

    /// A statement that adds a row like another one, and the audit row that then differs.
    private func insertion(
        into table: String,
        _ key: String,
        like id: Int64,
        of sequence: Int64,
        _ test: TestStore
    ) async throws -> (sql: String, sequence: Int64) {
        let others = ["candidate": "99", "supersedes": "NULL", "sha256": "'00'"]
        let names = try columns(of: table, test).map(\.name)
        let last = try await test.rows("SELECT max(\(key)) FROM \(table)")
        guard case .integer(let newest)? = last.first?.first else { return ("", 0) }
        let values = names.map { $0 == key ? "\(newest + 1)" : others[$0] ?? $0 }
        return (
            """
            INSERT INTO \(table) (\(names.joined(separator: ", ")))
            SELECT \(values.joined(separator: ", ")) FROM \(table) WHERE \(key) = \(id)
            """,
            table == "audit_trail" ? newest + 1 : sequence
        )
    }

    private static let firstRow = ["audit row 1"]

    private static let tables =
        [("audit_trail", "audit_sequence")] + DetailTable.allCases.map { ($0.name, $0.primaryKey) }

    @Test(
        "Rows are found by event, stream, position, conflict, origin, policy, actor, kind and time"
    )
    func filters() async throws {
        let test = try await filled()
        try await test.ingest(
            Self.event("c", 1).replacing(#""subject":"s""#, with: #""subject":"z""#),
            from: "left"
        )
        try await test.ingest(
            Self.event("c", 2).replacing(#""subject":"s""#, with: #""subject":"z""#),
            from: "left"
        )
        func kinds(_ change: (inout AuditFilter) -> Void) async throws -> [String] {
            var filter = AuditFilter()
            change(&filter)
            let entries = Entries()
            try await test.store.audit(filter) {
                entries.add($0)
                return true
            }
            let listed = Rows()
            try await test.store.list(.audit(filter)) {
                listed.add($0)
                return true
            }
            #expect(listed.all.map { $0[0] } == entries.all.map { .integer($0.sequence) })
            #expect(entries.all.allSatisfy { $0.isProved })
            return listed.all.map { if case .text(let kind) = $0[2] { kind } else { "" } }
        }
        let all = try await kinds { _ in }
        #expect(all.first == "store_created")
        #expect(
            try await kinds { $0.conflictID = 1 } == [
                "conflict", "candidate", "resolution", "conflict_reopened", "resolution",
            ]
        )
        #expect(try await kinds { $0.position = 3 } == ["mismatch", "conflict"])
        #expect(try await kinds { $0.stream = "/test#z" } == ["mismatch", "conflict"])
        #expect(try await kinds { $0.eventID = "c" } == ["mismatch", "conflict"])
        #expect(
            try await kinds {
                $0.eventID = "ta"
                $0.source = "/test"
            } == ["quarantine"]
        )
        #expect(
            try await kinds {
                $0.eventID = "c"
                $0.source = "/other"
            } == []
        )
        #expect(try await kinds { $0.policy = "manual" }.count == 3)
        #expect(try await kinds { $0.origin = "third" }.filter { $0 == "candidate" }.count == 2)
        #expect(try await kinds { $0.actor = "bob" } == ["conflict_reopened"])
        #expect(try await kinds { $0.kinds = ["configuration", "quarantine"] }.count == 5)
        #expect(try await kinds { $0.since = Timestamp(microseconds: 0) } == all)
        #expect(try await kinds { $0.since = Timestamp(microseconds: .max) } == [])
        #expect(try await kinds { $0.until = Timestamp(microseconds: 0) } == [])
    }

    @Test("An entry has every detail row, and says when the tree holds another hash")
    func entries() async throws {
        let test = try await filled()
        let entries = Entries()
        let tree = try await test.store.audit {
            entries.add($0)
            return true
        }
        #expect(Int64(entries.all.count) == tree.size)
        #expect(tree.root == (try await test.store.verify().roots.audit))
        let leaves = entries.all.map { String(decoding: $0.leaf, as: UTF8.self) }
        #expect(
            leaves.contains { $0.contains("\"quarantine\":[{") && $0.contains("\"mismatches\":[{") }
        )
        try test.tamper("UPDATE audit_trail SET actor = 'x' WHERE audit_sequence = 2")
        let changed = Entries()
        try await test.store.audit(sequence: 2) {
            changed.add($0)
            return true
        }
        #expect(changed.all.map(\.isProved) == [false])
        #expect(changed.all.first?.storedLeafHash == entries.all[1].leafHash)
    }
}

/// Entries that another thread adds.
private final class Entries: Sendable {
    private let state = Mutex<[AuditEntry]>([])
    func add(_ entry: AuditEntry) { state.withLock { $0.append(entry) } }
    var all: [AuditEntry] { state.withLock { $0 } }
}

extension StoreOwner {
    /// Two rows each of the detail tables that keys fill.
    func addKeysAndChecksums() throws {
        for number in 1...2 {
            try withWriter("add details") { writer in
                try writer.transaction("add details") {
                    let row = AuditRow(kind: .manual, recordedAt: 1, actor: "test")
                    try writer.addAudit(row, tables: [.keys, .checksums]) { sequence in
                        try writer.connection.execute(
                            """
                            INSERT INTO keys
                            VALUES (\(number), \(sequence), 'k\(number)', 'hmac-sha256', 'f', 'active')
                            """
                        )
                        try writer.connection.execute(
                            """
                            INSERT INTO checksums
                            VALUES (\(number), \(sequence), 1, 'hmac-sha256', 'k\(number)', '00')
                            """
                        )
                    }
                }
            }
        }
    }
}
