import Foundation
import Tallystick
import TallystickSQLite
import TallystickTestSupport
import Testing

/// Whole pages of a store's file are overwritten.
@Suite("Verification of a file with damaged pages")
struct DamagedPageTests {
    private let folder: TemporaryFolder
    private let path: String
    private static let bytes = 4096

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("store.db")
    }

    /// A closed file with so many events that tables have several pages.
    private func make(events: Int) async throws {
        let live = folder.file("live.db")
        let store = try await EventStore.create(at: live)
        for origin in ["a", "b"] {
            let lines = (1...events).map { id in
                let value = origin == "b" && id % 9 == 0 ? "other" : "value"
                return
                    eventLine(id, data: #"{"v":"\#(value) \#(id)"}"#)
            }
            let bytes = Array(lines.joined(separator: "\n").utf8)
            _ = try await store.ingest(.bytes(bytes, named: "lines"), from: origin)
        }
        try await store.backup(to: path)
        await store.close()
    }

    private func numbers(_ sql: String) throws -> [Int64] {
        let rows = try Connection(path: path, mode: .readOnly).prepare(sql)
        var numbers: [Int64] = []
        while try rows.step() { numbers.append(rows.int64(at: 0)) }
        return numbers
    }

    /// The pages of a table's or an index's tree below its root, the leaves from left to right where that has no levels
    /// between: an interior page has its children's numbers in its cells.
    private func leaves(of name: String) throws -> [Int] {
        let root = try numbers("SELECT rootpage FROM sqlite_schema WHERE name = '\(name)'")
        return try leaves(ofPage: Int(try #require(root.first)))
    }

    private func leaves(ofPage page: Int) throws -> [Int] {
        let size = Int(try numbers("PRAGMA page_size").first ?? Int64(Self.bytes))
        let file = [UInt8](try Data(contentsOf: URL(filePath: path)))
        // The file's header is on the first page, before the tree's.
        let (base, start) = ((page - 1) * size, page == 1 ? 100 : (page - 1) * size)
        func number(_ offset: Int, _ count: Int) -> Int {
            file[(start + offset)..<(start + offset + count)].reduce(0) { $0 << 8 | Int($1) }
        }
        guard file[start] == 5 || file[start] == 2 else { return [page] }
        let cells = number(3, 2)
        return (0..<cells).map { number(number(12 + 2 * $0, 2) + base - start, 4) } + [number(8, 4)]
    }

    private func overwrite(_ page: Int) throws {
        let size = Int(try numbers("PRAGMA page_size").first ?? Int64(Self.bytes))
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        try file.seek(toOffset: UInt64((page - 1) * size))
        try file.write(contentsOf: Data(repeating: 0xA5, count: size))
        try file.close()
    }

    @Test("A damaged page of events is named by its positions, and everything around it is checked")
    func events() async throws {
        try await make(events: 2000)
        let pages = try leaves(of: "events")
        #expect(pages.count > 5)
        try overwrite(pages[3])
        let store = try await EventStore.open(at: path, options: .readOnly)
        let report = try await store.verify()
        let damaged = try #require(report.findings.first { $0.finding == .page })
        #expect(report.findings.filter { $0.finding == .page }.count == 1)
        let words = damaged.record.split(separator: " ")
        #expect(words.count == 4 && words[0] == "events" && words[2] == "to")
        let (first, last) = (Int64(words[1]) ?? 0, Int64(words[3]) ?? 0)
        #expect(damaged.position?.rawValue == first)
        #expect(first > 1 && last < 2000 && first < last)
        // All others are checked, but for the row before: SQLite reads the page behind it.
        #expect(report.events == 2000 - (last - first + 2))
        #expect(!report.isComplete && !report.isIntact && report.cursor == nil)
        let left = report.notChecked.first { $0.what == "events" }
        #expect(left?.records == last - first + 2)
        #expect(report.auditRows > 0)
        // What is there has no findings.
        let others = report.findings.filter {
            $0.finding != .page && !(first...last).contains($0.position?.rawValue ?? 0)
        }
        #expect(others.map(\.record) == [])
        await store.close()
    }

    @Test(
        "A damaged page of any table or index is a finding that names it",
        arguments: [
            "copies", "audit_trail", "conflicts", "conflict_candidates", "merkle_tiles",
            "event_identities", "stream_revisions", "conflict_states", "effective_state",
            "tree_heads", "conflicts_by_position", "conflict_candidates_by_conflict", "sources",
        ]
    )
    func tables(_ name: String) async throws {
        try await make(events: 500)
        let pages = try leaves(of: name)
        try overwrite(pages[pages.count / 2])
        let store = try await EventStore.open(at: path, options: .readOnly)
        let report = try await store.verify()
        let named = report.findings.filter { $0.finding == .page }.map(\.record)
        #expect(named.contains { $0.contains(name) }, "\(named)")
        #expect(!report.isIntact && !report.isComplete)
        #expect(!report.notChecked.isEmpty)
        // Names and tiles belong to each event, and the end of the audit trail tells what there is; all other damage
        // leaves events alone.
        if !["merkle_tiles", "sources", "audit_trail"].contains(name) {
            #expect(report.events == 500)
        }
        await store.close()
    }

    /// Overwrites all of a page but, on the first one, the file's header.
    private func overwriteBody(_ page: Int) throws {
        let size = Int(try numbers("PRAGMA page_size").first ?? Int64(Self.bytes))
        let start = page == 1 ? 100 : (page - 1) * size
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        try file.seek(toOffset: UInt64(start))
        try file.write(contentsOf: Data(repeating: 0xA5, count: page * size - start))
        try file.close()
    }

    @Test("A damaged page of the schema is a finding, and nothing else can be checked")
    func schema() async throws {
        try await make(events: 40)
        let whole = try Data(contentsOf: URL(filePath: path))
        for page in [1, try #require(try leaves(ofPage: 1).last)] {
            try whole.write(to: URL(filePath: path))
            try overwriteBody(page)
            let failure = await failure { _ = try await EventStore.open(at: path) }
            #expect(failure?.code == .corrupt && failure?.hint.contains("tally verify") == true)
            let report = try await EventStore.verify(at: path)
            #expect(report.findings.map(\.record) == ["sqlite_schema"])
            #expect(report.findings.map(\.finding) == [.page])
            #expect(!report.isIntact && !report.isComplete && report.storeID == nil)
            #expect(report.notChecked.map(\.what) == ["events", "copies", "audit_rows", "tiles"])
        }
    }

    @Test(
        "A damaged page that opening a store reads is a finding, and what does not need it is checked",
        arguments: ["schema_migrations", "origins", "audit_trail", "configurations", "keys"]
    )
    func opening(_ name: String) async throws {
        try await make(events: 40)
        try overwrite(try #require(try leaves(of: name).first))
        let failure = await failure { _ = try await EventStore.open(at: path, options: .readOnly) }
        #expect(failure?.code == .corrupt)
        let report = try await EventStore.verify(at: path)
        #expect(report.findings.allSatisfy { $0.finding == .page }, "\(report.findings)")
        #expect(report.findings.map { $0.record.split(separator: " ").first ?? "" } == [name[...]])
        #expect(!report.isIntact && !report.isComplete && report.cursor == nil)
        #expect(!report.notChecked.isEmpty)
        #expect((report.storeID == nil) == (name == "audit_trail"))
        // Each event names the path that brought it; all other tables are not needed to check events.
        #expect(report.events == (name == "origins" ? 0 : 40))
        #expect(report.tiles > 0 || report.sizes.events < 256)
    }

    @Test(
        "A damaged page of an index, or of a table that is no evidence, is a finding too",
        arguments: [
            "copies_by_position", "audit_trail_by_position", "conflict_states_open",
            "sqlite_autoindex_streams_1", "replays", "tally_deliveries", "tally_waiting",
            "counters",
        ]
    )
    func other(_ name: String) async throws {
        try await make(events: 40)
        try overwrite(try #require(try leaves(of: name).first))
        let store = try await EventStore.open(at: path, options: .readOnly)
        let report = try await store.verify()
        #expect(report.findings.count == 1 && report.findings.first?.finding == .page)
        #expect(report.findings.first?.record.contains(name) == true, "\(report.findings)")
        #expect(!report.isComplete && report.cursor == nil && report.events == 40)
        await store.close()
    }

    @Test("Every page of a small store may be damaged: verify names a table, or the schema")
    func everyPage() async throws {
        try await make(events: 40)
        let whole = try Data(contentsOf: URL(filePath: path))
        let count = Int(try numbers("PRAGMA page_count").first ?? 0)
        // What SQLite keeps for its own planning is nobody's evidence.
        let own = Int(
            try numbers("SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_stat1'").first ?? 0
        )
        // Some of them: each costs an opening and a verification.
        for page in stride(from: 1, through: count, by: 7) where page != own {
            try whole.write(to: URL(filePath: path))
            try overwriteBody(page)
            let report = try await EventStore.verify(at: path)
            #expect(report.findings.contains { $0.finding == .page }, "page \(page)")
            #expect(!report.isComplete && !report.notChecked.isEmpty, "page \(page)")
        }
    }
}
