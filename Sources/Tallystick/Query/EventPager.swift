import TallystickCore
import TallystickSQLite

/// Reads the pages of one event sequence, each in its own transaction, on its own thread.
///
/// Unchecked Sendable: one page is read at a time, because the iterator that owns the pager awaits it.
final class EventPager: @unchecked Sendable {
    /// What comes after a page.
    enum End: Sendable {
        case more
        /// Nothing: the limit or an upper bound was reached.
        case done
        /// Nothing yet.
        case caughtUp
    }

    struct Page: Sendable {
        var events: [StoredEvent] = []
        var end = End.more
    }

    private let path: String
    private let options: StoreOptions
    private let reading: EventReading
    private var reader: EventPageReader?
    /// Whether a page could not be read: no more pages follow it.
    private var hasFailed = false

    init(_ path: String, _ options: StoreOptions, _ reading: EventReading) {
        self.path = path
        self.options = options
        self.reading = reading
    }

    func next() async throws(StoreError) -> Page {
        if Task.isCancelled {
            // Cancelling the task is how a following sequence is ended.
            if reading.follows { return Page(end: .done) }
            throw StoreError(.interrupted, during: "read events", on: path, "it was stopped")
        }
        return try await EventStore.attempt("read events", path) {
            try await runOnThread { try self.read() }
        }
    }

    private func read() throws -> Page {
        guard !hasFailed else { return Page(end: .done) }
        do {
            try reading.check()
            let reader = try self.reader ?? EventPageReader(path, options, reading)
            self.reader = reader
            return try reader.read()
        } catch {
            hasFailed = true
            throw error
        }
    }
}

/// Reads pages over one connection.
private final class EventPageReader {
    private let source: EventSource
    private let reading: EventReading
    private let statements: EventScan
    private let bounds: (after: RFC3339Instant?, before: RFC3339Instant?)
    /// The place read last; exclusive start of the next page. nil before the first page.
    private var cursor: Int64?
    private var left: Int64
    /// Where a sequence that does not follow ends, and which decisions it sees.
    private var pinned: (head: Int64, watermark: Int64)?

    init(_ path: String, _ options: StoreOptions, _ reading: EventReading) throws {
        source = try EventSource(
            try StoreFile.openForReading(path, options),
            options.checksummer
        )
        self.reading = reading
        statements = try EventScan(source.connection, backwards: reading.backwards)
        bounds = (
            reading.afterTime.flatMap { RFC3339Instant($0) },
            reading.beforeTime.flatMap { RFC3339Instant($0) }
        )
        left = reading.limit ?? .max
    }

    func read() throws -> EventPager.Page {
        guard left > 0 else { return EventPager.Page(end: .done) }
        return try source.inTransaction { try readPage() }
    }

    private func readPage() throws -> EventPager.Page {
        let now = (head: try source.head(), watermark: try source.resolutions.last())
        let pinned = reading.follows ? now : self.pinned ?? now
        self.pinned = pinned
        return try reading.stream == nil
            ? readByPosition(pinned.head, pinned.watermark)
            : readStream(pinned.head, pinned.watermark)
    }

    // MARK: By position

    private func readByPosition(_ head: Int64, _ watermark: Int64) throws -> EventPager.Page {
        var lower: Int64 = 0
        var upper = head
        if case .position(let position)? = reading.after { lower = max(0, position.rawValue) }
        if case .position(let position)? = reading.before {
            upper = min(upper, max(1, position.rawValue) - 1)
        }
        let scanned = EventReadingLimits.scannedRows
        // Positions after `first` up to `last`.
        let (first, last): (Int64, Int64)
        if reading.backwards {
            last = min(upper, (cursor ?? .max) - 1)
            first = max(lower, last - scanned)
        } else {
            first = max(lower, cursor ?? lower)
            last = min(upper, first > head ? first : first + scanned)
        }
        guard last > first else {
            let isBounded = !reading.backwards && upper < head
            return EventPager.Page(end: isBounded || reading.backwards ? .done : .caughtUp)
        }
        let rows = try statements.range(
            after: first,
            through: last,
            type: reading.type,
            category: reading.category,
            isEffective: !reading.asRecorded
        )
        let effective = try source.prepare(
            after: first,
            through: last,
            watermark: reading.asRecorded ? nil : watermark
        )
        // Without conditions, the rows must be complete.
        let isWhole = reading.type == nil && reading.category == nil
        var page = PageBuilder()
        let count = last - first
        var seen: Int64 = 0
        while page.hasRoom, try rows.step() {
            let position = rows.int64(at: EventColumn.position)
            seen += 1
            let expected = reading.backwards ? last - seen + 1 : first + seen
            guard !isWhole || position == expected else { throw missing(expected) }
            cursor = position
            try take(rows, effective[position], &page)
            guard left > 0 else { break }
        }
        let isCut = !page.hasRoom || left == 0
        try rows.reset()
        if !isCut {
            guard !isWhole || seen == count else {
                throw missing(reading.backwards ? last - seen : first + seen + 1)
            }
            cursor = reading.backwards ? first + 1 : last
        }
        return EventPager.Page(events: page.events, end: left == 0 ? .done : .more)
    }

    // MARK: By stream

    private func readStream(_ head: Int64, _ watermark: Int64) throws -> EventPager.Page {
        guard let streamID = try statements.streamID(reading.stream ?? "") else {
            return EventPager.Page(end: .caughtUp)
        }
        var (lower, upper): (Int64, Int64) = (-1, .max)
        if case .revision(let revision)? = reading.after { lower = max(-1, revision.rawValue) }
        if case .revision(let revision)? = reading.before { upper = revision.rawValue }
        if reading.backwards { upper = cursor ?? upper } else { lower = cursor ?? lower }
        let rows = try statements.stream(streamID, after: lower, before: upper)
        var page = PageBuilder()
        var seen: Int64 = 0
        var isPastEnd = false
        while page.hasRoom, left > 0, try rows.step() {
            let position = rows.int64(at: EventColumn.position)
            if position > head, !reading.backwards {
                isPastEnd = true
                break
            }
            seen += 1
            let revision = rows.int64(at: EventScan.indexedRevision)
            try checkRevision(rows, revision, of: streamID)
            cursor = revision
            guard position <= head, isWithin(position), try matches(rows) else { continue }
            let effective = try source.prepare(
                after: position - 1,
                through: position,
                watermark: reading.asRecorded ? nil : watermark
            )
            try take(rows, effective[position], &page)
        }
        let isCut = !page.hasRoom || seen == EventReadingLimits.scannedRows
        try rows.reset()
        let end: EventPager.End = left == 0 ? .done : isCut && !isPastEnd ? .more : .caughtUp
        return EventPager.Page(events: page.events, end: end)
    }

    /// Revisions are contiguous, and the index agrees with the event.
    private func checkRevision(
        _ row: Statement,
        _ revision: Int64,
        of streamID: Int64
    ) throws {
        let isStep = cursor.map { abs($0 - revision) == 1 } ?? true
        guard isStep, row.int64(at: EventColumn.revision) == revision,
            row.int64(at: EventColumn.stream) == streamID
        else {
            throw StoreError(
                .integrity,
                during: "read events",
                on: "stream_revisions of '\(reading.stream ?? "")', revision \(revision)",
                "a revision is missing, or names another event",
                hint: "Run 'tally verify' to see what was changed"
            )
        }
    }

    private func isWithin(_ position: Int64) -> Bool {
        if case .position(let bound)? = reading.after, position <= bound.rawValue { return false }
        if case .position(let bound)? = reading.before, position >= bound.rawValue { return false }
        return true
    }

    /// Whether the stored category and type can match; the type may still be changed by a decision.
    private func matches(_ row: Statement) throws -> Bool {
        guard let category = reading.category else { return true }
        return try statements.isCategory(category, row.int64(at: EventColumn.category))
    }

    // MARK: One event

    private func take(
        _ row: Statement,
        _ resolution: VerifiedResolution?,
        _ page: inout PageBuilder
    ) throws {
        let (verified, _) = try source.verified(row, resolution)
        guard let verified else { return }
        var event = try StoredEvent(verified)
        if let type = reading.type, event.type != type { return }
        guard isWithin(event.time) else { return }
        try statements.describe(&event, isEffective: !reading.asRecorded)
        page.add(event)
        left -= 1
    }

    private func isWithin(_ time: String?) -> Bool {
        guard bounds.after != nil || bounds.before != nil else { return true }
        guard let time, let instant = RFC3339Instant(time) else { return false }
        if let after = bounds.after, instant <= after { return false }
        if let before = bounds.before, instant >= before { return false }
        return true
    }

    private func missing(_ position: Int64) -> StoreError {
        StoreError(
            .integrity,
            during: "read events",
            on: "position \(position)",
            "the event is missing",
            hint: "Run 'tally verify' to see what was changed"
        )
    }
}

/// A page being read.
private struct PageBuilder {
    private(set) var events: [StoredEvent] = []
    private var bytes = 0
    private let deadline =
        SystemClock.monotonicMicroseconds() + EventReadingLimits.pageMicroseconds

    var hasRoom: Bool {
        events.count < EventReadingLimits.pageEvents && bytes < EventReadingLimits.pageBytes
            && SystemClock.monotonicMicroseconds() < deadline
    }

    mutating func add(_ event: StoredEvent) {
        events.append(event)
        bytes += event.content.count
    }
}
