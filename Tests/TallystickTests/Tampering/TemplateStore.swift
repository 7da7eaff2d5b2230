import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport

/// A closed store with every kind of row, from which each change takes a copy.
struct TemplateStore {
    private let folder: TemporaryFolder
    private let path: String

    /// - parameter copy: another event, from another origin.
    static func make(
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
        await test.store.close()
        return TemplateStore(folder: test.folder, path: test.path)
    }

    /// The keys of the store.
    static func ring() throws -> KeyRing {
        var ring = KeyRing()
        try ring.add(
            KeyRing.Key(id: "k1", activatedAt: 1, secret: CanaryKeys.secret(1))
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
