import Foundation
import Tallystick
import TallystickTestKit
import Testing

@Suite("Tampering", .serialized)
struct TamperingTests {
    private static let changes =
        ProcessInfo.processInfo.environment["TALLY_CHANGES"].flatMap { Int($0) } ?? 200
    private static let seed =
        ProcessInfo.processInfo.environment["TALLY_SEED"].flatMap { UInt64($0) } ?? 20_260_301

    @Test("Each change of a proved or derived row is found, and its record named")
    func campaign() async throws {
        let template = try await TemplateStore.make()
        var random = SeededGenerator(seed: Self.seed)
        var made = 0
        var attempt = 0
        while made < Self.changes {
            let target = Tampering.targets[attempt % Tampering.targets.count]
            attempt += 1
            let seed = random.next()
            let path = try template.copy("tampered-\(attempt).db")
            defer { template.remove(path) }
            var tampering = try Tampering(path, seed: seed)
            guard let change = try tampering.change(target) else { continue }
            made += 1
            let report = try await Self.verify(path)
            let comment = Comment(
                "seed \(seed): \(change.description): found \(report?.findings.prefix(3).map(\.record) ?? ["refused"])"
            )
            guard let report else { continue }
            #expect(!report.isIntact, comment)
            #expect(
                report.findings.contains { finding in
                    change.names.contains { Self.covers(finding.record, $0) }
                },
                comment
            )
        }
    }

    /// Whether a finding's record is a name, a range of missing rows included.
    private static func covers(_ record: String, _ name: String) -> Bool {
        if record == name || (name.hasSuffix(" ") && record.hasPrefix(name)) { return true }
        if record.hasPrefix(name) && !(record.dropFirst(name.count).first?.isNumber ?? false) {
            return true
        }
        let words = record.split(separator: " ")
        guard words.count == 4, words[2] == "to", let first = Int64(words[1]),
            let last = Int64(words[3]), let key = Int64(name.split(separator: " ").last ?? "")
        else { return false }
        return name.hasPrefix(words[0]) && first <= key && key <= last
    }

    /// nil when the store was refused as damaged before anything was read.
    private static func verify(_ path: String) async throws -> VerifyReport? {
        var options = StoreOptions()
        options.access = .readOnly
        do {
            let store = try await EventStore.open(at: path, options: options)
            return try await store.verify()
        } catch let error where [.integrity, .corrupt].contains(error.code) {
            return nil
        }
    }

    @Test("Stores with redeliveries, conflicts and decisions in their history give no finding")
    func noFalseAlarms() async throws {
        for seed in 1...4 as ClosedRange<UInt64> {
            let test = try await TestStore()
            var random = SeededGenerator(seed: seed)
            let batch = EventGenerator(seed: seed, streams: 7).lines(400)
            for origin in ["websocket", "realtime", "webhook"] {
                // Some are lost, some come twice, some are changed.
                var lines: [String] = []
                for line in batch where random.next() % 10 > 0 {
                    let changed = line.replacing("\"status\":\"ok\"", with: "\"status\":\"o\"")
                    lines.append(random.next() % 8 == 0 ? changed : line)
                    if random.next() % 9 == 0 { lines.append(line) }
                }
                lines.append("no event \(random.next() % 3)")
                let bytes = Array(lines.joined(separator: "\n").utf8)
                try await test.store.ingest(.bytes(bytes, named: origin), from: origin)
                try await decideSome(test.store, &random)
            }
            let report = try await test.store.verify()
            #expect(report.isIntact, "seed \(seed): \(report.findings.prefix(3))")
            #expect(report.isComplete)
            #expect(report.notChecked == [])
            await test.store.close()
        }
    }

    private func decideSome(_ store: EventStore, _ random: inout SeededGenerator) async throws {
        let open = Rows()
        try await store.query("SELECT conflict_id FROM open_conflicts") {
            open.add($0)
            return true
        }
        for row in open.all where random.next() % 3 == 0 {
            guard case .integer(let id) = row[0] else { continue }
            let candidates = try await store.candidates(of: id)
            let choice: ManualResolution.Choice =
                random.next() % 4 == 0
                ? .exclude : .content(candidates.randomElement(using: &random)?.content ?? [])
            try await store.resolve(
                ManualResolution(conflictID: id, choice: choice, actor: "me", reason: "test")
            )
        }
    }
}

extension EventGenerator {
    fileprivate func lines(_ count: Int) -> [String] {
        var generator = self
        return String(decoding: generator.events(count), as: UTF8.self).split(separator: "\n")
            .map(String.init)
    }
}

/// A closed store with every kind of row, from which each change takes a copy.
struct TemplateStore {
    private let folder: TemporaryFolder
    private let path: String

    /// - parameter keepingLog: whether the last commits are in the write-ahead log only.
    static func make(keepingLog: Bool = false) async throws -> TemplateStore {
        let test = try await TestStore()
        for origin in ["websocket", "realtime"] {
            let file = try Fixture.bytes("events/\(origin).ndjson")
            let lines = String(decoding: file, as: UTF8.self).split(separator: "\n").prefix(560)
            let bytes = Array(lines.joined(separator: "\n").utf8)
            try await test.store.ingest(.bytes(bytes, named: origin), from: origin)
        }
        try await test.ingest(
            #"{"specversion":"1.0","id":"a1","source":"/s","type":"t","dataschema":"http://x/y","zone":"eu","num":7,"data":{"a":1}}"#,
            #"{"specversion":"1.0","id":"a2","source":"/s","type":"t","data_base64":"AAEC"}"#,
            #"{"specversion":"1.0","id":"a3","source":"/s","type":"t","subject":"q","traceparent":"00-1","time":"2026-01-01T00:00:00Z"}"#,
            #"{"specversion":"1.0","id":"a4","source":"/s","type":"t","datacontenttype":"text/plain","data":"text"}"#,
            from: "poll"
        )
        try await test.store.ingest(.file(Fixture.path("events/malformed.ndjson")), from: "poll")
        let open = try await test.rows("SELECT conflict_id FROM open_conflicts")
        for (order, row) in open.enumerated() where order % 2 == 0 {
            guard case .integer(let id) = row[0] else { continue }
            let content = try await test.store.candidates(of: id).last?.content ?? []
            try await test.store.resolve(
                ManualResolution(
                    conflictID: id,
                    choice: order % 4 == 0 ? .content(content) : .exclude,
                    actor: "me",
                    reason: "r\(order)"
                )
            )
        }
        var template = TemplateStore(folder: test.folder, path: test.path)
        if keepingLog {
            let copy = try template.copy("template.db")
            template = TemplateStore(folder: test.folder, path: copy)
        }
        await test.store.close()
        return template
    }

    /// A copy of the file; nobody has the store open.
    func copy(_ name: String) throws -> String {
        let copy = folder.file(name)
        for suffix in ["", "-wal"]
        where FileManager.default.fileExists(atPath: path + suffix) {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
        }
        return copy
    }

    func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: path + suffix)
        }
    }
}
