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
        var startedAt: Int64?
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
    private(set) var coverage: ClosedRange<Timestamp>?

    init(
        _ store: StoreWriter,
        origin: String,
        inputs: [String],
        _ options: IngestOptions
    ) throws {
        self.store = store
        self.origin = origin
        actor = options.actor
        names = inputs
        map = options.mapping?.text
        completeness = options.completeness
        rows = try DeliveryRangeRows(in: store.connection)
    }

    // MARK: A transaction

    /// A transaction begins.
    func begin() { state = committed }

    /// The transaction is committed.
    func commit() { committed = state }

    /// Whether the last record of the last input has come.
    var isComplete: Bool { state.isComplete }

    /// Takes note of what became of a batch, or of a part of it.
    func add(
        _ result: BatchWriter.BatchResult,
        of prepared: PreparedBatch
    ) {
        guard let part = prepared.part else { return }
        let input = names.indices.contains(part.input) ? names[part.input] : ""
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
        if let first = result.copies.first {
            let last = first.copyID + Int64(result.copies.count) - 1
            Self.join(first.copyID...last, to: &state.copies)
            let records = result.copies.map { events[Int($0.event)].place.record }
            add(.copy, first: first.copyID, records, input)
        }
        // A batch that goes on in another transaction was counted before.
        guard result.rest == nil else { return }
        if completeness != nil { addTimes(of: prepared.batch) }
        if let end = part.end {
            state.inputs.append(Self.description(of: input, part.bytes, end))
            state.isComplete = end.isLast
        }
    }

    /// Writes the ranges, and the rows that are due, in the transaction that is open.
    ///
    /// - parameter ending: how the run ended, where it did not come to the end of its inputs.
    func conclude(_ ending: Ending? = nil) throws {
        let now = store.clock()
        let isFirst = state.run == nil
        let startedAt = state.startedAt ?? now
        let run = state.run ?? store.size(of: .audit) + 1
        let ending = ending ?? (state.isComplete ? .done : nil)
        (state.run, state.startedAt) = (run, startedAt)
        for range in state.ranges { try rows.set(range, of: run) }
        state.ranges = []
        var members = [(name: "origin", value: JSONValue(.string(origin)))]
        if let map {
            members.append(("map", JSONValue(.string(map))))
            let digest = SHA256Digest(hashing: Array(map.utf8)).hex
            members.append(("map_sha256", JSONValue(.string(digest))))
        }
        if let ending {
            try addRow(.finished(ending), members, run, isFirst: isFirst, startedAt, now)
            state.hasEnded = true
            if ending == .done { try stateCompleteness(run) }
        } else if isFirst {
            let named = names.prefix(Self.listed).map { name in
                JSONValue(.object([("name", JSONValue(.string(name)))]))
            }
            members.append(("act", JSONValue(.string("started"))))
            members.append(("inputs", JSONValue(.array(Array(named)))))
            if names.count > named.count {
                members.append(("inputs_left_off", Self.number(names.count - named.count)))
            }
            try store.addAct(.ingest, members, actor: actor)
            state.lastRowAt = now
        } else if isRowDue(at: now) {
            try addRow(.continued, members, run, isFirst: false, startedAt, now)
        }
    }

    /// Whether the run has anything to say when it ends before its inputs do.
    var isUnfinished: Bool { committed.run != nil && !committed.hasEnded }

    // MARK: Rows

    private enum Act {
        case continued
        case finished(Ending)
    }

    private func isRowDue(at now: Int64) -> Bool {
        now.subtractingReportingOverflow(state.lastRowAt).partialValue >= Self.rowInterval
            || max(state.positions.count, state.copies.count, state.inputs.count) >= Self.listed
    }

    private func addRow(
        _ act: Act,
        _ common: [(name: String, value: JSONValue)],
        _ run: Int64,
        isFirst: Bool,
        _ startedAt: Int64,
        _ now: Int64
    ) throws {
        var members = common
        switch act {
        case .continued: members.append(("act", JSONValue(.string("continued"))))
        case .finished(let ending):
            members.append(("act", JSONValue(.string("finished"))))
            members.append(("state", JSONValue(.string(ending.rawValue))))
            let (count, digest) = try rows.digest(of: run)
            members.append(("ranges", Self.number(Int(count))))
            members.append((IngestDetail.rangesDigest, JSONValue(.string(digest.hex))))
        }
        if !isFirst {
            members.append((IngestDetail.run, JSONValue(.number(String(run)))))
            let started = RFC3339.string(microseconds: startedAt)
            members.append(("started_at", JSONValue(.string(started))))
        }
        let outcomes = IngestOutcome.allCases.map { outcome in
            (name: outcome.rawValue, value: Self.number(state.outcomes[outcome]))
        }
        members.append(("outcomes", JSONValue(.object(outcomes))))
        members.append(("inputs", JSONValue(.array(state.inputs))))
        members.append(("positions", Self.list(state.positions)))
        members.append(("copies", Self.list(state.copies)))
        try store.addAct(.ingest, members, actor: actor)
        state.lastRowAt = now
        (state.positions, state.copies, state.inputs) = ([], [], [])
    }

    private static func number(_ number: Int) -> JSONValue { JSONValue(.number(String(number))) }

    private static func list(_ ranges: [ClosedRange<Int64>]) -> JSONValue {
        JSONValue(
            .array(
                ranges.map { range in
                    JSONValue(
                        .array([
                            JSONValue(.number(String(range.lowerBound))),
                            JSONValue(.number(String(range.upperBound))),
                        ])
                    )
                }
            )
        )
    }

    private static func description(
        of name: String,
        _ bytes: Int64,
        _ end: IngestReader.InputEnd
    ) -> JSONValue {
        var members: [(name: String, value: JSONValue)] = [
            ("name", JSONValue(.string(name))), ("bytes", JSONValue(.number(String(bytes)))),
            ("records", JSONValue(.number(String(end.records)))),
            ("sha256", JSONValue(.string(end.digest.hex))),
        ]
        if let format = end.format { members.append(("format", JSONValue(.string(format)))) }
        return JSONValue(.object(members))
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
        try store.addCoverage(
            of: origin,
            span,
            category: completeness.category,
            source: completeness.source,
            actor: actor,
            run: run
        )
        coverage =
            Timestamp(microseconds: span.lowerBound)...Timestamp(microseconds: span.upperBound)
    }
}
