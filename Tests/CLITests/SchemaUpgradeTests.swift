import Foundation
import TallystickTestSupport
import Testing

/// Stores that earlier releases wrote: one small file for each schema that was ever released.
@Suite("Stores of earlier schemas")
struct SchemaUpgradeTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
    }

    private static let databases = Project.file("fixtures/databases")
    private static let schemas = (1...99).filter {
        FileManager.default.fileExists(atPath: databases + "/schema-\($0).db")
    }

    /// Everything that people read of a store, in the order of the record.
    private static let reports = [
        "SELECT * FROM event_log ORDER BY position",
        "SELECT * FROM effective_events ORDER BY position",
        "SELECT * FROM resolution_trail ORDER BY resolution_id",
        "SELECT conflict_id, kind, severity, event_id, origins, candidates, differs_in FROM open_conflicts",
        "SELECT replay, status, position, parked, digest, applied_digest FROM replay_status",
        "SELECT audit_sequence, recorded_at, kind, actor, reason, position, detail FROM audit_trail ORDER BY 1",
        "SELECT * FROM service_health ORDER BY service",
        "SELECT quarantine_id, code, path, line, sha256 FROM quarantine ORDER BY 1",
    ]

    private func copy(schema: Int) throws -> String {
        let path = folder.file("old.db")
        try FileManager.default.copyItem(
            atPath: Self.databases + "/schema-\(schema).db",
            toPath: path
        )
        chmod(path, 0o600)
        return path
    }

    private func contents(_ store: String) -> [String] {
        Self.reports.map {
            let result = tally.run("query", store, $0, "--nl")
            #expect(result.code == 0, "\($0): \(result.errors)")
            return result.output
        }
    }

    private func version(_ store: String) throws -> Int {
        let header = try Data(contentsOf: URL(filePath: store)).dropFirst(60).prefix(4)
        return header.reduce(0) { $0 << 8 | Int($1) }
    }

    @Test("The oldest schema has a store among the fixtures")
    func isPresent() { #expect(Self.schemas.first == 1) }

    @Test(
        "A store of an earlier schema is read as it is, and not changed by that",
        arguments: schemas
    )
    func reading(schema: Int) throws {
        let store = try copy(schema: schema)
        let before = try Data(contentsOf: URL(filePath: store))
        #expect(try version(store) == schema)
        for arguments in [
            ["verify", store], ["stats", store], ["read", store], ["export", store],
            ["conflicts", "list", store], ["quarantine", "list", store], ["audit", "list", store],
            ["replay", "list", store], ["config", "show", store],
        ] {
            let result = tally.run(arguments)
            #expect(result.code == 0, "\(arguments): \(result.errors)")
        }
        #expect(try Data(contentsOf: URL(filePath: store)) == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["old.db"])
    }

    @Test(
        "An upgrade keeps every record, leaf and digest, and the replays go on",
        arguments: schemas
    )
    func upgrading(schema: Int) throws {
        let store = try copy(schema: schema)
        #expect(tally.run("verify", store).code == 0)
        let before = contents(store)
        let isOlder = tally.run("append", store, "s", "/dev/null").code == 78
        let upgrade = tally.run("upgrade", store)
        #expect(upgrade.code == 0, "\(upgrade.errors)")
        #expect(contents(store) == before)
        #expect(tally.run("verify", store).code == 0)

        let line = #"{"specversion":"1.0","id":"after","source":"/s","type":"health_check.x"}"#
        #expect(tally.run("ingest", store, "-", "--origin", "websocket", input: line).code == 0)
        let projection = Project.file("fixtures/projections/service_health.sql")
        let replay = tally.run("replay", store, projection, "--json")
        #expect(replay.code == 0, "\(replay.errors)")
        #expect(replay.output.contains("\"consumed\":1,"), "it resumed: \(replay.output)")
        #expect(tally.run("verify", store).code == 0)
        let copied = tally.run("backup", store, "copy.db")
        #expect(copied.code == 0, "\(copied.errors)")
        #expect(try (version(folder.file("copy.db")) > schema) == isOlder)
    }
}
