import Synchronization
import TallystickCore
import TallystickTestSupport
import Testing

@testable import Tallystick

/// Two processes on one replay.
@Suite("A replay that another process moves on")
struct ReplayRaceTests {
    /// Applies each event once: a second time it fails as an event does that cannot be applied.
    private static let projection = Array(
        """
        -- tally:projection once
        -- tally:version 1
        -- tally:setup
        CREATE TABLE once (position INTEGER PRIMARY KEY) STRICT;
        -- tally:on *
        INSERT INTO once VALUES (:position);
        """.utf8
    )

    private func setting(
        _ test: TestStore,
        _ file: ProjectionFile,
        _ options: ReplayOptions,
        skipped: @escaping @Sendable (LogPlace) -> Void = { _ in },
        betweenBatches: @escaping @Sendable () throws -> Void = {}
    ) -> ReplayContext {
        var storeOptions = StoreOptions()
        // After each batch the log is long enough to be written back: the moment that the test takes.
        storeOptions.writerLimits.checkpointFrames = 1
        return ReplayContext(
            path: test.path,
            storeID: test.store.storeID,
            storeOptions: storeOptions,
            options: options,
            definition: SQLProjection.definition(of: file),
            heldCategories: { [] },
            breakers: { [] },
            stop: StopFlag(),
            place: .store,
            auditSkip: { place, _ in skipped(place) },
            checkpointStore: betweenBatches
        )
    }

    @Test(
        "Events that another process applied meanwhile are no poison: the process that comes too late is busy, whatever its policy",
        arguments: [PoisonPolicy.halt, .park, .skip]
    )
    func overtaken(_ policy: PoisonPolicy) async throws {
        let test = try await TestStore()
        let lines = (1...6).map {
            eventLine($0)
        }
        try await test.ingest(lines.joined(separator: "\n"), from: "a")
        let file = try ProjectionFile(Self.projection)
        var options = ReplayOptions()
        (options.batch, options.onPoison) = (2, policy)
        let whole = setting(test, file, ReplayOptions())
        let skips = Mutex(0)
        let hasRun = Mutex(false)
        let overtaken = setting(
            test,
            file,
            options,
            skipped: { _ in skips.withLock { $0 += 1 } },
            betweenBatches: {
                let isFirst = hasRun.withLock { ran in
                    defer { ran = true }
                    return !ran
                }
                guard isFirst else { return }
                let outcome = try ReplayEngine(whole) { SQLProjection(file, in: $0, $1) }.run()
                #expect(outcome.status == .complete && outcome.applied == 4)
            }
        )
        do {
            let outcome = try ReplayEngine(overtaken) { SQLProjection(file, in: $0, $1) }.run()
            Issue.record("\(outcome)")
        } catch let error as StoreError {
            #expect(error.code == .busy && error.isRetryable, "\(error)")
        }
        #expect(hasRun.withLock { $0 })
        #expect(skips.withLock { $0 } == 0, "nothing goes on record that did not happen")
        let again = try await test.store.replay(projection: Self.projection)
        #expect(again.status == .complete && again.parked == 0 && again.position == 6)
    }
}
