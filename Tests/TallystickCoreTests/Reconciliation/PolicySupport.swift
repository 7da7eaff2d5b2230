import TallystickCore

/// A candidate with data and time, as tests name it.
func candidate(
    _ number: Int,
    _ origins: [String],
    data: String,
    time: String? = nil,
    id: String = "1"
) throws -> Candidate {
    let times = time.map { ",\"time\":\"\($0)\"" } ?? ""
    let content =
        "{\"data\":\(data),\"id\":\"\(id)\",\"source\":\"/s\",\"specversion\":\"1.0\"\(times),\"type\":\"t\"}"
    return try Candidate(
        number: number,
        origin: origins[0],
        supporters: Array(origins.dropFirst()),
        content: try CanonicalJSON.canonicalize(Array(content.utf8))
    )
}

/// A case over the category `system`.
func conflict(
    _ candidates: [Candidate],
    kind: ConflictKind = .payloadDiffers,
    missing: [String] = []
) -> ConflictCase {
    ConflictCase(
        kind: kind,
        source: "/s",
        eventID: "1",
        category: "system",
        candidates: candidates,
        missingOrigins: missing
    )
}

/// An engine whose category `system` has one policy, `p`, with this chain; websocket has priority 1,
/// realtime 2.
func engine(_ chain: String, more: String = "") throws -> PolicyEngine {
    let json = """
        {"origins": {"websocket": {"priority": 1}, "realtime": {"priority": 2}},
         "categories": {"system": {"policy": "p"}},
         "policies": {"p": {"chain": [\(chain)]}}\(more)}
        """
    return PolicyEngine(try StoreSettings(json: Array(json.utf8)))
}

/// The decision; nil if there is none.
func decision(_ outcome: PolicyOutcome) -> PolicyDecision? {
    if case .decided(let decision) = outcome { decision } else { nil }
}

extension PolicyDecision {
    /// The effective data, as canonical JSON.
    var data: String? {
        guard let content = content ?? winner?.content,
            let data = try? JSONDocument(content).root["data"]
        else { return nil }
        return String(decoding: data.canonical, as: UTF8.self)
    }
}
