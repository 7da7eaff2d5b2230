import Tallystick
import TallystickCore
import TallystickSQLite
import TallystickTestSupport
import Testing

@Suite("A backup that is used as the store")
struct RestoredStoreTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func journalMode(_ path: String) throws -> String? {
        let connection = try Connection(path: path, mode: .readOnly)
        let statement = try connection.prepare("PRAGMA journal_mode")
        return try statement.step() ? statement.text(at: 0) : nil
    }

    @Test("A backup has no write-ahead log; its first writer brings it back, and nothing is lost")
    func writeAheadLog() async throws {
        let (path, copy) = (folder.file("s.db"), folder.file("copy.db"))
        let event = Event(id: "1", source: "/shop", type: "order.placed", data: .json("1"))
        let store = try await EventStore.create(at: path)
        try await store.append([event], to: "orders", expecting: .none)
        try await store.backup(to: copy)
        await store.close()
        #expect(try journalMode(copy) == "delete")

        let restored = try await EventStore.open(at: copy)
        #expect(try journalMode(copy) == "wal")
        let next = Event(id: "2", source: "/shop", type: "order.paid", data: .json("2"))
        let places = try await restored.append(
            [next],
            to: "orders",
            expecting: .revision(Revision(0))
        )
        #expect(places.map(\.position) == [Position(2)])
        #expect(try await restored.verify().isIntact)
        #expect(restored.storeID == store.storeID)
        await restored.close()
    }

    @Test("A store that was closed after much work is opened with a short log")
    func shortLog() async throws {
        let path = folder.file("s.db")
        var generator = EventGenerator(seed: 3, streams: 50)
        let store = try await EventStore.create(at: path)
        try await store.ingest(.bytes(generator.events(4000), named: "events"), from: "feed")
        await store.close()

        let connection = try Connection(path: path, mode: .readWrite, firesTriggers: false)
        let log = try connection.prepare("PRAGMA wal_checkpoint(PASSIVE)")
        #expect(try log.step())
        #expect((1...8).contains(log.int64(at: 1)), "\(log.int64(at: 1)) pages")
        try log.reset()
        let again = try await EventStore.open(at: path)
        #expect(try await again.verify().isIntact)
        await again.close()
    }
}
