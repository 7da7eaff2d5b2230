import Tallystick
import TallystickCore

/// Prefers whichever copy carries more members in its data.
struct Fullest: ResolutionPolicy {
    let version = "1"

    func decide(_ conflict: ConflictCase) async throws -> PolicyAnswer? {
        let sizes = try conflict.candidates.map { candidate in
            try JSONDocument(candidate.content).root["data"]?.object?.count ?? 0
        }
        guard let most = sizes.max(), sizes.filter({ $0 == most }).count == 1,
            let index = sizes.firstIndex(of: most)
        else { return nil }
        return .take(candidate: conflict.candidates[index].number)
    }
}

struct Feeds {
    static let settings = """
        {"origins": {"websocket": {"priority": 1}, "realtime": {"priority": 2}},
         "categories": {"system": {"policy": "careful"}},
         "policies": {"careful": {"chain": [
            {"use": "field_merge", "fields": {"/count": "max"}},
            {"use": "swift", "type": "Fullest"}, {"use": "manual"}]}}}
        """

    static func run(store path: String, feeds: [(origin: String, lines: String)]) async throws
        -> [String]
    {
        var creation = StoreCreation()
        creation.configuration = Array(settings.utf8)
        let store = try await EventStore.create(at: path, creation)
        for feed in feeds {
            try await store.ingest(
                .bytes(Array(feed.lines.utf8), named: feed.origin),
                from: feed.origin
            )
        }
        var options = ReconcileOptions()
        options.actor = "feeds"
        options.policies.register(Fullest(), as: "Fullest")
        let report = try await store.reconcile(options)
        let decided = Lines()
        try await store.query("SELECT event_id, decision, reason FROM resolution_trail") { row in
            decided.add(row)
            return true
        }
        await store.close()
        return decided.all + ["\(report.resolved) decided, \(report.open) open"]
    }
}
