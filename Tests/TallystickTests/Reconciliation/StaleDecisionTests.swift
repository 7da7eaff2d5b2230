import Synchronization
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Takes the newest candidate; the first time it is asked it does something else before it answers.
private final class Meddler: ResolutionPolicy {
    let version = "1"
    private let meddle: @Sendable () async throws -> Void
    private let counts = Mutex<[Int]>([])

    init(_ meddle: @escaping @Sendable () async throws -> Void) { self.meddle = meddle }

    /// How many candidates it was shown, each time.
    var seen: [Int] { counts.withLock { $0 } }

    func decide(_ conflict: ConflictCase) async throws -> PolicyAnswer? {
        let isFirst = counts.withLock { counts in
            counts.append(conflict.candidates.count)
            return counts.count == 1
        }
        if isFirst { try await meddle() }
        return conflict.candidates.last.map { .take(candidate: $0.number) }
    }
}

/// Policies run outside of transactions, so everything can change between their answer and its commit.
@Suite("What changes while a policy decides")
struct StaleDecisionTests {
    private func conflicting() async throws -> TestStore {
        let test = try await TestStore(
            settings: settings(#"{"use":"swift","type":"Mine"}"#),
            clock: ManualClock()
        )
        try await test.ingest(event("1", #"{"v":1}"#), event("2", #"{"v":1}"#), from: "websocket")
        try await test.ingest(event("1", #"{"v":2}"#), event("2", #"{"v":2}"#), from: "realtime")
        return test
    }

    private func reconcile(_ test: TestStore, _ policy: Meddler) async throws
        -> ReconcileReport
    {
        var options = ReconcileOptions()
        // What it does meanwhile takes long where many tests run at once.
        options.policies.deadline = .seconds(600)
        options.policies.register(policy, as: "Mine")
        return try await test.store.reconcile(options)
    }

    @Test("A decision from candidates that changed since is never committed: it is made again")
    func newCandidate() async throws {
        let test = try await conflicting()
        let policy = Meddler { try await test.ingest(event("1", #"{"v":3}"#), from: "poll") }
        let done = try await reconcile(test, policy)
        #expect(policy.seen == [2, 2, 3])
        #expect(done.resolved == 2 && done.open == 0)
        #expect(
            try await test.rows(
                "SELECT event_id, winner_origin, supersedes FROM resolution_trail ORDER BY event_id"
            ) == [
                [.text("1"), .text("poll"), .null], [.text("2"), .text("realtime"), .null],
            ]
        )
        #expect(
            try await test.projected() == [["1", "3"], ["2", "2"]].map { $0.map { .text($0) } }
        )
        // What each was decided from is what there was.
        #expect(try await test.store.replayAudit().drifts == [])
        #expect(try await test.store.verify().isIntact)
    }

    @Test("Support that comes while a policy decides counts as well")
    func newSupport() async throws {
        let test = try await conflicting()
        let policy = Meddler { try await test.ingest(event("1", #"{"v":2}"#), from: "poll") }
        let done = try await reconcile(test, policy)
        #expect(policy.seen == [2, 2, 2])
        #expect(done.resolved == 2)
        #expect(
            try await test.text(
                "SELECT provenance FROM resolution_trail WHERE event_id = '1'"
            ).contains("poll")
        )
        #expect(try await test.store.replayAudit().drifts == [])
    }

    @Test("A person who decides meanwhile wins, and nothing is decided twice")
    func person() async throws {
        let test = try await conflicting()
        let policy = Meddler {
            try await test.store.resolve(
                ManualResolution(
                    conflictID: 1,
                    choice: .take(origin: "websocket"),
                    actor: "ann",
                    reason: "I know it"
                )
            )
        }
        let done = try await reconcile(test, policy)
        #expect(done.resolved == 1)
        #expect(
            try await test.rows(
                "SELECT event_id, policy, winner_origin FROM resolution_trail ORDER BY event_id"
            ) == [
                ["1", "manual", "websocket"].map { .text($0) },
                ["2", "p", "realtime"].map { .text($0) },
            ]
        )
        #expect(try await test.store.reconcile().found == 0)
    }
}
