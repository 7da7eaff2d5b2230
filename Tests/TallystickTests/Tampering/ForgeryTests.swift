import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Changes that leave every digest as it is, and changes after which every digest is made again.
@Suite("Forgery")
struct ForgeryTests {
    private struct Shift: Sendable {
        var name: String
        var table: String
        var sql: String
        var record: String
    }

    private static let shifts = [
        Shift(
            name: "a member moves from attributes to the end of data",
            table: "events",
            sql: """
                UPDATE events SET data = data || ',"dataschema":"http://x/y"',
                    attributes = json_remove(attributes, '$.dataschema')
                WHERE event_id = 'a1'
                """,
            record: "events"
        ),
        Shift(
            name: "data becomes a member of attributes",
            table: "events",
            sql: """
                UPDATE events SET data = NULL,
                    attributes = '{"data":{"a":1},' || substr(attributes, 2)
                WHERE event_id = 'a1'
                """,
            record: "events"
        ),
        Shift(
            name: "the last bracket of attributes is another byte",
            table: "events",
            sql: """
                UPDATE events SET attributes = substr(attributes, 1, length(attributes) - 1) || 'x'
                WHERE event_id = 'a1'
                """,
            record: "events"
        ),
        Shift(
            name: "the type of a value changes and its bytes do not",
            table: "events",
            sql: "UPDATE events SET subject = CAST(subject AS BLOB) WHERE event_id = 'a3'",
            record: "events"
        ),
        Shift(
            name: "a revision of 0 becomes NULL",
            table: "events",
            sql: "UPDATE events SET revision = NULL WHERE event_id = 'a1' AND revision = 0",
            record: "events"
        ),
        Shift(
            name: "differs_in moves to the end of a copy's delivery attributes",
            table: "copies",
            sql: """
                UPDATE copies SET differs_in = NULL,
                    delivery_attributes = delivery_attributes || ',"differs_in":' || differs_in
                WHERE copy_id = (SELECT min(copy_id) FROM copies
                    WHERE differs_in IS NOT NULL AND delivery_attributes IS NOT NULL)
                """,
            record: "copies"
        ),
        Shift(
            name: "a quarantined input is replaced by the text of its digest",
            table: "quarantine",
            sql: """
                UPDATE quarantine SET content = 'sha256:' || sha256
                WHERE quarantine_id = 1 AND length(content) = length
                """,
            record: "audit_trail"
        ),
    ]

    @Test("A change that no digest shows is found all the same", arguments: shifts.indices)
    func shift(_ index: Int) async throws {
        let shift = Self.shifts[index]
        let template = try await TemplateStore.make(
            delivering:
                #"{"specversion":"1.0","id":"a1","source":"/s","type":"t","dataschema":"http://x/y","zone":"eu","num":8,"traceparent":"00-2","data":{"a":1}}"#
        )
        let path = try template.copy("shifted.db")
        let database = try PlainSQLite(path)
        try database.withoutGuards(of: shift.table) {
            try database.run(shift.sql)
            #expect(try database.run("SELECT changes()") == [[.integer(1)]], "\(shift.name)")
        }
        let store = try await EventStore.open(at: path, keys: .ring(try TemplateStore.ring()))
        let report = try await store.verify()
        #expect(
            report.findings.contains { $0.record.hasPrefix(shift.record + " ") },
            "\(shift.name): \(report.findings.map(\.record))"
        )
        if shift.table == "events" {
            #expect(
                await failureCode { try await store.export { _ in true } } == .integrity,
                "\(shift.name): served"
            )
        }
        await store.close()
        template.remove(path)
    }

    @Test("A log made again without the keys is found with the keys, or with a note kept elsewhere")
    func rebuilt() async throws {
        let template = try await TemplateStore.make()
        let path = try template.copy("rebuilt.db")
        let ring = try TemplateStore.ring()
        let signer = try NoteSigner(name: "seal.example")
        var store = try await EventStore.open(at: path, keys: .ring(ring))
        let sealed = try await store.seal(with: signer)
        await store.close()
        // An event whose category demands no key.
        try Forgery.rewrite(path, "UPDATE events SET subject = 'forged' WHERE event_id = 'a3'")
        store = try await EventStore.open(at: path, keys: .ring(ring))
        #expect(try await store.verify().findings.contains { $0.record.hasPrefix("tree_heads") })
        await store.close()
        // Who has written the stored heads anew too is found against the note alone.
        try PlainSQLite(path).run("DELETE FROM tree_heads")
        store = try await EventStore.open(at: path)
        #expect(try await store.verify().isIntact, "without keys and notes it cannot be found")
        var options = VerifyOptions()
        options.against = [sealed.head]
        let report = try await store.verify(options)
        #expect(report.findings.map(\.finding) == [.fork])
        await store.close()
        // An event under a key needs the key.
        try Forgery.rewrite(path, "UPDATE events SET subject = 'forged' WHERE event_id = 'k1'")
        store = try await EventStore.open(at: path, keys: .ring(ring))
        let keyed = try await store.verify()
        #expect(keyed.findings.contains { $0.eventID == "k1" && $0.finding == .content })
        await store.close()
    }
}
