import TallystickCore
import TallystickSQLite

/// Finds out which copies should be there and are not.
final class MissingCopyDetector {
    /// What the evaluation of some events found.
    struct ScanResult {
        var evaluated: Int64 = 0
        var findings: [DetectedConflict] = []
        /// Events that have to be evaluated again, and from when on.
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
    private let scans: ScanCursorRows
    private let asOf: Int64
    private let scope: RunScope
    private let statements: CoverageStatements
    private let rows: Statement
    private let row: Statement
    private let copies: Statement
    private let lacking: Statement
    private let originRows: DictionaryRows
    private let categories: NameCache
    private let sources: NameCache
    private var plans: [PlanKey: Plan?] = [:]
    private var deliveries: [Place: Presence.Deliveries] = [:]
    /// Silences found by this pass, which are not stored in a dry run.
    private var silences: Set<Place> = []

    init(
        _ store: StoreWriter,
        _ history: ConfigurationHistory,
        asOf: Int64,
        scope: RunScope,
        statements: CoverageStatements
    ) throws {
        self.store = store
        self.statements = statements
        self.history = history
        self.asOf = asOf
        self.scope = scope
        scans = try ScanCursorRows(in: store.connection)
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
        lacking = try store.connection.prepare(
            """
            SELECT \(columns), time
            FROM events AS e
            WHERE position > ?1 AND position <= ?2
                AND recorded_at > ?3 AND recorded_at <= ?4
                AND origin_id <> ?5
                AND NOT EXISTS (
                    SELECT 1
                    FROM copies AS c
                    WHERE c.position = e.position AND c.origin_id = ?5)
            ORDER BY position DESC
            """
        )
        originRows = try DictionaryRows(.origins, in: store.connection)
        categories = try NameCache(.categories, in: store.connection)
        sources = try NameCache(.sources, in: store.connection)
    }

    /// Evaluates the events after a position whose windows can have closed.
    ///
    /// - returns: nil where there is none.
    func scan(after position: Int64, limit: Int64) throws -> (last: Int64, result: ScanResult)? {
        // Deliveries may have come since the last chunk.
        deliveries.removeAll(keepingCapacity: true)
        plans.removeAll(keepingCapacity: true)
        try statements.refresh()
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
        var delivered = try delivered(first.position, last.position)
        var result = ScanResult()
        for event in batch { try evaluate(event, &delivered, &result) }
        return (last.position, result)
    }

    /// Evaluates one event again.
    func evaluate(at position: Int64) throws -> ScanResult {
        var result = ScanResult()
        try statements.refresh()
        try row.bind(position, at: 1)
        guard let event = try row.first(Self.read) else { return result }
        var delivered = try delivered(position, position)
        try evaluate(event, &delivered, &result)
        return result
    }

    /// The conflicts that wait over silences in which the origin brought, after all, every copy that was expected.
    ///
    /// One pass over the log for each origin, whatever the number of its silences. It goes from the end to the
    /// beginning and stops once each silence lacks a copy: copies that are brought late mostly come in order.
    func filledSilences() throws -> Set<Int64> {
        deliveries.removeAll(keepingCapacity: true)
        plans.removeAll(keepingCapacity: true)
        try statements.refresh()
        var all: Set<Int64> = []
        for silences in try scans.endedSilences() { all.formUnion(try filled(of: silences)) }
        return all
    }

    /// - parameter silences: one origin's, in order of time. They do not overlap.
    private func filled(of silences: [ScanCursorRows.Silence]) throws -> Set<Int64> {
        guard let first = silences.first, let last = silences.last else { return [] }
        try lacking.bind(first.since, at: 3)
        try lacking.bind(last.until, at: 4)
        try lacking.bind(first.originID, at: 5)
        var filled = Set(silences.map(\.conflictID))
        var end = store.size(of: .events)
        while end > 0, !filled.isEmpty {
            let start = max(0, end - ConflictDetector.chunk)
            try lacking.bind(start, at: 1)
            try lacking.bind(end, at: 2)
            var found: [(event: Row, time: Int64?)] = []
            while try lacking.step() {
                let time = lacking.bytesIfPresent(at: 6).flatMap(RFC3339.microseconds)
                found.append((Self.read(lacking), time))
            }
            try lacking.reset()
            for (event, time) in found {
                guard let silence = Self.silence(at: event.recordedAt, in: silences),
                    filled.contains(silence.conflictID),
                    try isExpected(event, at: time, from: first.originID)
                else { continue }
                filled.remove(silence.conflictID)
            }
            end = start
        }
        return filled
    }

    /// The silence in which a time lies.
    private static func silence(
        at time: Int64,
        in silences: [ScanCursorRows.Silence]
    ) -> ScanCursorRows.Silence? {
        var (low, high) = (0, silences.count)
        while low < high {
            let middle = (low + high) / 2
            if silences[middle].since < time { low = middle + 1 } else { high = middle }
        }
        guard low > 0, time <= silences[low - 1].until else { return nil }
        return silences[low - 1]
    }

    /// Whether an origin that was silent when an event came should have brought a copy, and no other conflict says so.
    private func isExpected(
        _ event: Row,
        at time: Int64?,
        from originID: Int64
    ) throws -> Bool {
        guard let plan = try plan(of: event), plan.expected.contains(where: { $0.id == originID }),
            !statements.covers(
                origin: originID,
                category: event.categoryID,
                source: event.sourceID,
                time: time
            )
        else { return false }
        let source = try sources.text(event.sourceID)
        guard Sampling.includes(source: source, id: event.eventID, in: plan.category) else {
            return false
        }
        let presence = Presence.evaluate(
            recordedAt: event.recordedAt,
            window: plan.category.window.microseconds,
            hasCopy: false,
            deliveries: try deliveries(of: originID, around: event.recordedAt),
            asOf: asOf
        )
        return presence == .silent
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

    /// The origins of further copies of the events of a range, in order of position, each once for an event.
    private func delivered(_ first: Int64, _ last: Int64) throws -> Deliverers {
        try copies.bind(first, at: 1)
        try copies.bind(last, at: 2)
        var delivered = Deliverers()
        var origins: Set<Int64> = []
        while try copies.step() {
            let (position, origin) = (copies.int64(at: 0), copies.int64(at: 1))
            if delivered.pairs.last?.position != position {
                origins.removeAll(keepingCapacity: true)
            }
            guard origins.insert(origin).inserted else { continue }
            delivered.pairs.append((position, origin))
        }
        try copies.reset()
        return delivered
    }

    /// Pairs of position and origin, walked through beside the events.
    private struct Deliverers {
        var pairs: [(position: Int64, originID: Int64)] = []
        private var next = 0

        /// The pairs of a position; positions are asked for in ascending order.
        mutating func pairs(at position: Int64) -> ArraySlice<(position: Int64, originID: Int64)> {
            while next < pairs.count, pairs[next].position < position { next += 1 }
            let start = next
            while next < pairs.count, pairs[next].position == position { next += 1 }
            return pairs[start..<next]
        }
    }

    /// What the settings in force for an event ask of its category's origins.
    private struct Plan {
        var category: StoreSettings.Category
        /// Those that ever delivered anything.
        var expected: [(name: String, id: Int64)]
    }

    private struct PlanKey: Hashable {
        var configuration: Int
        var categoryID: Int64
    }

    /// nil where no copies are compared.
    private func plan(of event: Row) throws -> Plan? {
        let index = history.index(at: event.position)
        let key = PlanKey(configuration: index, categoryID: event.categoryID)
        if let known = plans[key] { return known }
        let settings = history.settings(index: index)
        var plan: Plan?
        if let category = settings[category: try categories.text(event.categoryID)],
            category.isEnabled, category.percentage > 0
        {
            let names = category.origins ?? settings.origins.map(\.name)
            var expected: [(name: String, id: Int64)] = []
            for name in names where names.count > 1 && scope.includes(origin: name) {
                if let id = try id(of: name) { expected.append((name, id)) }
            }
            if !expected.isEmpty { plan = Plan(category: category, expected: expected) }
        }
        plans[key] = .some(plan)
        return plan
    }

    private func evaluate(
        _ event: Row,
        _ delivered: inout Deliverers,
        _ result: inout ScanResult
    ) throws {
        let pairs = delivered.pairs(at: event.position)
        guard let plan = try plan(of: event), scope.includes(recordedAt: event.recordedAt) else {
            return
        }
        if plan.category.percentage < 100 {
            let source = try sources.text(event.sourceID)
            guard Sampling.includes(source: source, id: event.eventID, in: plan.category) else {
                return
            }
        }
        result.evaluated += 1
        for origin in plan.expected {
            guard origin.id != event.originID, !pairs.contains(where: { $0.originID == origin.id }),
                !isGoverned(event, origin.id)
            else { continue }
            try evaluate(event, plan.category, origin.name, origin.id, &result)
        }
    }

    private func evaluate(
        _ event: Row,
        _ category: StoreSettings.Category,
        _ origin: String,
        _ originID: Int64,
        _ result: inout ScanResult
    ) throws {
        let window = category.window.microseconds
        let presence = Presence.evaluate(
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
                DetectedConflict(
                    conflict: ConflictRecord(
                        kind: .originSilent,
                        severity: category.severity.rawValue,
                        category: category.name,
                        origin: origin,
                        detail: "{\"since\":\"\(RFC3339.string(microseconds: since))\"}"
                    ),
                    mark: .silence(originID: originID, since: since)
                )
            )
        }
    }

    /// Whether the origin itself states up to when it is complete, instead of being measured by times of arrival.
    private func isGoverned(_ event: Row, _ originID: Int64) -> Bool {
        statements.governs(
            origin: originID,
            category: event.categoryID,
            source: event.sourceID
        )
    }

    /// What to open where an origin has no copy of an event, although it states that it is complete; nil where no copy
    /// of the event is expected from it.
    func missing(at position: Int64, from origin: String) throws -> DetectedConflict? {
        try row.bind(position, at: 1)
        guard let event = try row.first(Self.read),
            let category = history.settings(at: position)[
                category: try categories.text(event.categoryID)
            ],
            category.origins?.contains(where: { $0.utf8.elementsEqual(origin.utf8) }) ?? true,
            Sampling.includes(
                source: try sources.text(event.sourceID),
                id: event.eventID,
                in: category
            )
        else { return nil }
        return try missing(event, category, origin)
    }

    private func missing(
        _ event: Row,
        _ category: StoreSettings.Category,
        _ origin: String
    ) throws -> DetectedConflict {
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
                contentDigest: store.reader.contentDigest
            )
        }
        return DetectedConflict(
            conflict: ConflictRecord(
                kind: .missingAtOrigin,
                severity: category.severity.rawValue,
                category: category.name,
                position: event.position,
                source: try sources.text(event.sourceID),
                eventID: event.eventID,
                origin: origin
            ),
            candidate: appended
        )
    }

    /// The id of an origin; nil where it never delivered anything.
    private func id(of origin: String) throws -> Int64? {
        var name = origin
        return try name.withUTF8 { bytes throws in
            try originRows.id(of: UnsafeRawBufferPointer(bytes))
        }
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
