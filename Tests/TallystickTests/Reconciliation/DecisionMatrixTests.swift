import Foundation
import Tallystick
import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

/// Where a store comes from.
enum StoreStart: CaseIterable { case created, upgraded }

@Suite("Every kind of decision, made in every way, is read by every reader")
struct DecisionMatrixTests {
    @Test(
        "Readers, replays, digests and proofs agree",
        arguments: DecisionWay.allCases,
        StoreStart.allCases
    )
    func agree(_ way: DecisionWay, _ start: StoreStart) async throws {
        let store = try await DecisionMatrixStore(way, start)
        try await store.openConflicts()
        let before = store.readers("before the decisions")
        // What was consumed before a decision is corrected by it.
        let isFirst = way == DecisionWay.allCases.first && start == .created
        if isFirst { try await before.check() } else { _ = try await before.replays() }
        let decided = try await store.decide()
        let (made, expected) = (try await decided.made(), store.expected())
        #expect(made == expected, "\(made.difference(from: expected))")
        try await decided.readers("after the decisions").check()
        await decided.store.close()
    }
}

/// A store with a conflict for each scenario of a way.
struct DecisionMatrixStore {
    let way: DecisionWay
    let scenarios: [DecisionScenario]
    let folder: TemporaryFolder
    let path: String
    let store: EventStore
    let clock: ManualClock

    /// Policies decide otherwise from here on.
    private static let turn: Int64 = 1_800_100_000_000_000
    private static let settings = """
        {"origins": {"websocket": {"priority": 1}, "realtime": {"priority": 2}},
         "classification": {"types": {"quiet": "debug"}},
         "categories": {
          "system": {"policy": "p", "origins": ["websocket", "realtime"]},
          "debug": {"policy": "p", "percentage": 100, "origins": ["websocket", "poll"]}},
         "policies": {"p": {"chain": [{"use": "swift", "type": "Scenario"}]}}}
        """

    private init(copyOf other: DecisionMatrixStore, at path: String) async throws {
        (way, scenarios, folder) = (other.way, other.scenarios, other.folder)
        (self.path, clock) = (path, other.clock)
        store = try await EventStore.open(at: path, options: Self.options(clock))
    }

    init(_ way: DecisionWay, _ start: StoreStart) async throws {
        self.way = way
        scenarios = DecisionScenario.all(way)
        folder = try TemporaryFolder()
        path = folder.file("store.db")
        clock = ManualClock(1_800_000_000_000_000)
        var options = Self.options(clock)
        switch start {
        case .created:
            var creation = StoreCreation()
            creation.configuration = Array(Self.settings.utf8)
            store = try await EventStore.create(at: path, creation, options: options)
        case .upgraded:
            let oldest = Fixture.path("databases/schema-1.db")
            try FileManager.default.copyItem(atPath: oldest, toPath: path)
            options.migratesOlderSchema = true
            store = try await EventStore.open(at: path, options: options)
            try await store.apply(
                settings: Array(Self.settings.utf8),
                actor: "ann",
                reason: "the matrix"
            )
        }
    }

    private static func options(_ clock: ManualClock) -> StoreOptions {
        var options = StoreOptions()
        options.clock = { clock.now }
        return options
    }

    func readers(_ when: String) -> DecisionReaders {
        DecisionReaders(store: store, path: path, folder: folder, when: "\(way), \(when)")
    }

    // MARK: Conflicts

    private func of(_ kinds: ConflictKind...) -> [DecisionScenario] {
        scenarios.filter { kinds.contains($0.kind) }
    }

    private func ingest(_ lines: [String], from origin: String) async throws {
        clock.advance(seconds: 1)
        let bytes = Array(lines.joined(separator: "\n").utf8)
        _ = try await store.ingest(.bytes(bytes, named: "lines"), from: origin)
    }

    private func reconcile() async throws {
        var options = ReconcileOptions()
        options.policies.deadline = .seconds(600)
        let passes = way != .policy && way != .superseded
        options.policies.register(
            ScenarioPolicy(turn: Self.turn, passes: passes),
            as: "Scenario"
        )
        _ = try await store.reconcile(options)
    }

    /// The first copies, in order of arrival, and what the other origin says.
    private func copies() -> (early: [String], first: [String], second: [String]) {
        var (early, first, second): ([String], [String], [String]) = ([], [], [])
        for scenario in scenarios {
            switch scenario.kind {
            case .payloadDiffers:
                first.append(scenario.event(1))
                second.append(scenario.event(2))
            case .metadataDiffers:
                first.append(scenario.event(1))
                second.append(scenario.event(1, type: "other"))
            case .equivocation:
                early.append(scenario.event(1))
                first += [scenario.event(1), scenario.event(2)]
            case .missingAtOrigin, .lateArrival: first.append(scenario.event(1))
            case .originSilent: first.append(scenario.event(1, type: "quiet"))
            case .sequenceGap:
                for sequence in [1, 4] {
                    let line = DecisionScenario.event(
                        scenario.source,
                        "\(sequence)",
                        1,
                        sequence: sequence
                    )
                    first.append(line)
                    second.append(line)
                }
            case .sequenceCollision:
                for id in ["first", scenario.id] {
                    let line = DecisionScenario.event(scenario.source, id, 1, sequence: 1)
                    first.append(line)
                    second.append(line)
                }
            case .unverifiable, .tamperedAtRest:
                first.append(scenario.event(1))
                second.append(scenario.event(1))
            }
        }
        return (early, first, second)
    }

    /// Opens a conflict for each scenario; policies decide those that are theirs.
    func openConflicts() async throws {
        let hello = DecisionScenario.event("/", "hello", 1)
        let quiet = DecisionScenario.event("/", "quiet", 1, type: "quiet")
        for origin in ["websocket", "realtime"] { try await ingest([hello], from: origin) }
        for origin in ["websocket", "poll"] { try await ingest([quiet], from: origin) }
        let copies = copies()
        if !copies.early.isEmpty { try await ingest(copies.early, from: "realtime") }
        try await ingest(copies.first, from: "websocket")
        try await ingest(copies.second, from: "realtime")
        // Within the window of 15 minutes, and after it: only then something is missing.
        for id in ["tick", "tock"] {
            clock.advance(seconds: 600)
            for origin in ["websocket", "realtime"] {
                try await ingest([DecisionScenario.event("/", id, 1)], from: origin)
            }
        }
        let undo = try await damage()
        try await reconcile()
        for statement in undo { try tamper(statement) }
        guard !of(.lateArrival).isEmpty else { return }
        try await ingest(of(.lateArrival).map { $0.event(1) }, from: "realtime")
        try await reconcile()
    }

    private func tamper(_ sql: String) throws {
        try Connection(path: path, mode: .readWrite, firesTriggers: false).execute(sql)
    }

    /// Damages events so that verification puts it on record; statements that take the damage back.
    private func damage() async throws -> [String] {
        var undo: [String] = []
        for scenario in of(.unverifiable, .tamperedAtRest) {
            let rows = try await readers("").rows(
                """
                SELECT position, checksum_algorithm, checksum FROM event_log
                WHERE source = '\(scenario.source)' AND event_id = '\(scenario.id)'
                """
            )
            let parts = (rows.first ?? "").split(separator: "|")
            guard parts.count == 3 else { continue }
            let isKey = scenario.kind == .unverifiable
            let change =
                isKey
                ? "checksum_algorithm = 'hmac-sha256', checksum_key_id = 'k9', checksum = zeroblob(32)"
                : "checksum = zeroblob(4)"
            try tamper("UPDATE events SET \(change) WHERE position = \(parts[0])")
            undo.append(
                """
                UPDATE events
                SET checksum_algorithm = '\(parts[1])', checksum_key_id = NULL, checksum = x'\(parts[2])'
                WHERE position = \(parts[0])
                """
            )
        }
        if !undo.isEmpty { #expect(try await store.verify().findings.count == undo.count) }
        return undo
    }

    // MARK: Decisions

    /// Makes the decisions that are not made yet; the store in which they are.
    func decide() async throws -> DecisionMatrixStore {
        switch way {
        case .policy: try await fill()
        case .person: for scenario in scenarios { try await resolve(scenario, 0) }
        case .bulk: try await resolveInBulk()
        case .superseded: try await supersede()
        case .reopened:
            for scenario in scenarios {
                if scenario.kind != .lateArrival { try await resolve(scenario, 0) }
                try await store.reopen(
                    conflict: try await conflict(scenario),
                    actor: "ann",
                    reason: "a second look"
                )
                try await resolve(scenario, 1)
            }
        case .afterBackup:
            let copy = folder.file("restored.db")
            try await store.backup(to: copy, verifies: true)
            let restored = try await DecisionMatrixStore(copyOf: self, at: copy)
            for scenario in scenarios { try await restored.resolve(scenario, 0) }
            await store.close()
            return restored
        }
        return self
    }

    /// What a source left out, and what an origin did not bring, comes after all.
    private func fill() async throws {
        let numbers = of(.sequenceGap).flatMap { scenario in
            ([2, 3] as [Int]).map {
                DecisionScenario.event(scenario.source, "\($0)", 1, sequence: $0)
            }
        }
        for origin in ["websocket", "realtime"] { try await ingest(numbers, from: origin) }
        try await ingest(of(.originSilent).map { $0.event(1, type: "quiet") }, from: "poll")
        try await reconcile()
    }

    private func resolveInBulk() async throws {
        for scenario in scenarios {
            var filter = ConflictFilter()
            filter.kinds = [scenario.kind]
            if scenario.isOverEvent { filter.streams = [try await stream(scenario)] }
            let choice = scenario.choice(scenario.decisions[0])
            try await store.resolve(
                BulkResolution(filter, choice: choice, actor: "ann", reason: "all the same")
            ) { _ in }
        }
    }

    /// New evidence for every conflict, after which the policy decides otherwise.
    private func supersede() async throws {
        clock.advance(seconds: (Self.turn - clock.now) / 1_000_000 + 1)
        let lines = try await readers("").rows(
            "SELECT source, event_id, type, attributes ->> 'sequence' FROM event_log WHERE category = 'system'"
        ).map { row in
            let parts = row.split(separator: "|").map(String.init)
            return DecisionScenario.event(
                parts[0],
                parts[1],
                1,
                type: parts[2],
                sequence: Int(parts[3])
            )
        }
        try await ingest(lines, from: "poll")
        try await reconcile()
    }

    private func resolve(_ scenario: DecisionScenario, _ index: Int) async throws {
        try await store.resolve(
            ManualResolution(
                conflictID: try await conflict(scenario),
                choice: scenario.choice(scenario.decisions[index]),
                actor: "ann",
                reason: "looked at it"
            )
        )
    }

    private func conflict(_ scenario: DecisionScenario) async throws -> Int64 {
        let rows = try await readers("").rows(
            """
            SELECT max(conflict_id) FROM conflicts
            WHERE kind = '\(scenario.kind.rawValue)' AND (event_id IS NULL OR event_id = '\(scenario.id)')
                AND (source = '\(scenario.source)' OR source IS NULL AND origin = 'poll')
            """
        )
        return try #require(Int64(rows.first ?? ""), "no conflict for \(scenario)")
    }

    private func stream(_ scenario: DecisionScenario) async throws -> String {
        let conflict = try await conflict(scenario)
        return try await readers("").rows(
            "SELECT stream FROM open_conflicts WHERE conflict_id = \(conflict)"
        ).first ?? ""
    }

    // MARK: What is expected

    /// Conflicts of the scenarios with their decisions, in order.
    func made() async throws -> [String] {
        try await readers("").rows(
            """
            SELECT kind || ' ' || group_concat(decision)
            FROM (SELECT c.conflict_id, c.kind, r.decision
                FROM resolutions AS r
                JOIN conflicts AS c ON c.conflict_id = r.conflict_id
                WHERE substr(c.source, 2, length(c.kind)) = c.kind
                    OR (c.kind = 'origin_silent' AND c.origin = 'poll')
                ORDER BY r.resolution_id)
            GROUP BY conflict_id, kind
            ORDER BY 1
            """
        )
    }

    func expected() -> [String] {
        scenarios.map { "\($0.kind.rawValue) \($0.id)" }.sorted()
    }
}
