import Foundation
import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

@testable import Tallystick

@Suite("Segments of the identity index", .serialized)
struct IdentitySegmentTests {
    /// Five events less than a segment has positions.
    private static let count = IdentityFilter.capacity - 5

    /// A store that lacks five events to the end of its first segment; made once.
    private static let almostFull = Task {
        let test = try await TestStore()
        try await test.store.ingest(
            .bytes(lines(0..<count), named: "first"),
            from: "websocket"
        )
        await test.store.close()
        return test
    }

    private static func lines(_ numbers: Range<Int>, data: String = "1") -> [UInt8] {
        var text = ""
        for number in numbers {
            text +=
                "{\"specversion\":\"1.0\",\"id\":\"e\(number)\",\"source\":\"/s\",\"type\":\"t\",\"data\":\(data)}\n"
        }
        return Array(text.utf8)
    }

    private func copy() async throws -> TestStore {
        let template = try await Self.almostFull.value
        let folder = try TemporaryFolder()
        let path = folder.file("store.db")
        try FileManager.default.copyItem(atPath: template.path, toPath: path)
        return TestStore(folder: folder, path: path, store: try await EventStore.open(at: path))
    }

    private func ingest(
        _ numbers: Range<Int>...,
        into test: TestStore,
        from origin: String = "websocket",
        data: String = "1"
    ) async throws -> OutcomeCounts {
        let bytes = numbers.flatMap { Self.lines($0, data: data) }
        return try await test.store.ingest(.bytes(bytes, named: "lines"), from: origin).outcomes
    }

    @Test("A batch that begins in one segment and ends in the next finds what the first one has")
    func crossing() async throws {
        let test = try await copy()
        let first = Self.count..<Self.count + 20
        let outcomes = try await ingest(first, 77..<78, 100..<103, into: test, from: "poll")
        #expect(outcomes.appended == 20)
        #expect(outcomes.confirmed == 4)
        let rows = try await test.rows(
            "SELECT segment, count(*), min(position), max(position) FROM event_identities GROUP BY segment"
        )
        let size = Int64(IdentityFilter.capacity)
        #expect(
            rows == [
                [.integer(0), .integer(size), .integer(1), .integer(size)],
                [.integer(1), .integer(15), .integer(size + 1), .integer(size + 15)],
            ]
        )
        #expect(try await test.store.verify().isIntact)
        await test.store.close()
    }

    @Test("What older segments have is known: agreeing, repeated, and differing copies")
    func older() async throws {
        let test = try await copy()
        _ = try await ingest(Self.count..<Self.count + 30, into: test)
        // Without the filter first, which the next large batch brings, and then with it.
        for origin in ["poll", "webhook"] {
            let again = try await ingest(0..<2_000, 9_000_000..<9_000_003, into: test, from: origin)
            #expect(again.confirmed == 2_000 + (origin == "webhook" ? 3 : 0))
            #expect(again.appended == (origin == "poll" ? 3 : 0))
        }
        let filters = try await test.rows("SELECT segment, length(filter) FROM identity_segments")
        #expect(
            filters == [
                [.integer(0), .integer(Int64(IdentityFilter.byteCount))], [.integer(1), .null],
            ]
        )
        let repeated = try await ingest(500..<1_000, into: test)
        #expect(repeated.duplicate == 500)
        let changed = try await ingest(1_500..<1_510, into: test, from: "edge", data: "2")
        #expect(changed.conflicting == 10)
        await test.store.close()
    }

    @Test("An append finds its event in an older segment")
    func append() async throws {
        let test = try await copy()
        _ = try await ingest(Self.count..<Self.count + 30, into: test)
        let code = await failureCode {
            _ = try await test.store.append(
                [Event(id: "e5", source: "/s", type: "t", data: .json([0x32]))],
                to: "/s"
            )
        }
        #expect(code == .contentDiffers)
        let appended = try await test.store.append(
            [Event(id: "e5", source: "/s", type: "t", data: .json([0x31]))],
            to: "/s"
        )
        #expect(appended.first?.position == Position(6))
        await test.store.close()
    }

    @Test("A search by id asks every segment through an index")
    func search() async throws {
        let test = try await copy()
        _ = try await ingest(Self.count..<Self.count + 30, into: test)
        for number in [0, 5_000, Self.count + 29] {
            for view in ["event_log", "effective_events"] {
                let rows = try await test.rows(
                    "SELECT position FROM \(view) WHERE event_id = 'e\(number)'"
                )
                #expect(rows == [[.integer(Int64(number + 1))]])
            }
        }
        await test.store.close()
    }

    @Test("Whatever is changed in the index and its filters is found and named, and mended")
    func damage() async throws {
        let test = try await copy()
        _ = try await ingest(Self.count..<Self.count + 600, into: test)
        _ = try await ingest(Self.count + 600..<Self.count + 1_200, into: test)
        let changes = [
            "UPDATE identity_segments SET filter = zeroblob(524288)",
            "INSERT INTO identity_segments VALUES (2, NULL), (-1, x'00')",
            "UPDATE event_identities SET segment = 1 WHERE position = 7",
            "UPDATE event_identities SET segment = 9 WHERE position = 8",
            "UPDATE event_identities SET segment = -3 WHERE position = 262150",
            "INSERT INTO event_identities VALUES (1, 'e3', 1, 4)",
        ]
        for change in changes { try test.tamper(change) }
        let repair = try await test.store.repairDerived(actor: "me", reason: "a test")
        let named = Set(repair.before.findings.map(\.record))
        let expected =
            ["-1", "0", "1", "2"].map { "identity_segments \($0)" }
            + ["4", "7", "8", "262150"].map { "event_identities for position \($0)" }
        #expect(named == Set(expected))
        #expect(repair.after.isIntact, "\(repair.after.findings.prefix(3))")
        await test.store.close()
    }

    @Test("A segment that is not listed is found, refused by ingest, and listed again")
    func unlisted() async throws {
        let test = try await copy()
        _ = try await ingest(Self.count..<Self.count + 600, into: test)
        try test.tamper("DELETE FROM identity_segments WHERE segment = 0")
        let code = await failureCode { _ = try await ingest(0..<1, into: test, from: "poll") }
        #expect(code == .integrity)
        let repair = try await test.store.repairDerived(actor: "me", reason: "a test")
        #expect(repair.before.findings.map(\.record) == ["identity_segments 0"])
        #expect(try await ingest(0..<1, into: test, from: "poll").confirmed == 1)
        await test.store.close()
    }

    @Test("Two events of one identity are found, though each is in the index of its segment")
    func twice() async throws {
        let test = try await copy()
        _ = try await ingest(Self.count..<Self.count + 30, into: test)
        try test.tamper("UPDATE events SET event_id = 'e3' WHERE position = 262150")
        try test.tamper("UPDATE event_identities SET event_id = 'e3' WHERE position = 262150")
        let found = try await test.store.verify()
        let index = found.findings.filter { $0.finding == .index }
        #expect(index.map(\.record) == ["event_identities for position 262150"])
        await test.store.close()
    }

    @Test("Batches share a transaction as long as all their events are new")
    func group() async throws {
        let test = try await TestStore()
        let configuration = test.store.settings.configuration
        await test.store.close()
        let owner = try StoreOwner()
        try await owner.open(test.path, StoreOptions())
        let sizes = try await owner.withWriter("test") { store in
            let writer = try BatchWriter(
                store,
                origin: "websocket",
                actor: "me",
                configuration: configuration,
                helper: try HelperThread()
            )
            var decoder = EventDecoder(EventDecoderSettings())
            func batch(_ numbers: Range<Int>) -> PreparedBatch {
                var batch = EventBatch()
                decoder.begin(&batch)
                for number in numbers {
                    _ = Self.lines(number..<number + 1).dropLast().withUnsafeBytes {
                        decoder.decode(
                            $0,
                            at: RecordPlace(line: 1, column: 1, byte: 0),
                            into: &batch
                        )
                    }
                }
                return PreparedBatch(batch, configuration)
            }
            var waiting = [
                batch(0..<10), batch(10..<20), batch(20..<30), batch(25..<35), batch(40..<50),
            ]
            var sizes: [[Int]] = []
            while !waiting.isEmpty {
                let results = try writer.write(during: "ingest") { isWanted in
                    guard let next = waiting.first, isWanted(next) else { return nil }
                    return waiting.removeFirst()
                }
                sizes.append(results.map(\.outcomes.appended))
                #expect(store.connection.isAutocommit)
            }
            return sizes
        }
        // How long a record takes is not known before the first; the fourth has known events.
        #expect(sizes == [[10], [10, 10, 5], [10]])
        await owner.close()
        let rows = try await EventStore.open(at: test.path).verify()
        #expect(rows.isIntact)
        #expect(rows.events == 45)
    }
}
