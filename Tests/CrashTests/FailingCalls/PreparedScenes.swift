import Foundation
import TallystickTestSupport
import Testing

/// The folders from which workloads start, made once by undisturbed commands.
struct PreparedScenes {
    let folder: TemporaryFolder
    let program: String?

    init(program: String?) throws {
        self.program = program
        let memory = "/dev/shm"
        folder = try TemporaryFolder(in: access(memory, W_OK) == 0 ? memory : "/tmp")
        for scene in Workload.Scene.allCases {
            try FileManager.default.createDirectory(
                atPath: path(scene),
                withIntermediateDirectories: false
            )
            try writeFiles(scene)
            for words in commands(scene) {
                let result = tally(in: path(scene)).run(words)
                try #require(result.code <= 1, "\(words): \(result.errors)")
            }
            if scene == .decided { try keepPublicKey(path(scene)) }
        }
    }

    func path(_ scene: Workload.Scene) -> String { folder.file(scene.rawValue) }

    func tally(in folder: String, under wrapper: [String] = []) -> TallyCommand {
        guard let program else { return TallyCommand(in: folder, under: wrapper) }
        return TallyCommand(in: folder, path: program, under: wrapper)
    }

    // MARK: Files

    private func event(_ id: Int, _ shift: Int) -> String {
        let other = (id + shift).isMultiple(of: 3) ? ",\"w\":\(shift)" : ""
        let number = id + (id.isMultiple(of: 2) ? 0 : shift)
        return
            "{\"specversion\":\"1.0\",\"id\":\"\(id)\",\"source\":\"/s\",\"type\":\"status\","
            + "\"subject\":\"x\(id % 3)\",\"data\":{\"n\":\(number)\(other)}}"
    }

    private func events(_ ids: Range<Int>, _ shift: Int) -> String {
        ids.map { event($0, shift) + "\n" }.joined()
    }

    private static func projection(_ name: String) -> String {
        """
        -- tally:projection \(name)
        -- tally:version 1
        -- tally:setup
        CREATE TABLE \(name) (type TEXT PRIMARY KEY, n INTEGER NOT NULL, last INTEGER NOT NULL) STRICT;
        -- tally:on *
        INSERT INTO \(name) VALUES (:type, 1, :position)
        ON CONFLICT (type) DO UPDATE SET n = n + 1, last = excluded.last;

        """
    }

    /// No copy is late within the hours of a complete run: findings do not depend on when a command runs.
    private static let settings = """
        {"origins": {"a": {"priority": 1}, "b": {"priority": 2}},
         "categories": {"system": {"policy": "p", "window": "36500d"}},
         "policies": {"p": {"chain": [
            {"use": "field_merge", "fields": {"/n": "max"}, "otherwise": "next"}, {"use": "manual"}]}}}
        """

    private func writeFiles(_ scene: Workload.Scene) throws {
        let folder = path(scene)
        let files = [
            "settings.json": Self.settings,
            "other.json": "{\"categories\": {\"system\": {\"window\": \"5m\"}}}",
            "totals.sql": Self.projection("totals"), "sums.sql": Self.projection("sums"),
            "content.json": event(1, 5),
            "a.ndjson": events(0..<24, 0) + "not json\n{\"id\":\"r\"}\n",
            "b.ndjson": events(0..<24, 1),
            "c.ndjson": events(20..<36, 0) + "{\"id\":1}\n", "d.ndjson": events(20..<36, 1),
            "one.ndjson": events(100..<103, 0),
        ]
        for (name, text) in files {
            try text.write(toFile: folder + "/" + name, atomically: false, encoding: .utf8)
        }
        guard scene == .old else { return }
        let old = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "fixtures/databases/schema-1.db").path
        try FileManager.default.copyItem(atPath: old, toPath: folder + "/old.db")
        chmod(folder + "/old.db", 0o600)
    }

    // MARK: Commands

    private func commands(_ scene: Workload.Scene) -> [[String]] {
        let disputed = [
            "init s.db --config settings.json", "ingest s.db a.ndjson --origin a",
            "ingest s.db b.ndjson --origin b",
            "keys generate s.db --signing signer.key --name first.example --reason r",
            "seal s.db --key-file signer.key --output first.note",
        ]
        let decided = [
            "reconcile s.db", "conflicts resolve s.db 1 --take b --reason r",
            "conflicts resolve s.db 3 --exclude --reason r", "replay s.db totals.sql",
            "replay s.db sums.sql --into sums.db",
            "keys generate s.db --key-file ring.json --id k1 --reason r",
            "ingest s.db one.ndjson --origin a --key-file ring.json",
            "seal s.db --key-file signer.key", "prove event s.db 2 --output first.proof",
        ]
        let lines =
            switch scene {
            case .empty, .old: [String]()
            case .disputed: disputed
            case .decided: disputed + decided
            }
        return lines.map { $0.split(separator: " ").map(String.init) }
    }

    /// A file with the public key that verifies notes.
    private func keepPublicKey(_ folder: String) throws {
        let sealed = tally(in: folder).run("seal", "s.db", "--key-file", "signer.key")
        let words = sealed.errors.split(whereSeparator: \.isWhitespace)
        let key = try #require(words.last { $0.hasPrefix("first.example+") }, "\(sealed.errors)")
        try String(key).write(toFile: folder + "/public", atomically: false, encoding: .utf8)
    }
}
