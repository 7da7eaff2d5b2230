import Foundation
import Tallystick
import TallystickTestSupport
import Testing

/// Random damage to the bytes of a store's files, below SQLite.
@Suite("Damage to files", .serialized)
struct FileDamageTests {
    private static let damages =
        ProcessInfo.processInfo.environment["TALLY_DAMAGES"].flatMap { Int($0) } ?? 60
    private static let seed =
        ProcessInfo.processInfo.environment["TALLY_SEED"].flatMap { UInt64($0) } ?? 7

    /// What the store held before it was damaged.
    private final class Truth: @unchecked Sendable {
        private let lock = NSLock()
        private var events: Set<[UInt8]> = []
        private var unknown: [[UInt8]] = []
        func add(_ event: [UInt8]) { lock.withLock { _ = events.insert(event) } }
        func meet(_ event: [UInt8]) {
            lock.withLock { if !events.contains(event) { unknown.append(event) } }
        }
        var strangers: [[UInt8]] { lock.withLock { unknown } }
        var count: Int { lock.withLock { events.count } }
    }

    private static let projection = Array(
        """
        -- tally:projection seen
        -- tally:version 1
        -- tally:setup
        CREATE TABLE seen (id TEXT, source TEXT, data TEXT) STRICT;
        -- tally:on *
        INSERT INTO seen VALUES (:id, :source, CAST(:data AS TEXT));

        """.utf8
    )

    @Test("Flipped bits and truncated files never crash anything, nor serve a wrong event")
    func damage() async throws {
        let history = try await StoreHistory(seed: Self.seed, largestDelivery: 60)
        try await history.live(30)
        try await history.fillTile()
        // The last of it is in the log alone.
        _ = try? await history.deliver()
        let template = try await history.copy("template.db", whenClosed: false)
        let whole = try await history.copy("whole.db", whenClosed: false)
        let truth = Truth()
        let store = try await EventStore.open(at: whole)
        try await store.export {
            truth.add($0)
            return true
        }
        #expect(truth.count > 200)
        let intact = try await store.verify()
        await store.close()
        var random = SeededGenerator(seed: Self.seed)
        var noticed = 0
        for number in 0..<Self.damages {
            let path = history.folder.file("damaged-\(number).db")
            for suffix in ["", "-wal"] where access(template + suffix, F_OK) == 0 {
                try FileManager.default.copyItem(atPath: template + suffix, toPath: path + suffix)
            }
            defer { history.remove(path) }
            let what = try Self.damage(path, &random)
            let failure = await failure(of: { try await Self.use(path, truth, intact) })
            if failure != nil { noticed += 1 }
            let told = failure.map { "\($0)" } ?? ""
            #expect(failure?.code != .bug, "seed \(Self.seed), \(number): \(what): \(told)")
            #expect(truth.strangers == [], "seed \(Self.seed), \(number): \(what)")
        }
        // Free pages and unused bytes aside, damage is seen.
        #expect(noticed > Self.damages / 3)
    }

    /// Reads a store in every way that serves events.
    ///
    /// - throws: `integrity` also where the verification names something.
    private static func use(
        _ path: String,
        _ truth: Truth,
        _ intact: VerifyReport
    ) async throws {
        let store = try await EventStore.open(at: path)
        var failure: (any Error)?
        do {
            try await store.export {
                truth.meet($0)
                return true
            }
        } catch { failure = error }
        do {
            var options = ReplayOptions()
            options.target = .file(path + ".projection")
            _ = try await store.replay(projection: projection, options: options)
        } catch { failure = failure ?? error }
        do {
            var options = VerifyOptions()
            // The head that was kept: what is lost at the end is found against it.
            options.cursor = intact.cursor
            _ = try await store.verify(options)
            let report = try await store.verify()
            if let first = report.findings.first {
                throw StoreError(
                    .integrity,
                    during: "verify",
                    on: first.record,
                    first.finding.rawValue
                )
            }
        } catch { failure = failure ?? error }
        await store.close()
        for ending in ["", "-wal", "-shm", "-journal"] { unlink(path + ".projection" + ending) }
        if let failure { throw failure }
    }

    private static func damage(_ path: String, _ random: inout SeededGenerator) throws -> String {
        let ending = random.next() % 3 == 0 ? "-wal" : ""
        let url = URL(filePath: path + ending)
        var bytes = [UInt8](try Data(contentsOf: url))
        guard !bytes.isEmpty else { return "an empty file" }
        var what = "\(ending) "
        if random.next() % 5 == 0 {
            let count = Int.random(in: 0..<bytes.count, using: &random)
            bytes.removeLast(bytes.count - count)
            what += "cut to \(count)"
        } else {
            for _ in 0..<Int.random(in: 1...20, using: &random) {
                let index = Int.random(in: bytes.indices, using: &random)
                bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                what += "\(index) "
            }
        }
        try Data(bytes).write(to: url)
        return what
    }

    @Test(
        "Rows that lie in a wrong order are a finding, and never a trap",
        arguments: ["events", "copies"]
    )
    func outOfOrder(_ table: String) async throws {
        let test = try await TestStore()
        for origin in ["a", "b"] {
            for id in 1...5 {
                try await test.ingest(
                    eventLine(id),
                    from: origin
                )
            }
        }
        let path = test.folder.file("copy.db")
        try await test.store.backup(to: path)
        await test.store.close()
        let root = try PlainSQLite(path).run(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?1",
            [.text(table)]
        )
        guard case .integer(let page)? = root.first?.first else {
            Issue.record("there is no table \(table)")
            return
        }
        let url = URL(filePath: path)
        var bytes = [UInt8](try Data(contentsOf: url))
        let start = Int(page - 1) * 4096
        // A leaf of a table (sqlite.org/fileformat2.html#b_tree_pages): after 8 bytes, where its cells begin.
        try #require(bytes[start] == 0x0D && bytes[start + 4] == 5)
        for byte in 0..<2 { bytes.swapAt(start + 10 + byte, start + 14 + byte) }
        try Data(bytes).write(to: url)
        let store = try await EventStore.open(at: path)
        let report = try await store.verify()
        let found = report.findings.filter { $0.finding == .sequence }.map(\.record)
        #expect(found.contains("\(table) 3") && found.contains("\(table) 2"), "\(found)")
        await store.close()
    }

    @Test("A lost end of the log, and an older copy in the store's place, are found against a head")
    func lostTail() async throws {
        let test = try await TestStore()
        try await test.ingest(
            eventLine("1"),
            from: "x"
        )
        let old = test.folder.file("old.db")
        try await test.store.backup(to: old)
        try await test.ingest(
            eventLine("2"),
            from: "x"
        )
        let head = try await test.store.verify()
        await test.store.close()
        let restored = try await EventStore.open(at: old)
        // Without the head nothing is wrong with the copy.
        #expect(try await restored.verify().isIntact)
        var options = VerifyOptions()
        options.cursor = head.cursor
        #expect(
            await failureCode { _ = try await restored.verify(options) } == .historyDiffers
        )
        await restored.close()
    }
}
