import TallystickCore
import TallystickSQLite

/// Takes new rows of the logs into the derived tables of reconciliation, a chunk at a time.
///
/// What it costs is in proportion to what is new.
final class DeltaCollector {
    /// Rows of a log in one transaction: less than a second's work.
    static let chunk: Int64 = 20_000

    private let store: StoreWriter
    private let history: ConfigurationHistory
    private let scans: ScanCursorRows
    private let sequences: SequenceRows
    private let waiting: PendingConflictRows
    private let times: EventTimeRows
    private let events: Statement
    private let copies: Statement
    private let lastConflict: Statement
    private let categories: NameCache
    private var lastDelivery: [Int64: Int64] = [:]

    init(_ store: StoreWriter, _ history: ConfigurationHistory) throws {
        self.store = store
        self.history = history
        scans = try ScanCursorRows(in: store.connection)
        sequences = try SequenceRows(in: store.connection)
        waiting = try PendingConflictRows(in: store.connection)
        times = try EventTimeRows(in: store.connection)
        categories = try NameCache(.categories, in: store.connection)
        events = try store.connection.prepare(
            """
            SELECT position, source_id, category_id, origin_id, recorded_at, attributes
            FROM events
            WHERE position > ?1 AND position <= ?2
            ORDER BY position
            """
        )
        copies = try store.connection.prepare(
            """
            SELECT DISTINCT origin_id, recorded_at
            FROM copies
            WHERE copy_id > ?1 AND copy_id <= ?2
            """
        )
        lastConflict = try store.connection.prepare(
            "SELECT coalesce(max(conflict_id), 0) FROM conflicts"
        )
    }

    /// Takes in the next chunk, in the transaction that is open; false when there was nothing.
    func step() throws -> Bool {
        if try collectEvents() { return true }
        try collectConflicts()
        if try collectCopies() { return true }
        try collectStatements()
        if try collectTimes() { return true }
        try collectConfiguration()
        return false
    }

    private func collectEvents() throws -> Bool {
        let last = try scans.last(.events)
        let head = min(store.size(of: .events), last + Self.chunk)
        guard head > last else { return false }
        try events.bind(last, at: 1)
        try events.bind(head, at: 2)
        while try events.step() {
            let recordedAt = events.int64(at: 4)
            try deliver(events.int64(at: 3), recordedAt)
            if let number = Self.sequence(events.bytesIfPresent(at: 5)) {
                try place(number, recordedAt)
            }
        }
        try events.reset()
        try scans.setLast(.events, head)
        return true
    }

    private func deliver(_ originID: Int64, _ recordedAt: Int64) throws(SQLiteError) {
        // All rows of a batch have one time.
        guard lastDelivery[originID] != recordedAt else { return }
        lastDelivery[originID] = recordedAt
        try scans.addDelivery(of: originID, at: recordedAt)
    }

    /// The statement's current event has a place in its source's sequence.
    private func place(_ number: Int64, _ recordedAt: Int64) throws {
        let position = events.int64(at: 0)
        let category = try categories.text(events.int64(at: 2))
        let window =
            history.settings(at: position)[category: category]?.window.microseconds ?? 0
        let filled = try sequences.place(
            number,
            of: events.int64(at: 1),
            at: position,
            dueAt: recordedAt.addingReportingOverflow(window).partialValue
        )
        if let filled { try waiting.add(filled, isNew: false) }
    }

    /// The whole number in an event's attribute `sequence`; nil where there is none.
    private static func sequence(_ attributes: UnsafeRawBufferPointer?) -> Int64? {
        guard let attributes, attributes.count > 12,
            let text = String(validating: attributes, as: UTF8.self),
            text.contains("\"sequence\":"),
            let value = try? JSONDocument([UInt8](attributes)).root["sequence"]
        else { return nil }
        switch value.content {
        case .string(let text), .number(let text): return SequenceRules.number(text)
        default: return nil
        }
    }

    private func collectConflicts() throws {
        let last = try scans.last(.conflicts)
        let head = try lastConflict.optionalInt64() ?? 0
        guard head > last else { return }
        try waiting.addConflicts(after: last, through: head)
        try scans.setLast(.conflicts, head)
    }

    private func collectCopies() throws -> Bool {
        let last = try scans.last(.copies)
        let head = min(store.size(of: .copies), last + Self.chunk)
        guard head > last else { return false }
        try copies.bind(last, at: 1)
        try copies.bind(head, at: 2)
        while try copies.step() {
            try scans.addDelivery(of: copies.int64(at: 0), at: copies.int64(at: 1))
        }
        try copies.reset()
        try waiting.addConflicts(withCopiesAfter: last, through: head)
        try scans.setLast(.copies, head)
        return true
    }

    /// What was missing in a silence may have conflicts of its own from now on.
    private func collectStatements() throws {
        let head = try CoverageRows.last(in: store.connection)
        guard try scans.last(.statements) < head else { return }
        try waiting.addSilences()
        try scans.setLast(.statements, head)
    }

    /// Only statements of completeness need the events' times.
    private func collectTimes() throws -> Bool {
        guard try scans.last(.statements) > 0 else { return false }
        return try times.extend(through: store.size(of: .events))
    }

    /// Under other settings, open conflicts may be decided.
    private func collectConfiguration() throws {
        let version = store.settings?.version ?? 0
        guard try scans.last(.configuration) != version else { return }
        try waiting.addOpenConflicts()
        try scans.setLast(.configuration, version)
    }
}
