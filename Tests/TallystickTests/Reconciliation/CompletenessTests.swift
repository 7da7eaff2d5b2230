import TallystickCore
import TallystickTestSupport
import Testing

@testable import Tallystick

/// Which events an origin lacks that states it is complete: held against a model that knows no order.
@Suite("Complete origins")
struct CompletenessTests {
    /// Hours of a day that have an event.
    private static let perDay = 20
    private static let start: Int64 = 1_772_323_200_000_000

    /// A delivered file of one day.
    private struct File: Hashable {
        var origin: String
        var day: Int
        /// Numbers of the events of the day that it lacks.
        var lacks: Set<Int>
        var claim: Claim

        enum Claim: Hashable { case day, through, ofInput, none }
    }

    private static func time(_ day: Int, _ number: Int) -> Timestamp {
        let seconds = Int64(day * 86_400 + number * 3600)
        return Timestamp(microseconds: start + seconds * 1_000_000)
    }

    private static func lines(_ file: File) -> [UInt8] {
        let lines = (0..<perDay).filter { !file.lacks.contains($0) }.map { number in
            "{\"specversion\":\"1.0\",\"id\":\"\(file.day)-\(number)\",\"source\":\"/shop\",\"type\":\"t\","
                + "\"time\":\"\(time(file.day, number))\",\"data\":\(number)}"
        }
        return Array(lines.joined(separator: "\n").utf8)
    }

    private static func completeness(_ file: File) -> IngestCompleteness? {
        let midnight = Timestamp(microseconds: time(file.day + 1, 0).microseconds - 1)
        return switch file.claim {
        case .day:
            IngestCompleteness(through: .time(midnight), from: .time(time(file.day, 0)))
        case .through: IngestCompleteness(through: .time(midnight))
        case .ofInput: IngestCompleteness(through: .ofInput, from: .ofInput)
        case .none: nil
        }
    }

    private static func deliver(_ file: File, to store: TestStore) async throws {
        var options = IngestOptions()
        options.completeness = completeness(file)
        store.clock.advance(seconds: 3600)
        let report = try await store.store.ingest(
            .bytes(lines(file), named: "\(file.origin)-\(file.day).ndjson"),
            from: file.origin,
            options: options
        )
        #expect((report.coverage != nil) == (file.claim != .none))
    }

    /// The events that are missing once all files have come, as `id at origin`.
    private static func expected(_ files: [File]) -> Set<String> {
        var missing: Set<String> = []
        for day in Set(files.map(\.day)) {
            for number in 0..<perDay {
                let having = files.filter { $0.day == day && !$0.lacks.contains(number) }
                guard !having.isEmpty else { continue }
                for origin in Set(files.map(\.origin)) {
                    if having.contains(where: { $0.origin == origin }) { continue }
                    let isClaimed = files.contains { file in
                        guard file.origin == origin else { return false }
                        let brought = (0..<perDay).filter { !file.lacks.contains($0) }
                        switch file.claim {
                        case .day: return file.day == day
                        case .through: return day <= file.day
                        case .ofInput:
                            guard let first = brought.first, let last = brought.last else {
                                return false
                            }
                            return file.day == day && first <= number && number <= last
                        case .none: return false
                        }
                    }
                    if isClaimed { missing.insert("\(day)-\(number) at \(origin)") }
                }
            }
        }
        return missing
    }

    private static func found(_ store: TestStore) async throws -> Set<String> {
        let rows = try await store.rows(
            """
            SELECT c.event_id || ' at ' || c.origin
            FROM conflicts AS c
            JOIN conflict_states AS s ON s.conflict_id = c.conflict_id
            WHERE c.kind = 'missing_at_origin' AND s.state = 'open'
            """
        )
        return Set(rows.map { text($0[0]) })
    }

    private static func text(_ value: SQLValue) -> String {
        if case .text(let text) = value { text } else { "" }
    }

    private static func reconcile(_ store: TestStore) async throws {
        store.clock.advance(seconds: 1)
        _ = try await store.store.reconcile(ReconcileOptions())
    }

    /// The daily files of two origins, and one of a third; b lacks every tenth event, c has one day only.
    private static let story: [File] = [
        File(origin: "a", day: 0, lacks: [7], claim: .day),
        File(origin: "b", day: 0, lacks: [0, 10], claim: .day),
        File(origin: "a", day: 1, lacks: [], claim: .day),
        File(origin: "b", day: 1, lacks: [0, 10], claim: .day),
        File(origin: "c", day: 1, lacks: [3], claim: .day),
    ]

    @Test("The first file included, whatever the order, exactly the missing events are found")
    func everyOrder() async throws {
        let expected: Set = [
            "0-7 at a", "0-0 at b", "0-10 at b", "1-0 at b", "1-10 at b", "1-3 at c",
        ]
        #expect(Self.expected(Self.story) == expected)
        for order in Self.permutations(of: Self.story).enumerated().filter({ $0.offset % 7 == 0 }) {
            let store = try await TestStore(clock: ManualClock())
            for file in order.element { try await Self.deliver(file, to: store) }
            try await Self.reconcile(store)
            let found = try await Self.found(store)
            #expect(found == expected, "\(order.element.map { "\($0.origin)\($0.day)" })")
            #expect(try await store.store.verify().isIntact)
            await store.store.close()
        }
    }

    private static func permutations<Element>(of elements: [Element]) -> [[Element]] {
        guard elements.count > 1 else { return [elements] }
        return elements.indices.flatMap { index in
            var rest = elements
            let first = rest.remove(at: index)
            return permutations(of: rest).map { [first] + $0 }
        }
    }

    @Test("With files sent again, corrected and late, and runs between them", arguments: 0..<12)
    func histories(_ seed: Int) async throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let claims: [File.Claim] = [.day, .day, .through, .ofInput, .none]
        var files: [File] = []
        for _ in 0..<8 {
            let lacks = (0..<3).map { _ in Int.random(in: 0..<Self.perDay, using: &random) }
            files.append(
                File(
                    origin: ["a", "b", "c"].randomElement(using: &random) ?? "a",
                    day: Int.random(in: 0..<3, using: &random),
                    lacks: Set(lacks),
                    claim: claims.randomElement(using: &random) ?? .day
                )
            )
        }
        let store = try await TestStore(clock: ManualClock())
        for file in files {
            try await Self.deliver(file, to: store)
            if Bool.random(using: &random) { try await Self.reconcile(store) }
        }
        try await Self.reconcile(store)
        let found = try await Self.found(store)
        #expect(found == Self.expected(files), "\(files)")
        // A run that begins with nothing known finds nothing more.
        try store.tamper("DELETE FROM tally_times; DELETE FROM tally_deliveries;")
        try await Self.reconcile(store)
        #expect(try await Self.found(store) == found)
        #expect(try await store.store.verify().isIntact)
    }

    @Test("A dry run finds what a run finds, and writes nothing")
    func dryRun() async throws {
        let store = try await TestStore(clock: ManualClock())
        for file in Self.story { try await Self.deliver(file, to: store) }
        var options = ReconcileOptions()
        options.isDryRun = true
        let before = try await store.provedRows()
        let dry = try await store.store.reconcile(options)
        #expect(try await store.provedRows() == before)
        let real = try await store.store.reconcile(ReconcileOptions())
        #expect(dry.found == real.found && real.found == 6)
        #expect(dry.decisionsDigest == real.decisionsDigest)
    }

    @Test("A statement can be limited to a category or a source, made by a person, and withdrawn")
    func statements() async throws {
        let store = try await TestStore(clock: ManualClock())
        try await Self.deliver(File(origin: "a", day: 0, lacks: [], claim: .none), to: store)
        let end = Self.time(1, 0)
        let other = try await store.store.stateComplete(
            "b",
            through: end,
            source: "/other",
            actor: "ann",
            reason: "nothing of it came"
        )
        try await Self.reconcile(store)
        #expect(try await Self.found(store).isEmpty)
        let wrong = try await store.store.stateComplete(
            "c",
            through: end,
            actor: "ann",
            reason: "a mistake"
        )
        try await store.store.withdrawCoverage(wrong, actor: "ann", reason: "it was wrong")
        try await Self.reconcile(store)
        #expect(try await Self.found(store).isEmpty)
        _ = try await store.store.stateComplete(
            "b",
            through: Self.time(0, 1),
            from: Self.time(0, 1),
            source: "/shop",
            actor: "ann",
            reason: "one hour"
        )
        try await Self.reconcile(store)
        #expect(try await Self.found(store) == ["0-1 at b"])
        let stated = try await store.store.originCoverage()
        #expect(stated.map(\.statement) == [other, wrong, stated[2].statement])
        #expect(stated.map { $0.withdrawnBy != nil } == [false, true, false])
        let states = try await store.rows(
            "SELECT state FROM origin_coverage ORDER BY statement"
        )
        #expect(states.map { Self.text($0[0]) } == ["in_force", "withdrawn", "in_force"])
        #expect(
            await failureCode {
                try await store.store.withdrawCoverage(wrong, actor: "ann", reason: "again")
            } == .alreadyDecided
        )
        #expect(
            await failureCode {
                try await store.store.withdrawCoverage(1, actor: "ann", reason: "why")
            } == .notFound
        )
        #expect(
            await failureCode {
                _ = try await store.store.stateComplete(
                    "b",
                    through: Self.time(0, 0),
                    from: end,
                    actor: "ann",
                    reason: "backwards"
                )
            } == .invalidArgument
        )
    }

    @Test("An origin that states its completeness is measured by it, not by when its files arrive")
    func noSilences() async throws {
        let settings = """
            {"origins": {"a": {}, "b": {}}}
            """
        let store = try await TestStore(settings: settings, clock: ManualClock())
        for day in 0..<3 {
            for origin in ["a", "b"] {
                try await Self.deliver(
                    File(origin: origin, day: day, lacks: [], claim: .day),
                    to: store
                )
                store.clock.advance(seconds: 86_400)
                try await Self.reconcile(store)
            }
        }
        let kinds = try await store.rows("SELECT DISTINCT kind FROM conflicts")
        #expect(kinds.map { Self.text($0[0]) }.filter { $0 == "origin_silent" }.isEmpty)
        #expect(try await store.rows("SELECT 1 FROM open_conflicts").isEmpty)
    }

    @Test(
        "A silence from before the first statement stays open until a statement covers its events"
    )
    func earlierSilence() async throws {
        let settings = """
            {"origins": {"a": {}, "b": {}}}
            """
        let store = try await TestStore(settings: settings, clock: ManualClock())
        func open() async throws -> [String: Int] {
            let rows = try await store.rows("SELECT kind FROM open_conflicts")
            return rows.reduce(into: [:]) { $0[Self.text($1[0]), default: 0] += 1 }
        }
        // b delivers, is silent while a delivers a day, and delivers again.
        let most = Set(1..<Self.perDay)
        try await Self.deliver(File(origin: "b", day: 7, lacks: most, claim: .none), to: store)
        try await Self.deliver(File(origin: "a", day: 0, lacks: [], claim: .none), to: store)
        try await Self.deliver(File(origin: "b", day: 8, lacks: most, claim: .none), to: store)
        try await Self.reconcile(store)
        #expect(try await open()["origin_silent"] == 1)
        _ = try await store.store.stateComplete(
            "b",
            through: Self.time(6, 0),
            from: Self.time(5, 0),
            actor: "ann",
            reason: "another day"
        )
        try await Self.reconcile(store)
        #expect(try await open()["origin_silent"] == 1)
        _ = try await store.store.stateComplete(
            "b",
            through: Self.time(1, 0),
            actor: "ann",
            reason: "that day"
        )
        try await Self.reconcile(store)
        #expect(try await open() == ["missing_at_origin": Self.perDay])
    }
}
