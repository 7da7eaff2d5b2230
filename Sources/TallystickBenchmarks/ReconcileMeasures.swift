import Tallystick
import TallystickCore
import TallystickTestKit

/// Reconciliation of two origins that differ in one event of a hundred, and decisions of the pure core.
struct ReconcileMeasures {
    private let workload: Workload
    private let folder: TemporaryFolder

    init(_ workload: Workload, _ folder: TemporaryFolder) {
        self.workload = workload
        self.folder = folder
    }

    private static let settings = """
        {"origins": {"websocket": {"priority": 1}, "realtime": {"priority": 2}},
         "categories": {
          "critical": {"policy": "p"}, "performance": {"policy": "p"}, "system": {"policy": "p"},
          "user_activity": {"policy": "p"}, "debug": {"policy": "p"}},
         "policies": {"p": {"chain": [{"use": "origin_priority"}]}}}
        """

    func run() async throws {
        var creation = StoreCreation()
        creation.configuration = Array(Self.settings.utf8)
        let clock = ManualClock()
        var options = StoreOptions()
        options.clock = { clock.now }
        let path = folder.file("reconcile.db")
        let store = try await EventStore.create(at: path, creation, options: options)
        let first = Self.line("first")
        try await store.ingest(.bytes(first, named: "first"), from: "realtime")
        clock.advance(seconds: 1)
        try await store.ingest(.bytes(workload.bytes, named: "events"), from: "websocket")
        clock.advance(seconds: 60)
        var started = ContinuousClock.now
        let copies = changed(every: 100)
        try await store.ingest(.bytes(copies, named: "copies"), from: "realtime")
        let ingested = (ContinuousClock.now - started).seconds
        clock.advance(seconds: 3600)
        try await store.ingest(.bytes(Self.line("last"), named: "last"), from: "realtime")
        started = ContinuousClock.now
        let done = try await store.reconcile()
        let reconciled = (ContinuousClock.now - started).seconds
        guard done.resolved > 0, done.open == 0 else {
            throw StoreError(.bug, during: "measure", "\(done.open) conflicts stayed open")
        }
        Table.row(
            "reconcile, of which \(done.resolved) decided (baseline: ingest of the copies)",
            ours: reconciled * 1000,
            baseline: ingested * 1000,
            unit: " ms"
        )
        started = ContinuousClock.now
        _ = try await store.reconcile()
        let again = (ContinuousClock.now - started).seconds
        Table.row("reconcile again", ours: again * 1000, baseline: nil, unit: " ms")
        started = ContinuousClock.now
        let replayed = try await store.replayAudit()
        let derived = (ContinuousClock.now - started).seconds
        guard replayed.driftCount == 0 else {
            throw StoreError(.bug, during: "measure", "\(replayed.driftCount) decisions drift")
        }
        Table.row(
            "derive decisions again",
            ours: Double(replayed.derived) / derived,
            baseline: nil,
            unit: "/s"
        )
        await store.close()
        try decisions()
    }

    private static func line(_ id: String) -> [UInt8] {
        Array(
            "{\"specversion\":\"1.0\",\"id\":\"\(id)\",\"source\":\"/bench\",\"type\":\"t\"}\n".utf8
        )
    }

    /// The events again, one in so many with other data.
    private func changed(every: Int) -> [UInt8] {
        var copies: [UInt8] = []
        copies.reserveCapacity(workload.bytes.count + workload.bytes.count / 100)
        var number = 0
        for line in workload.bytes.split(separator: 0x0A) {
            number += 1
            if number % every == 0, let end = line.range(of: Array("\"data\":{".utf8)) {
                copies += line[..<end.upperBound]
                copies += Array("\"benchmark\":1,".utf8)
                copies += line[end.upperBound...]
            } else {
                copies += line
            }
            copies.append(0x0A)
        }
        return copies
    }

    /// Decisions a second, without any store.
    private func decisions() throws {
        let chains = [
            ("origin_priority", #"{"use":"origin_priority"}"#),
            ("field_merge", #"{"use":"field_merge","fields":{"/count":"max","/tags":"union"}}"#),
        ]
        for (name, chain) in chains {
            let json = """
                {"origins": {"websocket": {"priority": 1}}, "categories": {"system": {"policy": "p"}},
                 "policies": {"p": {"chain": [\(chain)]}}}
                """
            let engine = PolicyEngine(try StoreSettings(json: Array(json.utf8)))
            let contents = try ["3", "7"].map { count in
                try CanonicalJSON.canonicalize(
                    Array(
                        """
                        {"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-03-01T10:00:00Z",
                         "data":{"count":\(count),"tags":["a","\(count)"],"service":"checkout","region":"eu-1","host":"web-17"}}
                        """.utf8
                    )
                )
            }
            let rounds = 50_000
            let started = ContinuousClock.now
            var decided = 0
            for _ in 0..<rounds {
                let candidates = try [
                    Candidate(number: 1, origin: "realtime", content: contents[0]),
                    Candidate(number: 2, origin: "websocket", content: contents[1]),
                ]
                let outcome = engine.decide(
                    ConflictCase(
                        kind: .payloadDiffers,
                        source: "/s",
                        eventID: "1",
                        category: "system",
                        candidates: candidates
                    )
                )
                if case .decided = outcome { decided += 1 }
            }
            let seconds = (ContinuousClock.now - started).seconds
            guard decided == rounds else {
                throw StoreError(.bug, during: "measure", "\(name) decided \(decided) times")
            }
            Table.row("decide: \(name)", ours: Double(rounds) / seconds, baseline: nil, unit: "/s")
        }
    }
}

extension ArraySlice<UInt8> {
    /// The first place of some bytes.
    fileprivate func range(of pattern: [UInt8]) -> Range<Int>? {
        guard count >= pattern.count else { return nil }
        for start in startIndex...(endIndex - pattern.count)
        where self[start..<start + pattern.count].elementsEqual(pattern) {
            return start..<start + pattern.count
        }
        return nil
    }
}
