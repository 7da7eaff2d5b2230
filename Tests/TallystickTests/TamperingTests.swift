import Foundation
import Tallystick
import TallystickCore
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
            if try await Self.attempt(target, random.next(), template) { made += 1 }
        }
    }

    /// Makes a change on a copy, and verifies it; false where there was nothing to change.
    private static func attempt(
        _ target: Tampering.Target,
        _ seed: UInt64,
        _ template: TemplateStore
    ) async throws -> Bool {
        let path = try template.copy("tampered-\(seed).db")
        defer { template.remove(path) }
        guard let change = try Tampering.change(target, of: path, seed: seed) else { return false }
        // nil: the store was refused at once.
        guard let report = try await verify(path) else { return true }
        let found = report.findings.prefix(3).map(\.record)
        let isNamed = report.findings.contains { finding in
            change.names.contains { name in
                covers(finding.record, name) || finding.expected.hasSuffix(" in \(name)")
            }
        }
        #expect(!report.isIntact, "seed \(seed): \(change.description)")
        #expect(isNamed, "seed \(seed): \(change.description): found \(found)")
        return true
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
        let ring = try TemplateStore.ring()
        do {
            let store = try await EventStore.open(at: path, keys: .ring(ring), options: options)
            return try await store.verify()
        } catch {
            guard error.code == .integrity || error.code == .corrupt else { throw error }
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
    /// - parameter copy: another event, from another origin.
    static func make(
        keepingLog: Bool = false,
        delivering copy: String? = nil
    ) async throws -> TemplateStore {
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
        if let copy { try await test.ingest(copy, from: "webhook") }
        try await decide(test)
        try await useKeys(test)
        let whole = TemplateStore(folder: test.folder, path: test.path)
        let path = keepingLog ? try whole.copy("template.db") : test.path
        await test.store.close()
        return TemplateStore(folder: test.folder, path: path)
    }

    /// The keys of the store.
    static func ring() throws -> KeyRing {
        var ring = KeyRing()
        try ring.add(
            KeyRing.Key(id: "k1", activatedAt: 1, secret: [UInt8](repeating: 1, count: 32))
        )
        return ring
    }

    /// Registers a key, makes checksums again with it, and records events under it.
    private static func useKeys(_ test: TestStore) async throws {
        let ring = try ring()
        let store = try await EventStore.open(at: test.path, keys: .ring(ring))
        try await store.register(ring.keys[0], actor: "me", reason: "first")
        _ = try await store.reseal(actor: "me", reason: "all of them")
        let lines = (1...3).map {
            #"{"specversion":"1.0","id":"k\#($0)","source":"/s","type":"error","data":{"n":\#($0)}}"#
        }
        let bytes = Array(lines.joined(separator: "\n").utf8)
        try await store.ingest(.bytes(bytes, named: "keyed"), from: "poll")
        await store.close()
    }

    private static func decide(_ test: TestStore) async throws {
        let open = try await test.rows(
            "SELECT conflict_id FROM open_conflicts WHERE conflict_id % 2 = 1"
        )
        for row in open {
            guard case .integer(let id)? = row.first else { continue }
            let content = try await test.store.candidates(of: id).last?.content ?? []
            let choice = id % 4 == 1 ? ManualResolution.Choice.content(content) : .exclude
            try await test.store.resolve(
                ManualResolution(conflictID: id, choice: choice, actor: "me", reason: "r\(id)")
            )
        }
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
