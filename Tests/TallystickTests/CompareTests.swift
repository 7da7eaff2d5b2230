import Synchronization
import TallystickCore
import TallystickTestSupport
import Testing

@testable import Tallystick

@Suite("Comparing what origins delivered")
struct CompareTests {
    private let folder: TemporaryFolder
    private let store: EventStore

    init() async throws {
        folder = try TemporaryFolder()
        store = try await EventStore.create(at: folder.file("store.db"))
    }

    /// One delivered event, as a line.
    private struct Line {
        var id: Int
        var data = "{\"n\":1}"
        var time: String?
        var type = "t"

        var text: String {
            let time = time.map { ",\"time\":\"\($0)\"" } ?? ""
            return
                "{\"specversion\":\"1.0\",\"id\":\"\(id)\",\"source\":\"/s\",\"type\":\"\(type)\","
                + "\"subject\":\"x\(id % 2)\"\(time),\"data\":\(data)}\n"
        }
    }

    private func deliver(_ lines: [Line], from origin: String) async throws {
        let bytes = Array(lines.map(\.text).joined().utf8)
        _ = try await store.ingest(.bytes(bytes, named: "lines"), from: origin)
    }

    private func differences(
        _ options: OriginComparisonOptions
    ) async throws -> [OriginDifference] {
        let found = Mutex<[OriginDifference]>([])
        _ = try await store.compare(options) { difference in
            found.withLock { $0.append(difference) }
            return true
        }
        return found.withLock { $0 }
    }

    @Test("Each event that either origin delivered is the same, differs, or is missing in one")
    func counts() async throws {
        try await deliver((0..<10).map { Line(id: $0) }, from: "a")
        try await deliver(
            (5..<12).map { Line(id: $0, data: $0 == 7 ? "{\"n\":2}" : "{\"n\":1}") },
            from: "b"
        )
        try await deliver([Line(id: 100)], from: "c")
        let compared = try await store.compare(OriginComparisonOptions(["a", "b", "c"]))
        #expect(compared.map(\.second) == ["b", "c"])
        let (b, c) = (compared[0].counts, compared[1].counts)
        #expect((b.same, b.differ, b.onlyFirst, b.onlySecond) == (4, 1, 5, 2))
        #expect((c.same, c.differ, c.onlyFirst, c.onlySecond) == (0, 0, 10, 1))
        #expect(compared[0].members == [.init(place: "/data/n", events: 1)])

        let listed = try await differences(OriginComparisonOptions(["a", "b"]))
        func ids(_ kind: OriginDifference.Kind) -> [String] {
            listed.filter { $0.kind == kind }.map(\.event.id)
        }
        #expect(ids(.onlyFirst) == ["0", "1", "2", "3", "4"])
        #expect(ids(.onlySecond) == ["10", "11"])
        #expect(ids(.differ) == ["7"])
        #expect(listed.first { $0.kind == .differ }?.differsIn == ["/data/n"])
    }

    @Test("Between origins neither of which was first, contents are compared with each other")
    func laterOrigins() async throws {
        try await deliver([Line(id: 1, data: "1"), Line(id: 2, data: "1")], from: "a")
        try await deliver([Line(id: 1, data: "2"), Line(id: 2, data: "2")], from: "b")
        try await deliver([Line(id: 1, data: "2"), Line(id: 2, data: "3")], from: "c")
        let counts = try await store.compare(OriginComparisonOptions(["b", "c"]))[0].counts
        #expect((counts.same, counts.differ) == (1, 1))
    }

    @Test("Of an origin that corrected itself, the last content counts")
    func corrections() async throws {
        try await deliver([Line(id: 1, data: "1")], from: "a")
        try await deliver([Line(id: 1, data: "2")], from: "b")
        let options = OriginComparisonOptions(["a", "b"])
        #expect(try await store.compare(options)[0].counts.differ == 1)
        try await deliver([Line(id: 1, data: "2")], from: "a")
        #expect(try await store.compare(options)[0].counts.same == 1)
    }

    @Test("What the newest settings ignore is no difference, and a time is compared as an instant")
    func rules() async throws {
        try await deliver(
            [Line(id: 1, data: "{\"n\":1,\"seen\":1}", time: "2026-03-01T10:00:00Z")],
            from: "a"
        )
        try await deliver(
            [Line(id: 1, data: "{\"n\":1,\"seen\":2}", time: "2026-03-01T11:00:00.000+01:00")],
            from: "b"
        )
        let options = OriginComparisonOptions(["a", "b"])
        let before = try await store.compare(options)[0]
        #expect(before.counts.differ == 1)
        #expect(before.members.map(\.place) == ["/data/seen"])
        try await store.apply(
            settings: Array("{\"compare\":{\"ignore_data\":[\"/seen\"]}}".utf8),
            actor: "test",
            reason: "seen is the receiver's"
        )
        #expect(try await store.compare(options)[0].counts.same == 1)
    }

    @Test("Times bound what is compared: from the first one on, and before the second")
    func times() async throws {
        let hours = (0..<6).map { "2026-03-01T0\($0):00:00Z" }
        try await deliver(hours.enumerated().map { Line(id: $0, time: $1) }, from: "a")
        try await deliver([Line(id: 0, time: hours[0])], from: "b")
        var options = OriginComparisonOptions(["a", "b"])
        options.since = Timestamp(hours[1])
        options.until = Timestamp(hours[4])
        #expect(try await differences(options).map(\.event.id) == ["1", "2", "3"])

        options = OriginComparisonOptions(["a", "b"])
        options.grouping = .hour
        let groups = try await store.compare(options)[0].groups
        #expect(groups.map(\.name) == (0..<6).map { "2026-03-01T0\($0):00Z" })
        #expect(groups.map(\.counts.onlyFirst) == [0, 1, 1, 1, 1, 1])
        options.grouping = .day
        #expect(try await store.compare(options)[0].groups.map(\.name) == ["2026-03-01"])
    }

    @Test(
        "Groups add up to the whole",
        arguments: OriginComparisonOptions.Grouping.allCases
    )
    func groups(_ grouping: OriginComparisonOptions.Grouping) async throws {
        func line(_ id: Int) -> Line {
            Line(id: id, time: "2026-03-0\(1 + id % 3)T00:00:00Z", type: "t\(id % 4)")
        }
        try await deliver((0..<20).map(line), from: "a")
        try await deliver((10..<30).map(line), from: "b")
        var options = OriginComparisonOptions(["a", "b"])
        options.grouping = grouping
        let compared = try await store.compare(options)[0]
        #expect(compared.counts == .init(same: 10, onlyFirst: 10, onlySecond: 10))
        #expect(compared.groups.map(\.counts.same).reduce(0, +) == 10)
        #expect(compared.groups.map(\.counts.onlyFirst).reduce(0, +) == 10)
        #expect(compared.groups.map(\.counts.onlySecond).reduce(0, +) == 10)
    }

    @Test("Random deliveries are compared as a model of them says", arguments: 1...8)
    func model(_ seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let origins = ["a", "b", "c"]
        var model: [String: [Int: Int]] = [:]
        for _ in 0..<12 {
            let origin = origins[Int.random(in: 0..<3, using: &random)]
            var lines: [Line] = []
            for id in 0..<30 where Bool.random(using: &random) {
                // A content that an origin delivered before is a duplicate, and does not count again.
                guard model[origin]?[id] == nil else { continue }
                let value = Int.random(in: 0..<2, using: &random)
                model[origin, default: [:]][id] = value
                lines.append(Line(id: id, data: "\(value)"))
            }
            try await deliver(lines, from: origin)
        }
        let known = origins.filter { model[$0] != nil }
        try #require(known.count > 1)
        for comparison in try await store.compare(OriginComparisonOptions(known)) {
            let first = model[comparison.first] ?? [:]
            let second = model[comparison.second] ?? [:]
            var counts = OriginComparison.Counts()
            for id in 0..<30 {
                switch (first[id], second[id]) {
                case (nil, nil): break
                case (_, nil): counts.onlyFirst += 1
                case (nil, _): counts.onlySecond += 1
                case (let one, let other):
                    if one == other { counts.same += 1 } else { counts.differ += 1 }
                }
            }
            #expect(comparison.counts == counts, "seed \(seed)")
        }
    }

    @Test("One origin, the same origin twice, and an unknown one are refused")
    func refusals() async throws {
        try await deliver([Line(id: 1)], from: "a")
        for origins in [[], ["a"], ["a", "a"]] {
            let failure = await #expect(throws: StoreError.self) {
                _ = try await store.compare(OriginComparisonOptions(origins))
            }
            #expect(failure?.code == .invalidArgument)
        }
        let failure = await #expect(throws: StoreError.self) {
            _ = try await store.compare(OriginComparisonOptions(["a", "nobody"]))
        }
        #expect(failure?.code == .notFound)
    }

    @Test("A listing ends where its reader wants no more")
    func enough() async throws {
        try await deliver((0..<10).map { Line(id: $0) }, from: "a")
        try await deliver([Line(id: 99)], from: "b")
        let count = Mutex(0)
        _ = try await store.compare(OriginComparisonOptions(["a", "b"])) { _ in
            count.withLock {
                $0 += 1; return $0 < 3
            }
        }
        #expect(count.withLock { $0 } == 3)
    }
}
