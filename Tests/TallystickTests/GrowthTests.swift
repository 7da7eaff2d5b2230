import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Any single event, stream, origin or conflict may be as large as the store: work grows with its size, never with the
/// square of it.
@Suite("Growth of work")
struct GrowthTests {
    /// Twice the size may take this many times the work; with the square of the size it would be four times.
    static let mostGrowth = 2.8

    static let settings = """
        {"origins": {"a": {"priority": 2}, "b": {"priority": 1}},
         "categories": {"critical": {"policy": "p"}, "performance": {"policy": "p"},
          "system": {"policy": "p"}, "user_activity": {"policy": "p"}, "debug": {"policy": "p"}},
         "policies": {"p": {"chain": [{"use": "origin_priority"}]}}}
        """

    /// The work of each step of a test, in order.
    struct Work {
        var steps: [(name: String, work: Int64)] = []
    }

    /// Runs a test's steps over a store of two sizes, and holds the work of each step against the other.
    ///
    /// - parameter growth: what the work of twice the size must stay below, as a multiple.
    func compare(
        _ size: Int,
        settings: String = Self.settings,
        options: StoreOptions = StoreOptions(),
        growth: Double = Self.mostGrowth,
        _ run: (EventStore, Int, _ step: (String, () async throws -> Void) async throws -> Void)
            async throws -> Void
    ) async throws {
        var works: [Work] = []
        for size in [size, 2 * size] {
            let folder = try TemporaryFolder()
            let path = folder.file("store.db")
            let counter = try #require(WorkCounter(path))
            var creation = StoreCreation()
            creation.configuration = Array(settings.utf8)
            let store = try await EventStore.create(at: path, creation, options: options)
            var work = Work()
            try await run(store, size) { name, body in
                _ = counter.take()
                try await body()
                work.steps.append((name, counter.take()))
            }
            works.append(work)
            await store.close()
        }
        for (small, large) in zip(works[0].steps, works[1].steps) {
            #expect(small.work > 0, "\(small.name) was not counted")
            #expect(
                Double(large.work) < growth * Double(small.work),
                "\(small.name): \(small.work) steps for \(size), \(large.work) for twice as many"
            )
        }
    }

    static func lines(_ numbers: Range<Int>, _ line: (Int) -> String) -> [UInt8] {
        Array(numbers.map(line).joined(separator: "\n").utf8)
    }

    /// Different contents of one event.
    static func contents(_ count: Int) -> [UInt8] {
        lines(0..<count) {
            eventLine("one", data: #"{"v":\#($0)}"#)
        }
    }

    private static let projection = Array(
        """
        -- tally:projection seen
        -- tally:version 1
        -- tally:setup
        CREATE TABLE seen (id TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;
        -- tally:on *
        INSERT INTO seen VALUES (:id, 1) ON CONFLICT (id) DO UPDATE SET n = n + 1;

        """.utf8
    )

    /// Everything that reads a whole store.
    private func read(
        _ store: EventStore,
        _ step: (String, () async throws -> Void) async throws -> Void
    ) async throws {
        try await step("verify") {
            let report = try await store.verify()
            #expect(report.isIntact, "\(report.findings)")
        }
        try await step("audit replay") {
            let found = try await store.replayAudit().driftCount
            #expect(found == 0)
        }
        try await step("export") { try await store.export { _ in true } }
        try await step("content digest") { _ = try await store.contentDigest() }
        try await step("statistics") { _ = try await store.statistics() }
        try await step("views") {
            for view in ["event_log", "effective_events", "open_conflicts", "resolution_trail"] {
                try await store.query("SELECT * FROM \(view)") { _ in true }
            }
        }
        try await step("replay") { _ = try await store.replay(projection: Self.projection) }
    }

    @Test("Many contents of one event", arguments: [400])
    func contents(_ size: Int) async throws {
        try await compare(size) { store, size, step in
            let input = IngestInput.bytes(Self.contents(size), named: "contents")
            try await step("ingest") {
                let done = try await store.ingest(input, from: "a")
                #expect(done.outcomes.conflicting == size - 1)
            }
            try await step("the same again") {
                let found = try await store.ingest(input, from: "a").outcomes.duplicate
                #expect(found == size)
            }
            try await step("a second origin") { try await store.ingest(input, from: "b") }
            try await step("the second origin again") {
                let found = try await store.ingest(input, from: "b").outcomes.duplicate
                #expect(found == size)
            }
            try await step("candidates") {
                let found = try await store.candidates(of: 1).count
                #expect(found == size)
            }
            try await step("dry run") {
                var options = ReconcileOptions()
                options.isDryRun = true
                _ = try await store.reconcile(options)
            }
            try await step("reconcile") {
                let found = try await store.reconcile().resolved
                #expect(found == 1)
            }
            try await step("reopen") {
                try await store.reopen(conflict: 1, actor: "test", reason: "again")
            }
            try await step("resolve") {
                try await store.resolve(
                    ManualResolution(
                        conflictID: 1,
                        choice: .exclude,
                        actor: "test",
                        reason: "none counts"
                    )
                )
            }
            try await read(store, step)
        }
    }

    @Test("Many copies that agree by the rules though their bytes differ", arguments: [400])
    func agreeing(_ size: Int) async throws {
        let settings = #"{"compare": {"ignore_data": ["/v"]}}"#
        try await compare(size, settings: settings) { store, size, step in
            let input = IngestInput.bytes(Self.contents(size), named: "contents")
            try await step("ingest") {
                let done = try await store.ingest(input, from: "a")
                #expect(done.outcomes.confirmed == size - 1)
            }
            try await step("the same again") {
                let found = try await store.ingest(input, from: "a").outcomes.duplicate
                #expect(found == size)
            }
            try await read(store, step)
        }
    }

    @Test("Many conflicts, and many decisions over one of them", arguments: [150])
    func conflicts(_ size: Int) async throws {
        try await compare(size) { store, size, step in
            for (origin, value) in [("a", 1), ("b", 2)] {
                let input = Self.lines(0..<size) {
                    eventLine($0, data: #"{"v":\#(value)}"#)
                }
                try await step("ingest from \(origin)") {
                    try await store.ingest(.bytes(input, named: "lines"), from: origin)
                }
            }
            try await step("bulk") {
                let bulk = BulkResolution(
                    ConflictFilter(),
                    choice: .take(origin: "a"),
                    actor: "test",
                    reason: "all"
                )
                try await store.resolve(bulk) { _ in }
            }
            try await step("decide again and again") {
                for _ in 0..<size {
                    try await store.reopen(conflict: 1, actor: "test", reason: "again")
                    try await store.resolve(
                        ManualResolution(
                            conflictID: 1,
                            choice: .take(origin: "b"),
                            actor: "test",
                            reason: "again"
                        )
                    )
                }
            }
            try await step("reconcile") { _ = try await store.reconcile() }
            try await read(store, step)
        }
    }

    @Test("Many events of one stream, with gaps between their numbers", arguments: [800])
    func stream(_ size: Int) async throws {
        try await compare(size) { store, size, step in
            let input = IngestInput.bytes(
                Self.lines(0..<size) {
                    #"{"specversion":"1.0","id":"\#($0)","source":"/s","type":"t","subject":"x","sequence":"\#($0 * 2)"}"#
                },
                named: "stream"
            )
            try await step("ingest") { try await store.ingest(input, from: "a") }
            try await step("the same again") { try await store.ingest(input, from: "a") }
            try await step("a second origin") { try await store.ingest(input, from: "b") }
            try await step("reconcile") { _ = try await store.reconcile() }
            try await read(store, step)
        }
    }

    @Test("Many inputs in quarantine", arguments: [400])
    func quarantine(_ size: Int) async throws {
        try await compare(size) { store, size, step in
            let input = IngestInput.bytes(Self.lines(0..<size) { #"{"id":\#($0)"# }, named: "bad")
            try await step("ingest") { try await store.ingest(input, from: "a") }
            try await step("the same again") { try await store.ingest(input, from: "a") }
            try await step("verify") { _ = try await store.verify() }
        }
    }

    @Test(
        "A candidate that differs in a place of its own does not have the list of places written again"
    )
    func ownPlaces() async throws {
        let folder = try TemporaryFolder()
        let counter = try #require(WorkCounter(folder.file("store.db")))
        let store = try await EventStore.create(at: folder.file("store.db"))
        let count = 900
        let lines = Self.lines(0..<count) {
            eventLine("one", data: #"{"k\#($0)":1}"#)
        }
        let (bytes, commits) = try await counter.writes(to: "conflict_states") {
            try await store.ingest(.bytes(lines, named: "contents"), from: "a")
        }
        // Once for each transaction; how many there are depends on the time that they take.
        let list = Int64(count * #""/data/k000","#.utf8.count + 1000)
        #expect(commits > 0 && bytes > 0)
        #expect(bytes <= list * (commits + 1), "\(bytes) bytes in \(commits) transactions")
        let test = TestStore(folder: folder, path: folder.file("store.db"), store: store)
        let listed = try await test.rows(
            "SELECT json_array_length(differs_in) AS n, candidates, origins FROM open_conflicts"
        )
        #expect(listed == [[.integer(Int64(count)), .integer(Int64(count)), .text("a")]])
        #expect(try await store.verify().isIntact)
        await store.close()
    }

    @Test("A decided conflict that gets many candidates in one transaction has new evidence")
    func evidence() async throws {
        let test = try await TestStore()
        try await test.store.ingest(.bytes(Self.contents(2), named: "contents"), from: "a")
        try await test.store.resolve(
            ManualResolution(conflictID: 1, choice: .exclude, actor: "test", reason: "none counts")
        )
        for origin in ["b", "c"] {
            let lines = Self.contents(40)
            try await test.store.ingest(.bytes(lines, named: "contents"), from: origin)
        }
        let state = try await test.rows(
            "SELECT state, blocked_by, candidates, origins FROM conflict_states"
        )
        #expect(
            state == [
                [.text("resolved"), .text("new_evidence"), .integer(40), .text("a, b")]
            ]
        )
        #expect(try await test.store.verify().isIntact)
        #expect(try await test.store.reconcile().run > 0)
        await test.store.close()
    }

    @Test("What another handle adds to an event with many copies is known to both")
    func twoHandles() async throws {
        let test = try await TestStore()
        let other = try await EventStore.open(at: test.path)
        var known = 0
        for count in stride(from: 40, through: 200, by: 40) {
            let input = IngestInput.bytes(Self.contents(count), named: "contents")
            let first = try await test.store.ingest(input, from: "a").outcomes
            #expect(first.duplicate == known && first.total == count)
            let second = try await other.ingest(input, from: "a").outcomes
            #expect(second.duplicate == count)
            let more = IngestInput.bytes(Self.contents(count + 20), named: "contents")
            #expect(try await other.ingest(more, from: "a").outcomes.conflicting == 20)
            known = count + 20
        }
        #expect(try await test.store.verify().isIntact)
        await other.close()
        await test.store.close()
    }

    @Test("A conflict lists so many places in which its candidates differ, and verifies")
    func places() async throws {
        let test = try await TestStore()
        let lines = Self.lines(0..<60) { number in
            let members = (0..<40).map { "\"k\(number)-\($0)\":1" }.joined(separator: ",")
            return
                eventLine("one", data: "{\(members)}")
        }
        try await test.store.ingest(.bytes(lines, named: "wide"), from: "a")
        let listed = try await test.rows(
            "SELECT json_array_length(differs_in), candidates FROM open_conflicts"
        )
        #expect(listed == [[.integer(1000), .integer(60)]])
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }
}
