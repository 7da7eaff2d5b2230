import TallystickCore
import TallystickSQLite

/// What a run of ingest leaves about itself: from which record of which input each event and copy came, and rows of
/// the audit trail.
///
/// A run that one transaction completes leaves one row. A longer one leaves a row in its first transaction, so that a
/// killed run can be told from a complete one, another each hour, and one when it ends. What a transaction adds counts
/// once it is committed.
final class IngestRun {
    /// How a run ended.
    enum Ending: String {
        case done, interrupted, failed
    }

    /// Inputs or ranges after which a further row is written, so that no row is large.
    private static let listed = 1000
    /// Microseconds after which a further row is written.
    private static let rowInterval: Int64 = 3_600_000_000
    /// Rows for ranges whose records are not consecutive hold so many.
    private static let recordsPerRow = 1000

    private struct State {
        /// The audit row that began the run.
        var run: Int64?
        var startedAt: Int64 = 0
        var lastRowAt: Int64 = 0
        var outcomes = OutcomeCounts()
        /// Since the last audit row: what was added, and which inputs ended.
        var positions: [ClosedRange<Int64>] = []
        var copies: [ClosedRange<Int64>] = []
        var inputs: [JSONValue] = []
        /// The last range of each kind, which a further transaction may make longer.
        var open: [DeliveryRange.Kind: DeliveryRange] = [:]
        /// Ranges to be written in this transaction.
        var ranges: [DeliveryRange] = []
        /// The earliest and latest time of the events that came.
        var times: ClosedRange<Int64>?
        var isComplete = false
        var hasEnded = false
    }

    private let store: StoreWriter
    private let rows: DeliveryRangeRows
    private let origin: String
    private let actor: String
    private let names: [String]
    private let map: String?
    private let completeness: IngestCompleteness?
    /// As the last transaction left it.
    private var committed = State()
    private var state = State()
    /// What the run stated about the completeness of its origin.
    private(set) var coverage: StoredCoverage?

    init(
        _ store: StoreWriter,
        origin: String,
        inputs: [String],
        _ options: IngestOptions
    ) {
        self.store = store
        self.origin = origin
        actor = options.actor
        names = inputs
        map = options.mapping?.text
        completeness = options.completeness
        rows = DeliveryRangeRows(in: store.connection)
    }

    // MARK: A transaction

    /// A transaction begins.
    func begin() { state = committed }

    /// The transaction is committed.
    func commit() { committed = state }

    /// Takes note of what became of a batch, or of a part of it, as soon as it is recorded.
    func add(_ result: BatchWriter.BatchResult, of prepared: PreparedBatch) {
        let input = prepared.path ?? ""
        state.outcomes += result.outcomes
        let events = prepared.batch.events
        if let appended = result.positions {
            Self.join(appended, to: &state.positions)
            var records: [Int64] = []
            records.reserveCapacity(appended.count)
            for (index, position) in result.positionOfEvent.enumerated()
            where events[index].duplicateOf < 0 && appended.contains(position) {
                records.append(events[index].place.record)
            }
            add(.event, first: appended.lowerBound, records, input)
        }
        if !result.copied.isEmpty {
            let last = store.size(of: .copies)
            let first = last - Int64(result.copied.count) + 1
            Self.join(first...last, to: &state.copies)
            add(.copy, first: first, result.copied.map { events[Int($0)].place.record }, input)
        }
        // A batch that goes on in another transaction was counted before.
        guard result.rest == nil else { return }
        if completeness != nil { addTimes(of: prepared.batch) }
        if let part = prepared.part, let end = part.end {
            state.inputs.append(Self.description(of: input, part.bytes, end))
            state.isComplete = end.isLast
        }
    }

    /// Writes the ranges, and the row that is due, in the transaction that is open.
    ///
    /// - parameter ending: how the run ended, where it did not come to the end of its inputs.
    func conclude(_ ending: Ending? = nil) throws {
        let now = store.clock()
        let isFirst = state.run == nil
        let run = state.run ?? store.size(of: .audit) + 1
        state.run = run
        for range in state.ranges { try rows.set(range, of: run) }
        state.ranges = []
        if let ending = ending ?? (state.isComplete ? .done : nil) {
            try addRow(.finished(ending), of: run, isFirst: isFirst, at: now)
            state.hasEnded = true
            if ending == .done { try stateCompleteness(run) }
        } else if isFirst {
            state.startedAt = now
            try addRow(.started, of: run, isFirst: true, at: now)
        } else if isRowDue(at: now) {
            try addRow(.continued, of: run, isFirst: false, at: now)
        }
    }

    /// Whether the run has anything to say when it ends before its inputs do.
    var isUnfinished: Bool { committed.run != nil && !committed.hasEnded }

    // MARK: Rows

    private enum Act {
        case started, continued
        case finished(Ending)
    }

    private func isRowDue(at now: Int64) -> Bool {
        now.subtractingReportingOverflow(state.lastRowAt).partialValue >= Self.rowInterval
            || max(state.positions.count, state.copies.count, state.inputs.count) >= Self.listed
    }

    private func addRow(_ act: Act, of run: Int64, isFirst: Bool, at now: Int64) throws {
        var members: [(name: String, value: JSONValue)] = [("origin", .make(origin))]
        if let map {
            members.append(("map", .make(map)))
            members.append(("map_sha256", .make(SHA256Digest(hashing: Array(map.utf8)).hex)))
        }
        if !isFirst {
            members.append((IngestDetail.run, .make(run)))
            members.append(("started_at", .make(RFC3339.string(microseconds: state.startedAt))))
        }
        switch act {
        case .started:
            members.append(("act", .make("started")))
            let named = names.prefix(Self.listed)
            members.append(("inputs", .make(named.map { .make([("name", .make($0))]) })))
            if names.count > named.count {
                members.append(("inputs_left_off", .make(names.count - named.count)))
            }
        case .continued:
            members.append(("act", .make("continued")))
            addProgress(to: &members)
        case .finished(let ending):
            members.append(("act", .make("finished")))
            members.append(("state", .make(ending.rawValue)))
            let (count, digest) = try rows.digest(of: run)
            members.append(("ranges", .make(count)))
            members.append((IngestDetail.rangesDigest, .make(digest.hex)))
            addProgress(to: &members)
        }
        try store.addAct(.ingest, members, actor: actor)
        state.lastRowAt = now
    }

    /// Adds all outcomes, and what was added and which inputs ended since the last row.
    private func addProgress(to members: inout [(name: String, value: JSONValue)]) {
        let outcomes = IngestOutcome.allCases.map {
            ($0.rawValue, JSONValue.make(state.outcomes[$0]))
        }
        func list(_ ranges: [ClosedRange<Int64>]) -> JSONValue {
            .make(ranges.map { .make([.make($0.lowerBound), .make($0.upperBound)]) })
        }
        members += [
            ("outcomes", .make(outcomes)), ("inputs", .make(state.inputs)),
            ("positions", list(state.positions)), ("copies", list(state.copies)),
        ]
        (state.positions, state.copies, state.inputs) = ([], [], [])
    }

    private static func description(
        of name: String,
        _ bytes: Int64,
        _ end: IngestReader.InputEnd
    ) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("name", .make(name)), ("bytes", .make(bytes)), ("records", .make(end.records)),
            ("sha256", .make(end.digest.hex)),
        ]
        if let format = end.format { members.append(("format", .make(format))) }
        return .make(members)
    }

    // MARK: Ranges

    private static func join(_ range: ClosedRange<Int64>, to ranges: inout [ClosedRange<Int64>]) {
        if let last = ranges.last, last.upperBound + 1 == range.lowerBound {
            ranges[ranges.count - 1] = last.lowerBound...range.upperBound
        } else {
            ranges.append(range)
        }
    }

    /// - parameter records: for consecutive positions or copies from `first` on, the record of each.
    private func add(
        _ kind: DeliveryRange.Kind,
        first: Int64,
        _ records: [Int64],
        _ input: String
    ) {
        var breaks = 0
        for index in records.indices.dropFirst() where records[index] != records[index - 1] + 1 {
            breaks += 1
        }
        // Few ranges are easier to read than a list of numbers, and a list is smaller than many ranges.
        let isListed = breaks > 8 + records.count / 64
        var start = 0
        while start < records.count {
            var end = start + 1
            if isListed {
                end = min(records.count, start + Self.recordsPerRow)
            } else {
                while end < records.count, records[end] == records[end - 1] + 1 { end += 1 }
            }
            add(
                DeliveryRange(
                    kind,
                    first: first + Int64(start),
                    count: Int64(end - start),
                    input: input,
                    record: records[start],
                    records: isListed ? Array(records[start..<end]) : nil
                )
            )
            start = end
        }
    }

    private func add(_ range: DeliveryRange) {
        var range = range
        if var open = state.open[range.kind], open.extend(by: range) { range = open }
        state.open[range.kind] = range
        if let last = state.ranges.lastIndex(where: { $0.kind == range.kind }),
            state.ranges[last].first == range.first
        {
            state.ranges[last] = range
        } else {
            state.ranges.append(range)
        }
    }

    // MARK: Completeness

    private func addTimes(of batch: EventBatch) {
        batch.arena.withUnsafeBytes { arena in
            for event in batch.events where event.time.isPresent {
                guard let time = RFC3339.microseconds(arena.slice(event.time)) else { continue }
                let known = state.times ?? time...time
                state.times = min(known.lowerBound, time)...max(known.upperBound, time)
            }
        }
    }

    private func stateCompleteness(_ run: Int64) throws {
        guard let completeness, let span = completeness.span(of: state.times) else { return }
        coverage = try store.addCoverage(
            of: origin,
            span,
            category: completeness.category,
            source: completeness.source,
            actor: actor,
            run: run
        )
    }
}
