import Foundation
import TallystickTestSupport
import Testing

/// `TALLY_BUSY_SECONDS` runs for that long instead of a fixed number of commands; `TALLY_BUSY_SEED` repeats the same
/// commands.
@Suite("Many processes on one store", .serialized)
struct ConcurrencyTests {
    private static func variable(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    /// Each process runs commands at the same time as the others.
    ///
    /// - parameter steps: the number of commands that each of them runs; nil to run for the requested time.
    private func run(_ processes: [BusyProcess], steps: Int?) {
        let started = ContinuousClock.now
        let seconds = Self.variable("TALLY_BUSY_SECONDS").map { Int64($0) } ?? 0
        // Each process has a thread: Dispatch would start only as many as there are processors.
        let threads = processes.map { process in
            let done = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                var process = process
                var count = 0
                while steps.map({ count < $0 }) ?? (.now - started < .seconds(seconds)) {
                    process.step()
                    count += 1
                }
                done.signal()
            }
            return done
        }
        for thread in threads { thread.wait() }
    }

    @Test(
        "Eight processes of all kinds are stopped and killed: each acknowledged event is there once, and the store is consistent"
    )
    func allKinds() throws {
        let seed = Self.variable("TALLY_BUSY_SEED") ?? 1
        let isLong = Self.variable("TALLY_BUSY_SECONDS") != nil
        let store = try BusyStore(seed: seed)
        run(
            BusyProcess.Role.allCases.enumerated().map { index, role in
                BusyProcess(role, store, seed: seed &+ UInt64(index))
            },
            steps: isLong ? nil : 25
        )
        let found = store.count()
        let record = store.record
        let ends = record.ends.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        let summary = """
            processes at once, seed \(seed): \(record.acknowledged.count) appends acknowledged, \
            \(record.kills) kills, \(record.stops) stops; \(ends.joined(separator: ", "))
            """
        FileHandle.standardError.write(Data((summary + "\n").utf8))
        let complaints = record.complaints + found
        #expect(
            complaints.isEmpty,
            "seed \(seed), \(complaints.count) complaints\n\(complaints.prefix(30).joined(separator: "\n"))"
        )
        #expect(record.acknowledged.count > 10 && record.kills > 5, "\(summary)")
    }

    @Test("A process that acknowledges an event before storing it is detected by counting")
    func earlyAcknowledgement() throws {
        let store = try BusyStore(seed: 1)
        // A kill may come when nothing is reported yet, so several are tried.
        for attempt in 0..<10 {
            var process = BusyProcess(.worker, store, seed: UInt64(attempt), claimsEarly: true)
            for _ in 0..<10 { process.step() }
            if !store.count().isEmpty { break }
        }
        #expect(store.count().contains { $0.contains("is stored 0 times") })
    }
}
