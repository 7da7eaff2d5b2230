import Tallystick
import TallystickCore
import TallystickTestSupport

/// A store with one critical event from before the first key, and keys for it.
struct KeyedStore {
    let test: TestStore

    static let settings = """
        {"tallystick_config": 1, "classification": {"types": {"db.failover": "critical"}}}
        """

    init() async throws {
        test = try await TestStore(settings: Self.settings)
        try await test.ingest(Self.critical(1), Self.debug(1), from: "a")
    }

    static func key(_ id: String, _ number: UInt64) throws -> KeyRing.Key {
        try KeyRing.Key(id: id, activatedAt: 1, secret: CanaryKeys.secret(number))
    }

    static func ring(_ keys: KeyRing.Key...) throws -> KeyRing {
        var ring = KeyRing()
        for key in keys { try ring.add(key) }
        return ring
    }

    /// `critical` by its type.
    static func critical(_ id: Int, more: String = "") -> String {
        eventLine(id, type: "db.failover", more: more, data: #"{"n":\#(id)}"#)
    }

    static func debug(_ id: Int) -> String {
        eventLine("d\(id)", type: "test_event")
    }

    static func lines(_ lines: [String]) -> IngestInput {
        .bytes(Array(lines.joined(separator: "\n").utf8), named: "lines")
    }

    /// A handle with a ring, whose first key is registered if the store knows none.
    func open(_ ring: KeyRing) async throws -> EventStore {
        let opened = try await EventStore.open(at: test.path, keys: .ring(ring))
        if try await opened.keys().isEmpty, let first = ring.keys.first {
            try await opened.register(first, actor: "me", reason: "first")
        }
        return opened
    }

    func verify(_ ring: KeyRing?) async throws -> VerifyReport {
        let opened = try await EventStore.open(
            at: test.path,
            keys: ring.map { .ring($0) } ?? .none
        )
        let report = try await opened.verify()
        await opened.close()
        return report
    }
}
