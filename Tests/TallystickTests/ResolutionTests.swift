import Synchronization
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Decisions of people over conflicts: taken once, superseded by an audited act, and refused clearly.
@Suite("Resolutions")
struct ResolutionTests {
    private static func event(_ id: String, _ value: Int, subject: String = "s") -> String {
        eventLine(
            id,
            source: "/test",
            type: "status",
            subject: subject,
            data: #"{"value":\#(value)}"#
        )
    }

    private func conflicting(_ count: Int = 1) async throws -> TestStore {
        let test = try await TestStore()
        for index in 1...count {
            try await test.ingest(Self.event("e\(index)", index), from: "left")
            try await test.ingest(Self.event("e\(index)", index + 100), from: "right")
        }
        return test
    }

    private func resolution(
        _ conflict: Int64,
        _ choice: ManualResolution.Choice
    ) -> ManualResolution {
        ManualResolution(conflictID: conflict, choice: choice, actor: "ann", reason: "checked")
    }

    private func effective(_ test: TestStore) async throws -> [[SQLValue]] {
        try await test.rows("SELECT state, data ->> 'value' FROM effective_events")
    }

    @Test(
        "A decision is superseded only after an audited act; meanwhile the event counts as decided"
    )
    func supersession() async throws {
        let test = try await conflicting()
        let store = test.store
        #expect(try await store.resolve(resolution(1, .take(origin: "right"))) == 1)
        #expect(try await effective(test) == [[.text("resolved"), .integer(101)]])
        #expect(
            await failureCode {
                _ = try await store.resolve(self.resolution(1, .take(origin: "left")))
            } == .alreadyDecided
        )

        try await store.reopen(conflict: 1, actor: "bob", reason: "wrong feed")
        #expect(try await effective(test) == [[.text("resolved"), .integer(101)]])
        #expect(
            try await test.rows("SELECT conflict_id, blocked_by FROM open_conflicts")
                == [[.integer(1), .text("reopened")]]
        )
        #expect(
            await failureCode { try await store.reopen(conflict: 1, actor: "b", reason: "r") }
                == .notDecided
        )
        #expect(try await store.resolve(resolution(1, .take(origin: "left"))) == 2)
        #expect(try await effective(test) == [[.text("resolved"), .integer(1)]])
        #expect(
            try await test.rows(
                "SELECT resolution_id, supersedes, superseded_by, actor FROM resolution_trail"
            ) == [
                [.integer(1), .null, .integer(2), .text("ann")],
                [.integer(2), .integer(1), .null, .text("ann")],
            ]
        )
        #expect(
            try await test.rows(
                "SELECT actor, reason FROM audit_trail WHERE kind = 'conflict_reopened'"
            ) == [[.text("bob"), .text("wrong feed")]]
        )
        #expect(try await store.verify(VerifyOptions()).isIntact)
    }

    @Test("Of two people who decide at once, one wins")
    func atOnce() async throws {
        let test = try await conflicting(20)
        let store = test.store
        let other = try await EventStore.open(at: test.path)
        for conflict in Int64(1)...20 {
            async let first = failureCode {
                _ = try await store.resolve(self.resolution(conflict, .take(origin: "left")))
            }
            async let second = failureCode {
                _ = try await other.resolve(self.resolution(conflict, .exclude))
            }
            let codes = [await first, await second]
            #expect(codes.count { $0 == nil } == 1, "conflict \(conflict): \(codes)")
            #expect(codes.count { $0 == .alreadyDecided } == 1, "conflict \(conflict): \(codes)")
        }
        await other.close()
        #expect(
            try await test.rows("SELECT count(*), count(DISTINCT conflict_id) FROM resolutions")
                == [[.integer(20), .integer(20)]]
        )
    }

    @Test("What a person says is judged before anything is written")
    func refusals() async throws {
        let test = try await conflicting()
        let store = test.store
        let before = try await test.provedRows()
        func code(_ choice: ManualResolution.Choice, _ actor: String = "a", _ reason: String = "r")
            async -> StoreError.Code?
        {
            let request = ManualResolution(
                conflictID: 1,
                choice: choice,
                actor: actor,
                reason: reason
            )
            return await failureCode { _ = try await store.resolve(request) }
        }
        #expect(await code(.take(origin: "nobody")) == .invalidArgument)
        #expect(await code(.acceptMissing) == .invalidArgument)
        #expect(await code(.exclude, "") == .invalidArgument)
        #expect(await code(.exclude, "a", " \n") == .invalidArgument)
        #expect(await code(.exclude, "a\0b") == .invalidArgument)
        #expect(await code(.content(Array("{".utf8))) == .badInput)
        #expect(await code(.content(Array(#"{"id":"e1"}"#.utf8))) == .badInput)
        #expect(await code(.content(Array(Self.event("e2", 5).utf8))) == .badInput)
        #expect(
            await failureCode { _ = try await store.resolve(self.resolution(9, .exclude)) }
                == .notFound
        )
        #expect(
            await failureCode { try await store.reopen(conflict: 9, actor: "a", reason: "r") }
                == .notFound
        )
        #expect(try await test.provedRows() == before)
    }

    @Test("A bulk resolution decides what fits its filter, each by a resolution of its own")
    func bulk() async throws {
        let test = try await conflicting(3)
        let store = test.store
        // A conflict without a candidate of `right`, and one in another stream.
        try await test.ingest(Self.event("x", 1), from: "left")
        try await test.ingest(Self.event("x", 2), from: "third")
        try await test.ingest(Self.event("y", 1, subject: "other"), from: "left")
        try await test.ingest(Self.event("y", 2, subject: "other"), from: "right")
        var filter = ConflictFilter()
        filter.streams = ["/test#s"]
        let bulk = BulkResolution(
            filter,
            choice: .take(origin: "right"),
            actor: "ann",
            reason: "newer"
        )
        let before = try await test.provedRows()
        let preview = Decisions()
        try await store.resolve(bulk, previews: true) { preview.add($0) }
        #expect(try await test.provedRows() == before)
        let done = Decisions()
        try await store.resolve(bulk) { done.add($0) }
        #expect(done.all.map(\.conflictID) == [1, 2, 3, 4])
        #expect(done.all.map(\.decision) == [.take, .take, .take, nil])
        #expect(done.all.map(\.resolutionID) == [1, 2, 3, nil])
        #expect(done.all.last?.refusal.contains("third") == true)
        #expect(preview.all.map(\.decision) == done.all.map(\.decision))
        #expect(preview.all.map(\.refusal) == done.all.map(\.refusal))
        #expect(
            try await test.rows("SELECT conflict_id FROM open_conflicts ORDER BY 1")
                == [[.integer(4)], [.integer(5)]]
        )
        #expect(
            try await test.rows(
                "SELECT count(DISTINCT audit_sequence) FROM resolutions WHERE actor = 'ann'"
            ) == [[.integer(3)]]
        )
        let code = await failureCode {
            try await store.resolve(
                BulkResolution(filter, choice: .content([]), actor: "a", reason: "r")
            ) { _ in }
        }
        #expect(code == .invalidArgument)
    }

    @Test("Conflicts are listed by kind, severity, category, origin and stream")
    func filters() async throws {
        let test = try await conflicting(2)
        try await test.ingest(Self.event("e1", 900), from: "right")
        try await test.ingest(Self.event("y", 1, subject: "other"), from: "left")
        try await test.ingest(Self.event("y", 2, subject: "other"), from: "left")
        _ = try await test.store.resolve(resolution(2, .exclude))
        func ids(_ change: (inout ConflictFilter) -> Void) async throws -> [SQLValue] {
            var filter = ConflictFilter()
            change(&filter)
            let rows = Rows()
            try await test.store.list(.conflicts(filter)) {
                rows.add($0)
                return true
            }
            return rows.all.map { $0[0] }
        }
        #expect(try await ids { _ in } == [.integer(1), .integer(3)])
        #expect(try await ids { $0.includesResolved = true }.count == 3)
        #expect(try await ids { $0.kinds = [.equivocation] } == [.integer(3)])
        #expect(try await ids { $0.kinds = [.equivocation, .payloadDiffers] }.count == 2)
        #expect(try await ids { $0.origins = ["right"] } == [.integer(1)])
        #expect(try await ids { $0.streams = ["/test#other"] } == [.integer(3)])
        #expect(try await ids { $0.severities = [.critical] } == [])
        #expect(try await ids { $0.categories = ["system", "debug"] }.count == 2)
    }
}

/// Decisions of a bulk resolution, as they are told.
private final class Decisions: Sendable {
    private let state = Mutex<[BulkDecision]>([])
    func add(_ page: [BulkDecision]) { state.withLock { $0 += page } }
    var all: [BulkDecision] { state.withLock { $0 } }
}
