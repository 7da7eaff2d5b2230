import Synchronization
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// Keeps what it takes, and refuses when it is told to.
private final class Recorder: ReplaySink {
    struct Refused: Error {}

    private let state = Mutex<(items: [ReplayItem], batches: Int, refuses: Int?)>(([], 0, nil))

    /// - parameter batch: the batch that is seen, but not taken.
    func refuse(batch: Int?) { state.withLock { $0.refuses = batch } }
    var items: [ReplayItem] { state.withLock { $0.items } }

    func take(_ batch: [ReplayItem]) throws {
        try state.withLock { state in
            state.items += batch
            state.batches += 1
            if state.batches == state.refuses { throw Refused() }
        }
    }
}

@Suite("Replay into sinks outside of SQLite")
struct ReplaySinkTests {
    private func events(_ range: ClosedRange<Int>) -> [UInt8] {
        let lines = range.map {
            eventLine($0, data: $0)
        }
        return Array(lines.joined(separator: "\n").utf8)
    }

    private func filled(_ count: Int) async throws -> TestStore {
        let test = try await TestStore()
        try await test.store.ingest(.bytes(events(1...count), named: "lines"), from: "a")
        return test
    }

    private func decide(_ test: TestStore, _ id: Int, conflict: Int64) async throws {
        let line = eventLine(id, data: "-\(id)")
        try await test.ingest(line, from: "b")
        try await test.store.resolve(
            ManualResolution(
                conflictID: conflict,
                choice: .take(origin: "b"),
                actor: "me",
                reason: "test"
            )
        )
    }

    @Test("Every event is delivered once and in order, and a batch that was refused comes again")
    func atLeastOnce() async throws {
        let test = try await filled(100)
        let sink = Recorder()
        var options = ReplayOptions()
        options.batch = 30
        sink.refuse(batch: 2)
        let halted = try await test.store.replay(into: sink, named: "mailer", options: options)
        #expect(halted.status == .halted)
        #expect(halted.position == 30)
        #expect(halted.reason?.contains("position 31 to 60") == true)
        let status = try await test.rows("SELECT status, target, position FROM replay_status")
        #expect(status == [[.text("halted"), .text("sink"), .integer(30)]])
        sink.refuse(batch: nil)
        let done = try await test.store.replay(into: sink, named: "mailer", options: options)
        #expect(done.status == .complete)
        #expect(done.position == 100)
        let positions = sink.items.map(\.position.rawValue)
        #expect(positions == Array(1...60) + Array(31...100))
        #expect(try await test.store.verify().isIntact)
        try await test.store.dropReplay("mailer")
        #expect(try await test.rows("SELECT count(*) FROM replay_checkpoints") == [[.integer(0)]])
        await test.store.close()
    }

    @Test(
        "A decision is delivered as a correction, right after the event that was last when it was made"
    )
    func corrections() async throws {
        let test = try await filled(5)
        try await decide(test, 2, conflict: 1)
        try await test.store.ingest(.bytes(events(6...8), named: "lines"), from: "a")
        for batch in [1, 2, 100] {
            let sink = Recorder()
            var options = ReplayOptions()
            options.batch = batch
            _ = try await test.store.replay(into: sink, named: "sink_\(batch)", options: options)
            let places = sink.items.map(\.position.rawValue)
            #expect(places == [1, 2, 3, 4, 5, 2, 6, 7, 8], "batches of \(batch)")
            guard case .correction(let correction) = sink.items[5] else {
                Issue.record("no correction")
                continue
            }
            #expect(correction.event.data == .json("-2"))
            #expect(correction.previousData == .json("2"))
            #expect(correction.decision == .take)
        }
        let digests = try await test.rows(
            "SELECT DISTINCT digest, applied_digest FROM replay_status"
        )
        #expect(digests.count == 1)
        await test.store.close()
    }

    @Test(
        "Without a checkpoint the place to go on is returned; nothing is missed and nothing comes twice"
    )
    func cursor() async throws {
        let test = try await filled(5)
        let sink = Recorder()
        let first = try await test.store.replay(into: sink, after: ReplayCursor())
        #expect(first.description == "5")
        try await decide(test, 2, conflict: 1)
        let second = try await test.store.replay(into: sink, after: first)
        #expect(second.description == "5:1")
        try await decide(test, 3, conflict: 2)
        try await test.store.ingest(.bytes(events(6...7), named: "lines"), from: "a")
        let third = try await test.store.replay(
            into: sink,
            after: try #require(ReplayCursor("\(second)"))
        )
        #expect(third.description == "7:2")
        #expect(sink.items.map(\.position.rawValue) == [1, 2, 3, 4, 5, 2, 3, 6, 7])
        #expect(
            await failureCode {
                _ = try await test.store.replay(into: sink, after: ReplayCursor(after: 99))
            } == .historyDiffers
        )
        #expect(try await test.rows("SELECT count(*) FROM replays") == [[.integer(0)]])
        await test.store.close()
    }

    @Test(
        "Texts that are no cursor are refused",
        arguments: ["", ":", "1:", ":1", "-1", "1:2:3", "x"]
    )
    func notACursor(_ text: String) { #expect(ReplayCursor(text) == nil) }

    @Test("A line says what, where, and what the event is")
    func lines() async throws {
        let test = try await filled(1)
        try await decide(test, 1, conflict: 1)
        let sink = Recorder()
        _ = try await test.store.replay(into: sink, after: ReplayCursor())
        let lines = try sink.items.map { item in
            var bytes: [UInt8] = []
            item.writeJSON(to: &bytes)
            return try JSONDocument(bytes).root
        }
        #expect(lines.map { $0["kind"]?.string } == ["event", "correction"])
        #expect(lines[0]["event"]?["data"]?.canonical == Array("1".utf8))
        #expect(lines[1]["event"]?["data"]?.canonical == Array("-1".utf8))
        #expect(lines[1]["previous"]?["data"]?.canonical == Array("1".utf8))
        #expect(lines[1]["decision"]?.string == "take")
        #expect(lines[0]["stream"]?.string == "/s")
        await test.store.close()
    }

    @Test("A sink is given nothing that was changed in the file")
    func tampered() async throws {
        let test = try await filled(20)
        try test.tamper("UPDATE events SET data = '0' WHERE position = 12")
        let sink = Recorder()
        let code = await failureCode {
            _ = try await test.store.replay(into: sink, named: "mailer")
        }
        #expect(code == .integrity)
        #expect(sink.items.isEmpty)
        await test.store.close()
    }

    @Test("A handler that suspends is waited for")
    func handler() async throws {
        let test = try await filled(10)
        let (positions, continuation) = AsyncStream<Int64>.makeStream()
        let handler = BatchHandler { batch in
            try await Task.sleep(for: .milliseconds(5))
            for item in batch { continuation.yield(item.position.rawValue) }
        }
        _ = try await test.store.replay(into: handler, named: "handler")
        continuation.finish()
        var seen: [Int64] = []
        for await position in positions { seen.append(position) }
        #expect(seen == Array(1...10))
        await test.store.close()
    }
}
