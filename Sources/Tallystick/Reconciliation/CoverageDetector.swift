import TallystickCore
import TallystickSQLite

/// The statements in force of what origins have delivered completely.
final class CoverageStatements {
    /// A statement, with ids instead of names. Nothing has the id 0.
    struct Entry {
        var sequence: Int64
        var origin: String
        var originID: Int64
        /// nil for all.
        var categoryID: Int64?
        /// nil for all.
        var sourceID: Int64?
        var span: ClosedRange<Int64>

        /// Whether another statement is about the same origin, category and source.
        func hasScope(of other: Entry) -> Bool {
            categoryID == other.categoryID && sourceID == other.sourceID
                && origin.utf8.elementsEqual(other.origin.utf8)
        }

        func applies(category: Int64, source: Int64) -> Bool {
            (categoryID ?? category) == category && (sourceID ?? source) == source
        }
    }

    /// What all statements of an origin about one category and source, or about all, say together.
    struct Claim {
        var entry: Entry
        var spans: TimeSpans
    }

    private(set) var entries: [Entry] = []
    private(set) var claims: [Claim] = []
    /// The ends of the logs when the statements were read: what was added since may be a statement or a name.
    private var last: (audit: Int64, events: Int64) = (-1, -1)
    private let store: StoreWriter
    private let rows: CoverageRows
    private let origins: DictionaryRows
    private let categories: DictionaryRows
    private let sources: DictionaryRows

    init(_ store: StoreWriter) throws {
        self.store = store
        rows = try CoverageRows(in: store.connection)
        origins = try DictionaryRows(.origins, in: store.connection)
        categories = try DictionaryRows(.categories, in: store.connection)
        sources = try DictionaryRows(.sources, in: store.connection)
    }

    /// Reads the statements again where something was added to the store.
    func refresh() throws {
        let ends = (audit: store.size(of: .audit), events: store.size(of: .events))
        guard ends != last else { return }
        last = ends
        entries = try rows.all().filter { $0.withdrawnBy == nil }.map { stored in
            Entry(
                sequence: stored.sequence,
                origin: stored.origin,
                originID: try Self.id(of: stored.origin, in: origins),
                categoryID: try stored.category.map { try Self.id(of: $0, in: categories) },
                sourceID: try stored.source.map { try Self.id(of: $0, in: sources) },
                span: stored.span
            )
        }
        claims = []
        for entry in entries {
            let known = claims.firstIndex { $0.entry.hasScope(of: entry) }
            if known == nil { claims.append(Claim(entry: entry, spans: TimeSpans())) }
            claims[known ?? claims.count - 1].spans.insert(entry.span)
        }
    }

    private static func id(of name: String, in rows: DictionaryRows) throws -> Int64 {
        var name = name
        return try name.withUTF8 { bytes throws in
            try rows.id(of: UnsafeRawBufferPointer(bytes))
        } ?? 0
    }

    /// Whether an origin states for events like this one up to when it is complete: then its deliveries' times of
    /// arrival say nothing.
    func governs(origin originID: Int64, category: Int64, source: Int64) -> Bool {
        claims.contains {
            $0.entry.originID == originID && $0.entry.applies(category: category, source: source)
        }
    }

    /// Whether an origin states that it is complete over an event: then a copy that it lacks has a conflict of its own.
    func covers(origin originID: Int64, category: Int64, source: Int64, time: Int64?) -> Bool {
        guard let time else { return false }
        return claims.contains {
            $0.entry.originID == originID && $0.entry.applies(category: category, source: source)
                && $0.spans.contains(time)
        }
    }

    /// The part of a statement's span of which no earlier statement says the same.
    func news(of entry: Entry) -> TimeSpans {
        var known = TimeSpans()
        for other in entries
        where other.sequence < entry.sequence && other.origin.utf8.elementsEqual(entry.origin.utf8)
            && (other.categoryID == nil || other.categoryID == entry.categoryID)
            && (other.sourceID == nil || other.sourceID == entry.sourceID)
        {
            known.insert(other.span)
        }
        return known.gaps(in: entry.span)
    }
}

/// Finds events of which an origin has no copy, although it states that it is complete.
///
/// Every pair of a statement and an event is looked at once, whichever came first: the events up to one position have
/// been held against the statements up to one audit row.
final class CoverageDetector {
    private static let chunk: Int64 = 10_000

    private let store: StoreWriter
    private let scope: RunScope
    private let keepsPlace: Bool
    private let statements: CoverageStatements
    private let detector: MissingCopyDetector
    private let scans: ScanCursorRows
    private let times: EventTimeRows
    private let deliveries: DeliveryRows
    /// How far a pass has looked that does not store it.
    private var place: (statement: Int64, position: Int64)?
    /// The statement that is being held against earlier events, and the position up to which it was.
    private var current: (statement: Int64, position: Int64)?

    init(
        _ store: StoreWriter,
        _ statements: CoverageStatements,
        _ detector: MissingCopyDetector,
        scope: RunScope,
        keepsPlace: Bool
    ) throws {
        self.store = store
        self.statements = statements
        self.detector = detector
        self.scope = scope
        self.keepsPlace = keepsPlace
        scans = try ScanCursorRows(in: store.connection)
        times = try EventTimeRows(in: store.connection)
        deliveries = try DeliveryRows(in: store.connection)
    }

    /// Looks at the next chunk; nil when nothing is left.
    func step() throws -> ConflictDetector.Step? {
        try statements.refresh()
        guard !statements.entries.isEmpty else { return nil }
        let reached = try keepsPlace ? stored() : place ?? stored()
        let head = store.size(of: .events)
        if let entry = statements.entries.first(where: { $0.sequence > reached.statement }) {
            return try step(entry, before: reached.position)
        }
        guard reached.position < head else { return nil }
        let end = min(head, reached.position + Self.chunk)
        let step = try evaluate(reached.position + 1...end) { event in
            var covered: [CoverageStatements.Entry] = []
            for claim in statements.claims where covers(claim.entry, event, claim.spans.contains) {
                // Names that only look alike are different names.
                let isKnown = covered.contains {
                    $0.origin.utf8.elementsEqual(claim.entry.origin.utf8)
                }
                if !isKnown { covered.append(claim.entry) }
            }
            return covered
        }
        try set((reached.statement, end))
        return step
    }

    private func stored() throws -> (statement: Int64, position: Int64) {
        (try scans.last(.coverage), try scans.last(.covered))
    }

    private func set(_ new: (statement: Int64, position: Int64)) throws {
        guard keepsPlace else {
            place = new
            return
        }
        try scans.setLast(.coverage, new.statement)
        try scans.setLast(.covered, new.position)
    }

    /// Holds a statement against the events that other statements were held against before.
    private func step(
        _ entry: CoverageStatements.Entry,
        before position: Int64
    ) throws -> ConflictDetector.Step {
        let news = statements.news(of: entry)
        let last = current?.statement == entry.sequence ? current?.position ?? 0 : 0
        guard let first = news.spans.first, let end = news.spans.last,
            let range = try times.positions(
                after: last,
                overlapping: first.lowerBound...end.upperBound
            ),
            range.lowerBound <= position
        else {
            current = nil
            try set((entry.sequence, position))
            return ConflictDetector.Step()
        }
        // The row of times goes on with the events after `position`, which no statement was held against.
        let looked = range.lowerBound...min(position, range.upperBound)
        current = (entry.sequence, range.lowerBound)
        return try evaluate(looked) { covers(entry, $0, news.contains) ? [entry] : [] }
    }

    private func covers(
        _ entry: CoverageStatements.Entry,
        _ event: DeliveryRows.Event,
        _ contains: (Int64) -> Bool
    ) -> Bool {
        guard let time = event.time else { return false }
        return contains(time) && scope.includes(origin: entry.origin)
            && entry.applies(category: event.categoryID, source: event.sourceID)
    }

    /// - parameter covering: the statements, one an origin, that say that an event was delivered.
    private func evaluate(
        _ positions: ClosedRange<Int64>,
        covering: (DeliveryRows.Event) -> [CoverageStatements.Entry]
    ) throws -> ConflictDetector.Step {
        var step = ConflictDetector.Step()
        var missing: [(position: Int64, entry: CoverageStatements.Entry)] = []
        var event: DeliveryRows.Event?
        var open: [CoverageStatements.Entry] = []
        func finishEvent() throws {
            defer { open = [] }
            guard let event, !open.isEmpty else { return }
            step.evaluated += 1
            missing += open.map { (event.position, $0) }
        }
        try deliveries.forEach(
            after: positions.lowerBound - 1,
            through: positions.upperBound,
            event: { next in
                try finishEvent()
                event = next
                guard scope.includes(recordedAt: next.recordedAt) else { return }
                open = covering(next).filter { $0.originID != next.originID }
            },
            copy: { copy in open.removeAll { $0.originID == copy.originID } }
        )
        try finishEvent()
        for (position, entry) in missing {
            if let finding = try detector.missing(at: position, from: entry.origin) {
                step.findings.append(finding)
            }
        }
        return step
    }
}
