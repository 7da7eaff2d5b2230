import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Reading events")
struct EventReadingTests {
    private func filled() async throws -> TestStore {
        let test = try await TestStore()
        for file in ["websocket", "realtime"] {
            try await test.store.ingest(.file(Fixture.path("events/\(file).ndjson")), from: file)
        }
        return test
    }

    private func all(_ events: EventSequence) async throws -> [StoredEvent] {
        var all: [StoredEvent] = []
        for try await event in events { all.append(event) }
        return all
    }

    @Test("What a reading gives is what the views give", arguments: [false, true])
    func views(_ asRecorded: Bool) async throws {
        let test = try await filled()
        for conflict in [Int64(1), 2, 3] {
            try await test.store.resolve(
                ManualResolution(
                    conflictID: conflict,
                    choice: conflict == 2 ? .exclude : .take(origin: "realtime"),
                    actor: "me",
                    reason: "test"
                )
            )
        }
        var reading = EventReading()
        reading.asRecorded = asRecorded
        let events = try await all(test.store.events(reading))
        let view = asRecorded ? "event_log" : "effective_events"
        let rows = try await test.rows(
            "SELECT position, stream, revision, event_id, type, category, checksum, data, time FROM \(view) ORDER BY position"
        )
        #expect(events.count == rows.count && events.count > 2_000)
        for (event, row) in zip(events, rows) {
            let time = event.time.map { SQLValue.text($0) } ?? .null
            let same: [SQLValue] = [
                .integer(event.position.rawValue), .text(event.stream),
                .integer(event.revision.rawValue), .text(event.id), .text(event.type),
                .text(event.category), .text(event.checksum), event.sqlData, time,
            ]
            #expect(same == row)
        }
        if !asRecorded {
            let states = try await test.rows("SELECT state FROM effective_events ORDER BY position")
            #expect(events.map { [.text($0.state.rawValue)] } == states)
        }
        await test.store.close()
    }

    @Test("Streams, types, categories, bounds, order and limit choose and order events")
    func conditions() async throws {
        let test = try await filled()
        let everything = try await all(test.store.events())
        let stream = try #require(everything.last).stream
        let inStream = everything.filter { $0.stream == stream }
        #expect(try await all(test.store.events(in: stream)) == inStream)
        #expect(
            try await all(test.store.events(in: stream, after: .revision(3)))
                == inStream.filter { $0.revision > 3 }
        )
        var reading = EventReading()
        reading.backwards = true
        #expect(try await all(test.store.events(reading)) == everything.reversed())
        #expect(try await all(test.store.events(in: stream, reading)) == inStream.reversed())
        reading.limit = 7
        reading.before = .position(100)
        #expect(
            try await all(test.store.events(reading))
                == everything.filter { $0.position < 100 }.suffix(7).reversed()
        )
        reading = EventReading()
        reading.type = "health_check"
        reading.after = .position(50)
        #expect(
            try await all(test.store.events(reading))
                == everything.filter { $0.type == "health_check" && $0.position > 50 }
        )
        reading = EventReading()
        reading.category = "critical"
        #expect(
            try await all(test.store.events(reading))
                == everything.filter { $0.category == "critical" }
        )
        reading = EventReading()
        reading.stream = "no such stream"
        #expect(try await all(test.store.events(reading)).isEmpty)
        reading = EventReading()
        reading.after = .revision(1)
        #expect(
            await failureCode { _ = try await all(test.store.events(reading)) } == .invalidArgument
        )
        await test.store.close()
    }

    @Test("A changed type is found under the type that counts")
    func changedType() async throws {
        let decided = try await DecidedStore()
        var reading = EventReading()
        reading.type = "new"
        let found = try await all(decided.test.store.events(reading))
        #expect(found.map(\.position) == [1])
        #expect(found.first?.content == Array(DecidedStore.content.utf8))
        reading.type = "old"
        #expect(try await all(decided.test.store.events(reading)).map(\.position) == [2])
        reading.asRecorded = true
        #expect(try await all(decided.test.store.events(reading)).map(\.position) == [1, 2])
        await decided.test.store.close()
    }

    @Test("A decision that was changed in the file is not read", arguments: DecidedStore.edits)
    func edited(_ sql: String) async throws {
        let decided = try await DecidedStore()
        try decided.test.tamper(sql)
        #expect(await failureCode { _ = try await all(decided.test.store.events()) } == .integrity)
        await decided.test.store.close()
    }

    @Test(
        "An event that was changed, deleted or taken out of its stream is not read",
        arguments: [
            "UPDATE events SET data = '{}' WHERE position = 700",
            "UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 700",
            "DELETE FROM events WHERE position = 700",
            "DELETE FROM stream_revisions WHERE position = 700",
            "UPDATE stream_revisions SET position = 701 WHERE position = 700",
        ],
        [false, true]
    )
    func damaged(_ sql: String, _ backwards: Bool) async throws {
        let test = try await filled()
        let stream = try #require(
            try await all(test.store.events()).first { $0.position == 700 }
        ).stream
        try test.tamper(sql)
        var reading = EventReading()
        reading.backwards = backwards
        if !sql.contains("stream_revisions") {
            #expect(
                await failureCode { _ = try await all(test.store.events(reading)) } == .integrity
            )
        }
        // A deleted revision at the end of a stream leaves no gap; only 'verify' finds that.
        if !sql.hasPrefix("DELETE") {
            #expect(
                await failureCode { _ = try await all(test.store.events(in: stream, reading)) }
                    == .integrity
            )
        }
        await test.store.close()
    }

    @Test("Following gives what is appended later, and ends when its task is cancelled")
    func follow() async throws {
        let test = try await TestStore()
        let store = test.store
        try await test.ingest(eventLine(1, data: 1), from: "a")
        var reading = EventReading()
        reading.follows = true
        let events = store.events(reading)
        let (seen, continuation) = AsyncStream<Position>.makeStream()
        let task = Task {
            for try await event in events { continuation.yield(event.position) }
            continuation.finish()
        }
        var positions: [Position] = []
        for await position in seen {
            positions.append(position)
            if positions.count == 3 { task.cancel() }
            if positions.count < 3 {
                try await test.ingest(
                    eventLine(positions.count + 1, data: positions.count + 1),
                    from: "a"
                )
            }
        }
        try await task.value
        #expect(positions == [1, 2, 3])
        await store.close()
    }

    @Test("A reader that pauses holds no transaction, so that the log can be written back")
    func slowReader() async throws {
        let test = try await filled()
        var iterator = test.store.events().makeAsyncIterator()
        #expect(try await iterator.next()?.position == 1)
        // A checkpoint that truncates the log needs every reader gone.
        #expect(try test.truncateLog())
        #expect(try await iterator.next()?.position == 2)
        await test.store.close()
    }

    @Test("A cancelled reading says that it is not whole")
    func cancelled() async throws {
        let test = try await filled()
        let events = test.store.events()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            var count = 0
            for try await _ in events { count += 1 }
            return count
        }
        #expect(await failureCode { _ = try await task.value } == .interrupted)
        await test.store.close()
    }
}
