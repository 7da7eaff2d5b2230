import Tallystick
import TallystickCore

/// The cost of HMACs: ingest with an HMAC for every event, compared with SHA-256, which is computed for every event's
/// content anyway.
struct KeyMeasure: Measure {
    private static let settings = """
        {"tallystick_config": 1, "categories": {
          "critical": {"checksum": "hmac-sha256"}, "performance": {"checksum": "hmac-sha256"},
          "user_activity": {"checksum": "hmac-sha256"}, "system": {"checksum": "hmac-sha256"},
          "debug": {"checksum": "hmac-sha256"}}}
        """

    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        var row = TableRow(
            work: "ingest with HMAC-SHA-256 (beside: with SHA-256)",
            ours: [],
            unit: "/s",
            goal: "at least 0.8"
        )
        var ring = KeyRing()
        let key = try KeyRing.Key.random(id: "benchmark", activatedAt: 0)
        try ring.add(key)
        for pair in 0..<context.pairs {
            let path = context.folder.file("hmac-\(pair).db")
            row.ours.append(try await rate(context, path, .ring(ring), key))
            context.remove(path)
            row.baseline.append(try await rate(context, path, .none, nil))
            context.remove(path)
        }
        return [row]
    }

    /// Events per second.
    private func rate(
        _ context: BenchmarkContext,
        _ path: String,
        _ keys: KeySource,
        _ key: KeyRing.Key?
    ) async throws -> Double {
        var creation = StoreCreation()
        creation.configuration = Array(Self.settings.utf8)
        let created = try await EventStore.create(at: path, creation, keys: keys)
        if let key { try await created.register(key, actor: "benchmark", reason: "measure") }
        await created.close()
        let store = try await EventStore.open(at: path, keys: keys)
        var appended = 0
        let time = try await seconds {
            appended = try await store.ingest(.file(context.workload.path), from: "websocket")
                .outcomes.appended
            await store.close()
        }
        guard appended == context.events else { throw failed("\(appended) events were appended") }
        return Double(context.events) / time
    }
}
