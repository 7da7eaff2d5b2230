import TallystickCore
import TallystickTestSupport
import Testing

@testable import Tallystick

@Suite("Reading ahead")
struct ReadAheadTests {
    private static let projection = Array(
        """
        -- tally:projection totals
        -- tally:version 1
        -- tally:setup
        CREATE TABLE totals (stream TEXT PRIMARY KEY, n INTEGER NOT NULL, data TEXT, last INTEGER) STRICT;
        -- tally:on *
        INSERT INTO totals VALUES (:stream, 1, :data, :position)
        ON CONFLICT (stream) DO UPDATE SET n = n + 1, data = excluded.data, last = excluded.last;
        """.utf8
    )

    private static let count = ReadAheadLimits.worthAThread + ReadAheadLimits.rows + 100

    private func filled() async throws -> TestStore {
        let test = try await TestStore()
        var generator = EventGenerator(seed: 3, streams: 40)
        let bytes = generator.events(Int(Self.count))
        try await test.store.ingest(.bytes(bytes, named: "events"), from: "websocket")
        return test
    }

    private let digests = """
        SELECT digest, applied_digest, root, (SELECT group_concat(stream || n || data || last) FROM totals)
        FROM replay_checkpoints
        """

    @Test("Events read ahead are those that are read one small step after another")
    func sameEvents() async throws {
        let test = try await filled()
        var options = ReplayOptions()
        // Transactions end inside of blocks.
        options.batch = 777
        let outcome = try await test.store.replay(projection: Self.projection, options: options)
        #expect(outcome.consumed == Self.count)
        let ahead = try await test.rows(digests)
        try await test.store.dropReplay("totals")
        // Each step is too short for another thread.
        var until: Int64 = 0
        while until < Self.count {
            until = min(Self.count, until + 1000)
            options.until = Position(until)
            _ = try await test.store.replay(projection: Self.projection, options: options)
        }
        #expect(try await test.rows(digests) == ahead)
        await test.store.close()
    }

    @Test("An event that was changed stops the replay before it, however far ahead it was read")
    func changedEvent() async throws {
        let test = try await filled()
        try test.tamper("UPDATE events SET data = '{}' WHERE position = 3000")
        let code = await failureCode {
            _ = try await test.store.replay(projection: Self.projection)
        }
        #expect(code == .integrity)
        let rows = try await test.rows(
            "SELECT coalesce((SELECT max(position) FROM replay_checkpoints), 0) < 3000"
        )
        #expect(rows == [[.integer(1)]])
        await test.store.close()
    }

    @Test(
        "Wherever a reading stops, its tree is the store's of that size",
        arguments: [true, false]
    )
    func trees(_ readsAhead: Bool) async throws {
        let test = try await filled()
        let connection = try StoreFile.openForReading(test.path, StoreOptions())
        let source = try EventSource(
            connection,
            Checksummer(),
            readingAhead: readsAhead ? StoreOptions() : nil
        )
        var leaves = LeafHashes(of: .events, try MerkleRows(in: connection))
        let head = try source.head()
        var position: Int64 = 0
        var generator = SeededGenerator(seed: 5)
        while position < head {
            let limit = Int.random(in: 1...900, using: &generator)
            position += Int64(
                try source.forEach(after: position, through: head, limit: limit, watermark: nil) {
                    _,
                    _ in true
                }
            )
            #expect(try leaves.frontier(size: position) == source.consumed, "\(position)")
        }
        await test.store.close()
    }

    @Test(
        "No key of a damaged row has a leaf, and none traps",
        arguments: [-1, -256, .min] as [Int64]
    )
    func damagedKeys(_ index: Int64) async throws {
        let test = try await filled()
        let connection = try StoreFile.openForReading(test.path, StoreOptions())
        let merkle = try MerkleRows(in: connection)
        var kept = LeafHashes(of: .events, merkle)
        var stored = try StoredLeaves(.events, in: connection)
        #expect(try kept.hash(at: 0) != nil && stored.hash(0) != nil)
        #expect(try kept.hash(at: index) == nil)
        #expect(try stored.hash(index) == nil)
        #expect(try merkle.leaf(index, of: .events) == nil)
        await test.store.close()
    }

    @Test("A row is handed over with every type of value as it is")
    func values() async throws {
        let test = try await TestStore()
        try await test.ingest(
            "{\"specversion\":\"1.0\",\"id\":\"\\u0041\",\"source\":\"/s\",\"type\":\"t\",\"data_base64\":\"AAEC\"}",
            from: "a"
        )
        let source = try EventSource(
            try StoreFile.openForReading(test.path, StoreOptions()),
            Checksummer()
        )
        var seen = 0
        _ = try source.forEach(after: 0, through: 1, limit: 1, watermark: nil) { event, consumed in
            let event = try #require(event)
            let row = event.row
            #expect(row.int64(at: EventColumn.position) == 1)
            #expect(row.text(at: EventColumn.id) == "A")
            #expect(row.value(at: EventColumn.data) == .blob([0, 1, 2]))
            #expect(row.textIfPresent(at: EventColumn.subject) == nil)
            #expect(row.streamName.elementsEqual("/s".utf8))
            #expect(SHA256Digest(hashing: try event.appendedContent()) == consumed.content)
            seen += 1
            return true
        }
        #expect(seen == 1)
        await test.store.close()
    }
}
