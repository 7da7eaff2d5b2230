import TallystickCore
import TallystickSQLite

/// Finds out which copies should be there and are not.
final class ExpectedCopies {
    /// What came of judging some events.
    struct Result {
        var judged: Int64 = 0
        var findings: [Finding] = []
        /// Events that have to be judged again, and from when on.
        var awaited: [(dueAt: Int64, position: Int64)] = []
    }

    /// An event, as far as it matters here.
    private struct Row {
        var position: Int64
        var sourceID: Int64
        var eventID: String
        var categoryID: Int64
        var originID: Int64
        var recordedAt: Int64
    }

    private struct Place: Hashable {
        var originID: Int64
        var recordedAt: Int64
    }

    private let store: StoreWriter
    private let history: ConfigurationHistory
    private let scans: ScanRows
    private let asOf: Int64
    private let scope: RunScope
    private let rows: Statement
    private let row: Statement
    private let copies: Statement
    private let originRows: DictionaryRows
    private var categories: NameCache
    private var sources: NameCache
    private var originIDs: [String: Int64] = [:]
    private var deliveries: [Place: Presence.Deliveries] = [:]
    /// Silences found by this pass, which are not stored in a dry run.
    private var silences: Set<Place> = []

    init(
        _ store: StoreWriter,
        _ history: ConfigurationHistory,
        asOf: Int64,
        scope: RunScope
    ) throws {
        self.store = store
        self.history = history
        self.asOf = asOf
        self.scope = scope
        scans = try ScanRows(in: store.connection)
        let columns = "position, source_id, event_id, category_id, origin_id, recorded_at"
        rows = try store.connection.prepare(
            """
            SELECT \(columns)
            FROM events
            WHERE position > ?1
            ORDER BY position
            LIMIT ?2
            """
        )
        row = try store.connection.prepare("SELECT \(columns) FROM events WHERE position = ?1")
        copies = try store.connection.prepare(
            """
            SELECT position, origin_id
            FROM copies
            WHERE position >= ?1 AND position <= ?2
            ORDER BY position
            """
        )
        originRows = try DictionaryRows(.origins, in: store.connection)
        categories = try NameCache(.categories, in: store.connection)
        sources = try NameCache(.sources, in: store.connection)
    }

    /// Judges the events after a position whose windows can have closed.
    ///
    /// - returns: nil where there is none.
    func scan(after position: Int64, limit: Int64) throws -> (last: Int64, result: Result)? {
        // Deliveries may have come since the last chunk.
        deliveries.removeAll(keepingCapacity: true)
        let shortest = history.shortestWindow
        try rows.bind(position, at: 1)
        try rows.bind(limit, at: 2)
        var batch: [Row] = []
        while try rows.step() {
            let read = Self.read(rows)
            guard read.recordedAt.addingReportingOverflow(shortest).partialValue < asOf else {
                break
            }
            batch.append(read)
        }
        try rows.reset()
        guard let first = batch.first, let last = batch.last else { return nil }
        let delivered = try delivered(first.position, last.position)
        var result = Result()
        for event in batch {
            try judge(event, delivered[event.position] ?? [], &result)
        }
        return (last.position, result)
    }

    /// Judges one event again.
    func judge(at position: Int64) throws -> Result {
        var result = Result()
        try row.bind(position, at: 1)
        guard let event = try row.first(Self.read) else { return result }
        try judge(event, try delivered(position, position)[position] ?? [], &result)
        return result
    }

    private static func read(_ row: Statement) -> Row {
        Row(
            position: row.int64(at: 0),
            sourceID: row.int64(at: 1),
            eventID: row.text(at: 2),
            categoryID: row.int64(at: 3),
            originID: row.int64(at: 4),
            recordedAt: row.int64(at: 5)
        )
    }

    private func delivered(_ first: Int64, _ last: Int64) throws -> [Int64: [Int64]] {
        try copies.bind(first, at: 1)
        try copies.bind(last, at: 2)
        var delivered: [Int64: [Int64]] = [:]
        while try copies.step() {
            delivered[copies.int64(at: 0), default: []].append(copies.int64(at: 1))
        }
        try copies.reset()
        return delivered
    }

    private func judge(_ event: Row, _ delivered: [Int64], _ result: inout Result) throws {
        let settings = history.settings(at: event.position)
        let name = try categories.text(event.categoryID)
        guard let category = settings[category: name] else { return }
        let expected = category.origins ?? settings.origins.map(\.name)
        guard expected.count > 1, scope.includes(recordedAt: event.recordedAt),
            category.percentage >= 100
                ? category.isEnabled
                : Sampling.includes(
                    source: try sources.text(event.sourceID),
                    id: event.eventID,
                    in: category
                )
        else { return }
        result.judged += 1
        for origin in expected where scope.includes(origin: origin) {
            guard let originID = try id(of: origin), originID != event.originID,
                !delivered.contains(originID)
            else { continue }
            try judge(event, category, origin, originID, &result)
        }
    }

    private func judge(
        _ event: Row,
        _ category: StoreSettings.Category,
        _ origin: String,
        _ originID: Int64,
        _ result: inout Result
    ) throws {
        let window = category.window.microseconds
        let presence = Presence.judge(
            recordedAt: event.recordedAt,
            window: window,
            hasCopy: false,
            deliveries: try deliveries(of: originID, around: event.recordedAt),
            asOf: asOf
        )
        switch presence {
        case .present, .notExpected: return
        case .pending:
            let dueAt = event.recordedAt.addingReportingOverflow(window).partialValue
            if result.awaited.last?.position != event.position {
                result.awaited.append((dueAt, event.position))
            }
        case .missing: result.findings.append(try missing(event, category, origin))
        case .silent:
            let since = try scans.lastDelivery(of: originID, before: event.recordedAt) ?? 0
            let place = Place(originID: originID, recordedAt: since)
            guard silences.insert(place).inserted,
                try !scans.hasSilence(of: originID, since: since)
            else { return }
            result.findings.append(
                Finding(
                    kind: .originSilent,
                    severity: category.severity.rawValue,
                    category: category.name,
                    origin: origin,
                    detail: "{\"since\":\"\(RFC3339.string(microseconds: since))\"}",
                    mark: .silence(originID: originID, since: since)
                )
            )
        }
    }

    private func missing(
        _ event: Row,
        _ category: StoreSettings.Category,
        _ origin: String
    ) throws -> Finding {
        let appended = try store.reader.withRow(at: event.position) { row in
            guard try store.reader.readContent(row) else {
                throw StoreError(
                    .integrity,
                    during: "compare copies",
                    on: "position \(event.position)",
                    "a name that the event uses is missing",
                    hint: "Run 'tally verify'"
                )
            }
            return StoredCandidate(
                candidate: 1,
                origin: try store.reader.name(.origins, of: row),
                copyID: nil,
                contentDigest: SHA256Digest(hashing: store.reader.content)
            )
        }
        return Finding(
            kind: .missingAtOrigin,
            severity: category.severity.rawValue,
            category: category.name,
            position: event.position,
            source: try sources.text(event.sourceID),
            eventID: event.eventID,
            origin: origin,
            candidate: appended
        )
    }

    /// The id of an origin; nil where it never delivered anything.
    private func id(of origin: String) throws -> Int64? {
        if let known = originIDs[origin] { return known }
        var name = origin
        let found = try name.withUTF8 { bytes throws in
            try originRows.id(of: UnsafeRawBufferPointer(bytes))
        }
        if let found { originIDs[origin] = found }
        return found
    }

    private func deliveries(
        of originID: Int64,
        around recordedAt: Int64
    ) throws(SQLiteError) -> Presence.Deliveries {
        let place = Place(originID: originID, recordedAt: recordedAt)
        if let known = deliveries[place] { return known }
        let read = try scans.deliveries(of: originID, around: recordedAt)
        deliveries[place] = read
        return read
    }
}
