import Foundation
import Tallystick
import TallystickTestSupport
import Testing

@Suite("Repair and backup")
struct RepairTests {
    private func damaged(_ sql: String) async throws -> (TemplateStore, EventStore) {
        let template = try await TemplateStore.make()
        let path = try template.copy("damaged.db")
        try PlainSQLite(path).execute(sql)
        return (template, try await EventStore.open(at: path))
    }

    @Test(
        "Derived rows are rebuilt from proved ones, and the repair is on the audit trail",
        arguments: [
            "DELETE FROM event_identities WHERE position % 7 = 0",
            "UPDATE event_identities SET position = position + 1 WHERE position % 2 = 0",
            "INSERT INTO event_identities VALUES (0, 'nobody', 1, 5)",
            "DELETE FROM stream_revisions; DELETE FROM event_identities",
            "UPDATE stream_revisions SET revision = revision + 5000 WHERE position < 9",
            "DELETE FROM conflict_states WHERE conflict_id = 2",
            "UPDATE conflict_states SET state = 'resolved', candidates = 9",
            "DELETE FROM effective_state", "UPDATE effective_state SET data = '{}', excluded = 1",
            "INSERT INTO effective_state (position, state, conflict_id, excluded, replaced) VALUES (1, 'disputed', 1, 0, 0)",
            "UPDATE quarantine_states SET state = 'released'", "DELETE FROM quarantine_states",
            "UPDATE merkle_tiles SET hashes = zeroblob(8192) WHERE log = 'events' AND level = 0 AND tile = 1",
            "DELETE FROM merkle_tiles WHERE log = 'events' AND level = 0 AND tile = 0",
            "INSERT INTO merkle_tiles VALUES ('copies', 3, 7, x'00')",
        ]
    )
    func rebuilds(_ sql: String) async throws {
        let (template, store) = try await damaged(sql)
        #expect(try await !store.verify().isIntact, "\(sql)")
        let report = try await store.repairDerived(actor: "me", reason: "a test")
        #expect(report.after.isIntact, "\(sql): \(report.after.findings.prefix(3))")
        #expect(!report.repaired.isEmpty)
        let rows = Rows()
        try await store.query(
            "SELECT sum(detail ->> 'rows') FROM audit_trail WHERE detail ->> 'act' = 'repair_derived' AND actor = 'me'"
        ) {
            rows.add($0)
            return true
        }
        let sum = report.repaired.map(\.rows).reduce(0, +)
        #expect(rows.all == [[.integer(Int64(sum))]])
        await store.close()
        template.remove(store.path)
    }

    @Test(
        "A repair is refused, and nothing changed, where proved rows, names or the trees' ends are damaged",
        arguments: [
            ("events", "UPDATE events SET subject = 'x' WHERE position = 3"),
            ("copies", "DELETE FROM copies WHERE copy_id = 1"),
            ("resolutions", "UPDATE resolutions SET reason = 'x' WHERE resolution_id = 1"),
            ("types", "UPDATE types SET name = 'x' WHERE type_id = 1"),
            ("merkle_tail", "UPDATE merkle_tail SET hash = zeroblob(32)"),
            (
                "merkle_tiles",
                "UPDATE merkle_tiles SET hashes = zeroblob(64) WHERE log = 'events' AND level = 1"
            ),
        ]
    )
    func refuses(_ table: String, _ sql: String) async throws {
        let template = try await TemplateStore.make()
        let path = try template.copy("damaged.db")
        let database = try PlainSQLite(path)
        try database.withoutGuards(of: table) { try database.run(sql) }
        try database.run("DELETE FROM event_identities WHERE position = 9")
        let store = try await EventStore.open(at: path)
        let code = await failureCode {
            _ = try await store.repairDerived(actor: "me", reason: "a test")
        }
        #expect(code == .integrity)
        #expect(try database.run("SELECT 1 FROM event_identities WHERE position = 9") == [])
        await store.close()
    }

    // MARK: Backup

    @Test("A verified backup equals the store, and can be put in its place")
    func backup() async throws {
        let (template, store) = try await damaged("SELECT 1")
        let copy = store.path + ".backup"
        let report = try await store.backup(to: copy, verifies: true)
        let original = try await store.verify()
        #expect(report?.roots.events == original.roots.events)
        #expect(report?.roots.audit == original.roots.audit)
        // The store goes on; then the copy takes its place.
        let more = eventLine("later")
        try await store.ingest(.bytes(Array(more.utf8), named: "more"), from: "x")
        await store.close()
        template.remove(store.path)
        try FileManager.default.moveItem(atPath: copy, toPath: store.path)
        let restored = try await EventStore.open(at: store.path)
        #expect(try await restored.verify().roots.events == original.roots.events)
        let again = try await restored.ingest(.bytes(Array(more.utf8), named: "more"), from: "x")
        #expect(again.outcomes.appended == 1)
        await restored.close()
    }

    @Test("A verified backup of a damaged store is refused and leaves nothing behind")
    func damagedBackup() async throws {
        let (template, store) = try await damaged("DELETE FROM event_identities WHERE position = 9")
        let copy = store.path + ".backup"
        #expect(
            await failureCode { _ = try await store.backup(to: copy, verifies: true) } == .integrity
        )
        #expect(!FileManager.default.fileExists(atPath: copy))
        await store.close()
        template.remove(store.path)
    }

    @Test("A projection whose checkpoint is ahead of a restored store is refused, with the way on")
    func checkpointAhead() async throws {
        let test = try await TestStore()
        let projection = Array(
            """
            -- tally:projection n
            -- tally:version 1
            -- tally:setup
            CREATE TABLE n (type TEXT) STRICT;
            -- tally:on *
            INSERT INTO n VALUES (:type);

            """.utf8
        )
        try await test.ingest(
            eventLine("1"),
            from: "x"
        )
        let backup = test.folder.file("backup.db")
        try await test.store.backup(to: backup, verifies: true)
        try await test.ingest(
            eventLine("2"),
            from: "x"
        )
        var options = ReplayOptions()
        options.target = .file(test.folder.file("projection.db"))
        _ = try await test.store.replay(projection: projection, options: options)
        await test.store.close()
        let restored = try await EventStore.open(at: backup)
        do {
            _ = try await restored.replay(projection: projection, options: options)
            Issue.record("the replay went on from a checkpoint that the store does not have")
        } catch {
            #expect(error.code == .historyDiffers)
            #expect(error.hint.contains("--rebuild"))
        }
        options.rebuild = true
        #expect(try await restored.replay(projection: projection, options: options).applied == 1)
        await restored.close()
    }
}
