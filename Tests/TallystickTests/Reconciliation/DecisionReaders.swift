import Foundation
import Tallystick
import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

/// Everything that reads decisions. `allCases` is the list; a new one does not compile before it is read below.
enum DecisionReader: CaseIterable {
    case read, readBackwards, readStreams, asRecorded
    case rebuild, apply, intoFile, startedAgain
    case sink, sinkFromPlace
    case contentDigest, verify, export, auditReplay, doctor, backup
}

/// Reads a store in every way, and holds what comes out against the views and against independent programs.
struct DecisionReaders {
    let store: EventStore
    let path: String
    let folder: TemporaryFolder
    /// What a failure says besides.
    var when = ""

    /// Reads the store with every reader.
    func check() async throws {
        let effective = try await rows(
            "SELECT position, type, data FROM effective_events ORDER BY 1"
        )
        for reader in DecisionReader.allCases {
            do {
                let found = try await read(reader)
                guard let found, found != effective else { continue }
                let differences = found.difference(from: effective)
                Issue.record("\(when): \(reader): \(differences)")
            } catch {
                Issue.record("\(when): \(reader): \(error)")
            }
        }
    }

    /// Reads the store; the effective events as text, or nil where the reader says nothing of them.
    private func read(_ reader: DecisionReader) async throws -> [String]? {
        switch reader {
        case .read: return try await events(EventReading())
        case .readBackwards:
            var reading = EventReading()
            reading.backwards = true
            return try await Array(events(reading).reversed())
        case .readStreams: return try await streams()
        case .asRecorded:
            var reading = EventReading()
            reading.asRecorded = true
            let recorded = try await rows("SELECT position, type, data FROM event_log ORDER BY 1")
            #expect(try await events(reading) == recorded, "\(when)")
            return nil
        case .rebuild:
            let outcome = try await replay("rebuild")
            #expect(try outcome.digest == independent("replay_digest.py", "rebuild"), "\(when)")
            return try await rows("SELECT * FROM seen_rebuild ORDER BY 1")
        case .apply:
            let outcome = try await replay("apply")
            #expect(try outcome.digest == independent("replay_digest.py", "apply"), "\(when)")
            return try await rows("SELECT * FROM seen_apply ORDER BY 1")
        case .intoFile: return try await intoFile()
        case .startedAgain: return try await startedAgain()
        case .sink:
            let name = "sink_\(UInt32.random(in: .min ... .max))"
            return try await delivered { sink in
                let outcome = try await store.replay(into: sink, named: name)
                #expect(outcome.status == .complete, "\(when)")
            }
        case .sinkFromPlace:
            return try await delivered { sink in
                _ = try await store.replay(into: sink, after: ReplayCursor(after: Position(0)))
            }
        case .contentDigest:
            let digest = try await store.contentDigest().sha256.hex
            #expect(try digest == independent("content_digest.py"), "\(when)")
            return nil
        case .verify:
            let report = try await store.verify()
            #expect(report.findings == [], "\(when)")
            _ = try independent("recompute.py")
            return nil
        case .export:
            let count = try await rows("SELECT count(*) FROM events")
            let exported = Rows()
            try await store.export { _ in
                exported.add([])
                return true
            }
            #expect(["\(exported.all.count)"] == count, "\(when)")
            return nil
        case .auditReplay:
            #expect(try await store.replayAudit().drifts == [], "\(when)")
            return nil
        case .doctor:
            let findings = try await EventStore.diagnose(at: path)
            let decisions = findings.first { $0.subject == "decisions" }
            #expect(decisions?.level == .good, "\(when): \(decisions?.finding ?? "")")
            return nil
        case .backup: return try await backup()
        }
    }

    // MARK: Readings

    private static func line(_ event: StoredEvent) throws -> String {
        let data = data(of: try JSONDocument(event.content).root) ?? "NULL"
        return "\(event.position.rawValue)|\(event.type)|\(data)"
    }

    /// The data of a CloudEvent as text, bytes as hexadecimal digits; nil where it has none.
    fileprivate static func data(of event: JSONValue) -> String? {
        if let base64 = event["data_base64"]?.string {
            return Data(base64Encoded: base64).map { Hex.string([UInt8]($0)) }
        }
        return event["data"].map { String(decoding: $0.canonical, as: UTF8.self) }
    }

    private func events(_ reading: EventReading) async throws -> [String] {
        var lines: [String] = []
        for try await event in store.events(reading) { lines.append(try Self.line(event)) }
        return lines
    }

    private func streams() async throws -> [String] {
        var lines: [(Int64, String)] = []
        for stream in try await rows("SELECT name FROM streams ORDER BY 1") {
            var reading = EventReading()
            reading.stream = stream
            for try await event in store.events(reading) {
                lines.append((event.position.rawValue, try Self.line(event)))
            }
        }
        return lines.sorted { $0.0 < $1.0 }.map(\.1)
    }

    // MARK: Replays

    private func projection(_ onCorrection: String) -> [UInt8] {
        let table = "seen_\(onCorrection)"
        let correct = """
            -- tally:correct *
            DELETE FROM \(table) WHERE position = :position;
            INSERT INTO \(table) SELECT :position, :type, :data WHERE :data IS NOT NULL;
            """
        return Array(
            """
            -- tally:projection \(table)
            -- tally:version 1
            -- tally:on-correction \(onCorrection)
            -- tally:setup
            CREATE TABLE \(table) (position INTEGER PRIMARY KEY, type TEXT, data ANY) STRICT;
            -- tally:on *
            INSERT INTO \(table) VALUES (:position, :type, :data);
            \(onCorrection == "apply" ? correct : "")
            """.utf8
        )
    }

    func replay(
        _ onCorrection: String,
        _ options: ReplayOptions = ReplayOptions()
    ) async throws -> ReplayOutcome {
        var options = options
        options.rebuild = true
        let outcome = try await store.replay(projection: projection(onCorrection), options: options)
        #expect(outcome.status == .complete, "\(when): \(outcome.reason ?? "")")
        return outcome
    }

    /// Both kinds of projection in the store, as far as they can go.
    func replays() async throws -> [ReplayOutcome] {
        [try await replay("rebuild"), try await replay("apply")]
    }

    /// Both kinds of projection in a new copy of the store, into a file of their own; the effective events of the
    /// first.
    private func intoFile() async throws -> [String] {
        let copy = try await copied()
        var found: [[String]] = []
        for onCorrection in ["rebuild", "apply"] {
            let file = folder.file("into-\(UInt32.random(in: .min ... .max)).db")
            var options = ReplayOptions()
            options.target = .file(file)
            let renamed = String(decoding: projection(onCorrection), as: UTF8.self)
                .replacingOccurrences(of: "seen_", with: "file_")
            let outcome = try await copy.replay(projection: Array(renamed.utf8), options: options)
            #expect(outcome.status == .complete, "\(when)")
            let rows = try Connection(path: file, mode: .readOnly).prepare(
                """
                SELECT position, type, CASE typeof(data) WHEN 'blob' THEN lower(hex(data)) ELSE data END
                FROM file_\(onCorrection)
                ORDER BY 1
                """
            )
            var lines: [String] = []
            while try rows.step() {
                lines.append("\(rows.int64(at: 0))|\(rows.text(at: 1))|\(rows.text(at: 2))")
            }
            found.append(lines)
        }
        await copy.close()
        #expect(found[0] == found[1], "\(when)")
        return found[0]
    }

    /// Replays that are there already, from the first event on, with what they consumed read once more.
    private func startedAgain() async throws -> [String] {
        var options = ReplayOptions()
        options.verifiesHistory = true
        _ = try await replay("rebuild", options)
        _ = try await replay("apply", options)
        options.verifiesHistory = false
        options.alwaysRebuilds = true
        _ = try await replay("rebuild", options)
        _ = try await replay("apply", options)
        let rebuilt = try await rows("SELECT * FROM seen_rebuild ORDER BY 1")
        #expect(try await rows("SELECT * FROM seen_apply ORDER BY 1") == rebuilt, "\(when)")
        return rebuilt
    }

    /// What a sink makes of events and corrections.
    private func delivered(
        _ replay: (BatchHandler) async throws -> Void
    ) async throws -> [String] {
        let state = Delivered()
        try await replay(BatchHandler { items in for item in items { try state.take(item) } })
        return state.lines
    }

    // MARK: Copies

    private func copied() async throws -> EventStore {
        let copy = folder.file("copy-\(UInt32.random(in: .min ... .max)).db")
        try await store.backup(to: copy, verifies: true)
        return try await EventStore.open(at: copy)
    }

    private func backup() async throws -> [String] {
        let copy = try await copied()
        #expect(try await copy.verify().findings == [], "\(when)")
        #expect(try await copy.contentDigest().sha256 == store.contentDigest().sha256, "\(when)")
        let readers = DecisionReaders(store: copy, path: path, folder: folder, when: when)
        let events = try await readers.events(EventReading())
        await copy.close()
        return events
    }

    // MARK: Helpers

    func rows(_ sql: String) async throws -> [String] {
        let rows = Rows()
        try await store.query(sql) {
            rows.add($0)
            return true
        }
        return rows.all.map { $0.map(Self.text).joined(separator: "|") }
    }

    private static func text(_ value: SQLValue) -> String {
        switch value {
        case .text(let text): text
        case .integer(let number): String(number)
        case .real(let number): String(number)
        case .blob(let bytes): Hex.string(bytes)
        case .null: "NULL"
        }
    }

    /// What a program of `Tests/Independent` prints, less the line feed.
    func independent(_ program: String, _ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            ["python3", Fixture.root.appending(path: "Tests/Independent/\(program)").path, path]
            + arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(when): \(program)")
        return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .newlines)
    }
}

/// Effective events, as a sink keeps them.
private final class Delivered: @unchecked Sendable {
    private let lock = NSLock()
    private var events: [Int64: String] = [:]

    var lines: [String] {
        lock.withLock { events.sorted { $0.key < $1.key }.map(\.value) }
    }

    func take(_ item: ReplayItem) throws {
        var json: [UInt8] = []
        item.writeJSON(to: &json)
        let root = try JSONDocument(json).root
        guard case .number(let digits)? = root["position"]?.content, let position = Int64(digits)
        else { return }
        let event = root["event"]
        let data = event.flatMap { DecisionReaders.data(of: $0) }
        let line = data.map { "\(position)|\(event?["type"]?.string ?? "")|\($0)" }
        lock.withLock { events[position] = line }
    }
}
