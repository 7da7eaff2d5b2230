import TallystickCore

/// Decisions by the pure core, without any store.
struct DecideMeasure: Measure {
    private static let rounds = 50_000
    private static let rules = [
        ("origin_priority", #"{"use":"origin_priority"}"#),
        ("field_merge", #"{"use":"field_merge","fields":{"/count":"max","/tags":"union"}}"#),
    ]

    func run(_ context: BenchmarkContext) async throws -> [TableRow] {
        var rows: [TableRow] = []
        for (name, rule) in Self.rules {
            var row = TableRow(
                work: "decide: \(name)",
                ours: [],
                unit: "/s",
                goal: "at least 100,000"
            )
            for _ in 0..<context.pairs { row.ours.append(try await Self.rate(rule)) }
            rows.append(row)
        }
        return rows
    }

    /// Decisions per second.
    private static func rate(_ rule: String) async throws -> Double {
        let json = """
            {"origins": {"websocket": {"priority": 1}}, "categories": {"system": {"policy": "p"}},
             "policies": {"p": {"chain": [\(rule)]}}}
            """
        let engine = PolicyEngine(try StoreSettings(json: Array(json.utf8)))
        let contents = try [content(count: 3), content(count: 7)]
        var decided = 0
        let time = try await seconds {
            for _ in 0..<rounds {
                let conflict = ConflictCase(
                    kind: .payloadDiffers,
                    source: "/s",
                    eventID: "1",
                    category: "system",
                    candidates: try [
                        Candidate(number: 1, origin: "realtime", content: contents[0]),
                        Candidate(number: 2, origin: "websocket", content: contents[1]),
                    ]
                )
                if case .decided = engine.decide(conflict) { decided += 1 }
            }
        }
        guard decided == rounds else { throw failed("\(decided) of \(rounds) were decided") }
        return Double(rounds) / time
    }

    private static func content(count: Int) throws -> [UInt8] {
        try CanonicalJSON.canonicalize(
            Array(
                """
                {"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-03-01T10:00:00Z",
                 "data":{"count":\(count),"tags":["a","\(count)"],"service":"checkout","region":"eu-1","host":"web-17"}}
                """.utf8
            )
        )
    }
}
