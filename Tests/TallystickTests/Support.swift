import Foundation
import Tallystick
import TallystickCore
import TallystickSQLite
import TallystickTestSupport

/// Files of the project that tests read.
enum Fixture {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static func path(_ name: String) -> String { root.appending(path: "fixtures/\(name)").path }
    /// A text file of the project; empty when it cannot be read.
    static func text(_ path: String) -> String {
        (try? String(contentsOf: root.appending(path: path), encoding: .utf8)) ?? ""
    }
    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: path(name))))
    }
}

/// A store in a folder that is searched for keys before it is removed.
struct TestStore {
    let folder: TemporaryFolder
    let path: String
    let store: EventStore
    private let manualClock: ManualClock?

    init(folder: TemporaryFolder, path: String, store: EventStore) {
        self.folder = folder
        self.path = path
        self.store = store
        manualClock = nil
    }

    /// - parameter clock: in place of the system's; each call of ``ingest(_:from:)`` moves it by a second.

    init(settings: String? = nil, clock: ManualClock? = nil) async throws {
        folder = try TemporaryFolder()
        path = folder.file("store.db")
        manualClock = clock
        // Other tests keep the machine busy: no verdict depends on how long a lock is waited for.
        var options = StoreOptions()
        options.busyTimeout = Waiting.watchdog
        let temporary = try await TemporaryStore(
            at: path,
            heldBy: folder,
            settings: settings,
            clock: clock,
            options: options
        )
        store = temporary.store
    }

    /// The clock of a store that was created with one.
    var clock: ManualClock {
        guard let manualClock else { preconditionFailure("the store has the system's clock") }
        return manualClock
    }

    /// Ingests lines of CloudEvents.
    @discardableResult
    func ingest(_ lines: String..., from origin: String) async throws -> IngestReport {
        manualClock?.advance(seconds: 1)
        let bytes = Array(lines.joined(separator: "\n").utf8)
        return try await store.ingest(.bytes(bytes, named: "lines"), from: origin)
    }

    /// Rows of a reading statement, as text.
    func rows(_ sql: String) async throws -> [[SQLValue]] {
        let rows = Rows()
        try await store.query(sql) {
            rows.add($0)
            return true
        }
        return rows.all
    }

    /// Changes the file behind the store's back: no guard runs.
    func tamper(_ sql: String) throws {
        let connection = try Connection(path: path, mode: .readWrite, firesTriggers: false)
        try connection.execute(sql)
    }

    /// Writes the whole log back and empties it; false where a reader holds a part of it.
    func truncateLog() throws -> Bool {
        let connection = try Connection(path: path, mode: .readWrite, busyTimeoutMilliseconds: 0)
        let checkpoint = try connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)")
        guard try checkpoint.step() else { return false }
        return checkpoint.int64(at: 0) == 0
    }

    /// Row counts of all proved tables, without the rows that each run of ingest leaves about itself.
    func provedRows() async throws -> [SQLValue] {
        let tables = [
            "events", "copies", "audit_trail WHERE kind <> 'ingest'", "mismatches", "conflicts",
            "conflict_candidates",
            "resolutions", "configurations", "keys", "checksums", "quarantine",
        ]
        let counts = tables.map { "(SELECT count(*) FROM \($0))" }.joined(separator: ", ")
        return try await rows("SELECT \(counts)").first ?? []
    }
}

/// Rows that a query's thread adds.
final class Rows: @unchecked Sendable {
    private let lock = NSLock()
    private var rows: [[SQLValue]] = []
    func add(_ row: [SQLValue]) { lock.withLock { rows.append(row) } }
    var all: [[SQLValue]] { lock.withLock { rows } }
}

/// The code of the failure of `body`, if it is a store's.
func failureCode(_ body: () async throws -> Void) async -> StoreError.Code? {
    await failure(of: body)?.code
}

/// The failure of `body`, if it is a store's.
func failure(of body: () async throws -> Void) async -> StoreError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? StoreError
    }
}
