import Foundation
import Tallystick
import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

/// What is stored as text, and was damaged: a finding, or a failure that names the record. Never a bug.
@Suite("Damaged text in a store")
struct StoredTextTests {
    /// A store of all kinds of rows, which may be changed.
    private struct Copy {
        let folder: TemporaryFolder
        let path: String

        init() throws {
            folder = try TemporaryFolder()
            path = folder.file("store.db")
            let fixture = Fixture.path("databases/schema-4.db")
            try FileManager.default.copyItem(atPath: fixture, toPath: path)
            chmod(path, 0o600)
        }

        func tamper(_ sql: String) throws {
            try Connection(path: path, mode: .readWrite, firesTriggers: false).execute(sql)
        }

        func opened() async throws -> EventStore {
            var options = StoreOptions()
            options.migratesOlderSchema = true
            return try await EventStore.open(at: path, options: options)
        }
    }

    private static let projection = Array(
        """
        -- tally:projection seen
        -- tally:version 1
        -- tally:on-correction apply
        -- tally:setup
        CREATE TABLE seen (id TEXT) STRICT;
        -- tally:on *
        INSERT INTO seen VALUES (:id);

        """.utf8
    )

    /// What reads text of the store.
    private static let uses: [(name: String, use: @Sendable (EventStore) async throws -> Void)] = [
        ("audit replay", { _ = try await $0.replayAudit() }),
        ("verify", { _ = try await $0.verify() }),
        ("reconcile", { _ = try await $0.reconcile() }),
        ("read", { for try await _ in $0.events() {} }),
        ("export", { try await $0.export { _ in true } }),
        ("replay", { _ = try await $0.replay(projection: projection) }),
        ("content digest", { _ = try await $0.contentDigest() }),
        ("statistics", { _ = try await $0.statistics() }),
        ("conflicts", { try await $0.list(.conflicts()) { _ in true } }),
        ("conflict", { try await $0.list(.conflict(1)) { _ in true } }),
        ("candidates", { _ = try await $0.comparison(of: 1) }),
        (
            "resolve",
            {
                try await $0.reopen(conflict: 1, actor: "me", reason: "again")
                try await $0.resolve(
                    ManualResolution(conflictID: 1, choice: .exclude, actor: "me", reason: "r")
                )
            }
        ),
    ]

    /// Columns of text: `table.column`.
    private static func columns() throws -> [(table: String, column: String)] {
        let copy = try Copy()
        let connection = try Connection(path: copy.path, mode: .readOnly)
        let rows = try connection.prepare(
            """
            SELECT t.name, c.name
            FROM sqlite_schema AS t
            JOIN pragma_table_info(t.name) AS c
            WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite@_%' ESCAPE '@' AND c.type IN ('TEXT', 'ANY')
            ORDER BY 1, 2
            """
        )
        var columns: [(String, String)] = []
        while try rows.step() { columns.append((rows.text(at: 0), rows.text(at: 1))) }
        return columns
    }

    /// Every column takes a minute and a half; so only some of them, unless `TALLY_COLUMNS` is 1.
    private static let step =
        ProcessInfo.processInfo.environment["TALLY_COLUMNS"].flatMap { Int($0) } ?? 6

    @Test("No text that a release stores makes a command fail as a bug, whatever it is changed to")
    func everyColumn() async throws {
        let columns = try Self.columns()
        #expect(columns.count > 80)
        for number in stride(from: 0, to: columns.count, by: Self.step) {
            let column = columns[number]
            let copy = try Copy()
            // One row, and now and then all of them.
            let limit =
                number % 3 == 0 ? "" : "WHERE rowid = (SELECT max(rowid) FROM \(column.table))"
            let change = "UPDATE \(column.table) SET \(column.column) = '{\"a\":'"
            let changed = (try? copy.tamper("\(change) \(limit)")) != nil
            // Without a rowid, or with keys that must differ.
            if !changed, (try? copy.tamper(change)) == nil { continue }
            guard let store = try? await copy.opened() else {
                let code = await failureCode { _ = try await copy.opened() }
                #expect(code != .bug, "\(column)")
                continue
            }
            for (name, use) in Self.uses {
                let failure = await failure { try await use(store) }
                #expect(
                    failure?.code != .bug,
                    "\(column.table).\(column.column), \(name): \(failure.map { "\($0)" } ?? "")"
                )
            }
            await store.close()
        }
    }

    @Test(
        "A damaged detail of a decision's audit row is evidence that is not there",
        arguments: [
            "{", "", "null", "[1]", "no JSON", #"{"copies":"x"}"#, #"{"copies":1e99}"#,
            #"{"copies":-1}"#, #"{"copies":1,"as_of":"now"}"#,
        ]
    )
    func decision(_ detail: String) async throws {
        let copy = try Copy()
        try copy.tamper(
            """
            UPDATE audit_trail SET detail = '\(detail)'
            WHERE audit_sequence = (SELECT audit_sequence FROM resolutions WHERE resolution_id = 6)
            """
        )
        let store = try await copy.opened()
        let drifts = try await store.replayAudit().drifts
        #expect(drifts.map(\.resolutionID) == [6])
        #expect(drifts.map(\.what) == ["evidence"])
        #expect(drifts.first?.expected.contains("audit_trail") == true)
        await store.close()
    }

    @Test("A damaged detail of a configuration's audit row fails by the record's name")
    func configuration() async throws {
        let copy = try Copy()
        try copy.tamper(
            """
            UPDATE audit_trail SET detail = '{"after_position":'
            WHERE audit_sequence = (SELECT audit_sequence FROM configurations WHERE version = 2)
            """
        )
        let store = try await copy.opened()
        for use in ["audit replay", "reconcile"] {
            let failure = await failure { [uses = Self.uses] in
                for candidate in uses where candidate.name == use { try await candidate.use(store) }
            }
            #expect(failure?.code == .integrity, "\(use)")
            #expect(failure?.subject.hasPrefix("audit_trail ") == true, "\(use)")
        }
        await store.close()
    }

    @Test(
        "A stored head that names another key, or lost one of the two, is a finding",
        arguments: [
            ("key_id = 'k9'", "key"), ("key_id = NULL", "head"), ("hmac = NULL", "head"),
            ("hmac = 'abc'", "head"), ("key_id = ''", "key"),
        ]
    )
    func head(_ change: String, _ finding: String) async throws {
        let copy = try Copy()
        try copy.tamper(
            "UPDATE tree_heads SET \(change) WHERE head = (SELECT max(head) FROM tree_heads WHERE hmac IS NOT NULL)"
        )
        let store = try await copy.opened()
        let report = try await store.verify()
        #expect(report.findings.map(\.finding.rawValue) == [finding])
        #expect(report.findings.first?.record.hasPrefix("tree_heads ") == true)
        await store.close()
    }
}
