import Foundation
import Synchronization
import TallystickTestSupport
import Testing

/// One store, and the results reported by processes that work on it at once.
final class BusyStore: Sendable {
    /// An append that was acknowledged.
    struct Acknowledgement: Hashable {
        let id: String
        let stream: String
        let revision: String
        let position: String
    }

    /// The events so far.
    struct Record {
        /// The number of commands by exit code: `ingest 0`.
        var ends: [String: Int] = [:]
        var kills = 0
        var stops = 0
        var acknowledged: [Acknowledgement] = []
        var complaints: [String] = []
    }

    let folder: TemporaryFolder
    let tally: TallyCommand
    let worker: TallyCommand
    private let state = Mutex(Record())
    var record: Record { state.withLock { $0 } }

    static let origins = ["a", "b", "c"]
    static let files = 6
    static let eventsPerFile = 40
    static let store = "busy.db"

    init(seed: UInt64) throws {
        // Locks, syncs and logs are real, on a disk.
        folder = try TemporaryFolder(named: "tallystick-busy")
        tally = TallyCommand(in: folder.path)
        worker = TallyCommand(in: folder.path, program: "TallystickCrashWorker")
        try writeFiles()
        for words in [
            "init busy.db --config settings.json", "ingest busy.db 0-a.ndjson --origin a",
            "keys generate busy.db --signing signer.key --name busy.example --reason r",
            "keys generate busy.db --key-file ring.json --id k0 --reason r",
        ] {
            let result = tally.run(words.split(separator: " ").map(String.init))
            try #require(result.code == 0, "\(words): \(result.errors)")
        }
    }

    func note(_ change: (inout Record) -> Void) { state.withLock { change(&$0) } }

    // MARK: Files

    private static let settings = """
        {"origins": {"a": {"priority": 1}, "b": {"priority": 2}},
         "categories": {"system": {"policy": "p"}},
         "policies": {"p": {"chain": [
            {"use": "field_merge", "fields": {"/n": "max"}, "otherwise": "next"},
            {"use": "quorum", "k": 2}, {"use": "manual"}]}}}
        """

    /// The name of a file with one origin's copies of a part of the events. Neighbouring files overlap.
    static func file(_ part: Int, _ origin: String) -> String { "\(part)-\(origin).ndjson" }

    private static func ids(_ part: Int) -> Range<Int> {
        part * eventsPerFile / 2..<part * eventsPerFile / 2 + eventsPerFile
    }

    /// The number of different events in the files.
    static let events = ids(files - 1).upperBound

    private func writeFiles() throws {
        func write(_ text: String, _ name: String) throws {
            try text.write(toFile: folder.file(name), atomically: false, encoding: .utf8)
        }
        for part in 0..<Self.files {
            for (shift, origin) in Self.origins.enumerated() {
                let lines = Self.ids(part).map { id in
                    let other = (id + shift).isMultiple(of: 3) ? ",\"w\":\(shift)" : ""
                    return
                        "{\"specversion\":\"1.0\",\"id\":\"\(id)\",\"source\":\"/s\",\"type\":\"status\","
                        + "\"subject\":\"x\(id % 5)\",\"data\":{\"n\":\(id % 7 + shift % 2)\(other)}}\n"
                }
                try write(lines.joined(), Self.file(part, origin))
            }
        }
        try write(Self.settings, "settings.json")
        for minutes in 1...3 {
            try write(
                "{\"categories\": {\"debug\": {\"window\": \"\(minutes)m\"}}}",
                "settings-\(minutes).json"
            )
        }
        for name in ["totals", "beside"] {
            try write(
                """
                -- tally:projection \(name)
                -- tally:version 1
                -- tally:on-correction apply
                -- tally:setup
                CREATE TABLE \(name) (stream TEXT NOT NULL, revision INTEGER NOT NULL, type TEXT, data TEXT,
                    PRIMARY KEY (stream, revision)) STRICT;
                -- tally:on *
                INSERT INTO \(name) VALUES (:stream, :revision, :type, :data);
                -- tally:correct *
                DELETE FROM \(name) WHERE stream = :stream AND revision = :revision;
                INSERT INTO \(name) SELECT :stream, :revision, :type, :data WHERE :type IS NOT NULL;

                """,
                name + ".sql"
            )
        }
    }
}
