import TallystickCore
import TallystickSQLite

/// Writes batches of one run, each in one transaction or a few: decides what each input is, and records it.
final class BatchWriter {
    private let store: StoreWriter
    private let origin: String
    private let actor: String
    private var configuration: IngestConfiguration
    private let inserter: NewEventWriter
    /// Whether the last batch had no event that the store knew, so that the next one is tried as new.
    private var expectsNew = true
    /// How long the last transaction took in which all events were new; nil before there was one.
    private var microsecondsPerRecord: Double?
    private var copies: CopyRecorder
    private let quarantine: QuarantineWriter
    private let breakers: BreakerBook
    /// The run that the batches belong to; nil for an append and a release from quarantine.
    private let run: IngestRun?

    init(
        _ store: StoreWriter,
        origin: String,
        actor: String,
        configuration: IngestConfiguration,
        helper: HelperThread,
        run: IngestRun? = nil
    ) throws {
        self.store = store
        self.run = run
        self.origin = origin
        self.actor = actor
        self.configuration = configuration
        inserter = try NewEventWriter(store, origin: origin, configuration, helper)
        copies = try CopyRecorder(store, configuration, helper)
        quarantine = QuarantineWriter(store, origin: origin, actor: actor)
        breakers = try BreakerBook(store)
    }

    /// Records the batch that comes next, and further ones in the same transaction as long as all of it is expected to
    /// take no longer than a transaction may: pages of the index that several batches change are written once. A batch
    /// with many conflicts or rejected inputs goes on in further transactions. Each leaves the store whole.
    ///
    /// - parameter next: takes the batch that comes next, where it is there already and is wanted.
    /// - returns: what each of them became, in their order.
    func write(
        during operation: String,
        next: (_ isWanted: (PreparedBatch) -> Bool) -> PreparedBatch?
    ) throws(StoreError) -> [BatchResult] {
        var batch = next { _ in true }
        if let first = batch {
            accept(first)
            if first.batch.count == 0 { return [try writeEnd(of: first, during: operation)] }
        }
        var results: [BatchResult] = []
        if expectsNew { results = try writeAsNew(&batch, during: operation, next) }
        if let known = batch {
            var result = try transaction(operation) {
                let result = try record(known, .any, isTimed: true)
                try inserter.insertRevisions()
                if result.rest == nil { try countCall(result.outcomes) }
                run?.add(result, of: known)
                return result
            }
            result.microseconds = store.transactionMicroseconds
            try writeRest(of: known, during: operation, &result)
            let outcomes = result.outcomes
            expectsNew = outcomes.duplicate + outcomes.confirmed + outcomes.conflicting == 0
            results.append(result)
        }
        return results
    }

    /// A transaction of the run, and what the run says of it.
    private func transaction<Result>(
        _ operation: String,
        _ body: () throws -> Result
    ) throws(StoreError) -> Result {
        let result = try store.transaction(operation) {
            run?.begin()
            let result = try body()
            try run?.conclude()
            return result
        }
        run?.commit()
        return result
    }

    /// An input ends without a further record.
    private func writeEnd(
        of prepared: PreparedBatch,
        during operation: String
    ) throws(StoreError) -> BatchResult {
        let result = BatchResult()
        if prepared.part?.end != nil {
            try transaction(operation) { run?.add(result, of: prepared) }
        }
        return result
    }

    /// What the run stated about the completeness of its origin.
    var coverage: OriginCoverage? { run?.coverage.map(OriginCoverage.init) }

    /// The run ends before its inputs do.
    func end(_ ending: IngestRun.Ending, during operation: String) throws(StoreError) {
        // Another writer was waited for once already.
        guard let run, run.isUnfinished, !store.isOutwaited else { return }
        try store.transaction(operation) {
            run.begin()
            try run.conclude(ending)
        }
        run.commit()
    }

    /// Batches that share a transaction.
    private struct Group {
        var results: [BatchResult] = []
        var records = 0
        /// Whose names and which settings they go by.
        var generation = 0
        var version: Int64 = 0
        /// The last of them, where it goes on in further transactions.
        var unfinished: PreparedBatch?

        mutating func add(_ batch: PreparedBatch, _ result: BatchResult) {
            results.append(result)
            records += batch.batch.count
            generation = batch.batch.generation
            version = batch.configuration.version
            if result.rest != nil { unfinished = batch }
        }
    }

    /// Records a batch, and others that follow it, as far as all their events are new.
    ///
    /// No batch is kept longer than it is needed: each takes much memory.
    ///
    /// - parameter batch: left nil, or one that has an event that the store knows, and was not recorded.
    private func writeAsNew(
        _ batch: inout PreparedBatch?,
        during operation: String,
        _ next: (_ isWanted: (PreparedBatch) -> Bool) -> PreparedBatch?
    ) throws(StoreError) -> [BatchResult] {
        let written = try store.attempt(operation) { () -> Group? in
            var group = Group()
            run?.begin()
            while let prepared = batch.take() ?? next({ self.fits($0, group) }) {
                let isFirst = group.results.isEmpty
                // `write` has accepted the first.
                if !isFirst { accept(prepared) }
                do {
                    let result = try record(prepared, isFirst ? .asNew : .onlyNew, isTimed: true)
                    group.add(prepared, result)
                    run?.add(result, of: prepared)
                } catch is NewEventWriter.NotAllNew {
                    batch = prepared
                    break
                }
            }
            if group.results.isEmpty { return nil }
            try inserter.insertRevisions()
            for result in group.results where result.rest == nil { try countCall(result.outcomes) }
            try run?.conclude()
            return group
        }
        guard var group = written else { return [] }
        run?.commit()
        let share = Double(store.transactionMicroseconds) / Double(max(1, group.records))
        microsecondsPerRecord = share
        for index in group.results.indices {
            let total = Double(group.results[index].outcomes.total)
            group.results[index].microseconds = Int64(share * total)
        }
        if let unfinished = group.unfinished {
            let last = group.results.count - 1
            try writeRest(of: unfinished, during: operation, &group.results[last])
        }
        return group.results
    }

    /// Whether a batch may be added to a transaction.
    private func fits(_ next: PreparedBatch, _ group: Group) -> Bool {
        // The names of an earlier generation are forgotten with the first batch of a new one.
        guard !group.results.isEmpty, group.unfinished == nil,
            next.batch.generation == group.generation,
            next.configuration.version == group.version,
            let microsecondsPerRecord
        else { return false }
        let expected = microsecondsPerRecord * Double(group.records + next.batch.count)
        return expected < Double(WriterLimits.groupMicroseconds)
    }

    /// Records what a transaction left of a batch.
    private func writeRest(
        of prepared: PreparedBatch,
        during operation: String,
        _ result: inout BatchResult
    ) throws(StoreError) {
        while let rest = result.rest {
            result.add(
                try transaction(operation) {
                    let part = try recordRest(rest, prepared, result.positionOfEvent)
                    if part.rest == nil { try countCall(result.outcomes + part.outcomes) }
                    run?.add(part, of: prepared)
                    return part
                }
            )
        }
    }

    /// Counts a whole batch as a call of the origin's breaker: failed where too many of its inputs were not events,
    /// or disagreed with what the store has. An open breaker never keeps anything out.
    private func countCall(_ outcomes: OutcomeCounts) throws {
        let mismatches = Double(outcomes.conflicting + outcomes.quarantined)
        let limit = configuration.mismatchLimit(of: origin) * Double(outcomes.total)
        try breakers.record(.origin, origin, failed: mismatches > limit, actor: actor)
    }

    private func accept(_ prepared: PreparedBatch) {
        if prepared.configuration.version != configuration.version {
            configuration = prepared.configuration
            copies.configuration = configuration
            inserter.use(configuration)
        }
        inserter.acceptNames(of: prepared.batch)
    }

    /// Takes over the names of a batch that is not recorded: every batch of the decoder has to come by, in order.
    func acceptNames(of batch: EventBatch) { inserter.acceptNames(of: batch) }

    /// Records a batch whose events are all new, in the transaction that is open.
    func recordNew(_ prepared: PreparedBatch) throws -> [AppendedEvent] {
        accept(prepared)
        let before = store.size(of: .events)
        var revisions: [Int64] = []
        _ = try record(prepared, .asNew, isTimed: false) { revisions = $0 }
        try inserter.insertRevisions()
        return revisions.enumerated().map { order, revision in
            AppendedEvent(
                position: Position(before + Int64(order) + 1),
                revision: Revision(revision)
            )
        }
    }

    /// Records a batch in the transaction that is open, whatever the store has.
    func recordInTransaction(_ prepared: PreparedBatch) throws -> BatchResult {
        accept(prepared)
        let result = try record(prepared, .any, isTimed: false)
        try inserter.insertRevisions()
        return result
    }

    // MARK: One transaction

    /// What is known of a batch's events before it is recorded.
    private enum Approach {
        /// All are taken for new, and `NotAllNew` is thrown, after something was written, where one is not.
        case asNew
        /// All are looked up, and `NotAllNew` is thrown, before anything is written, where one is known.
        case onlyNew
        /// All are looked up.
        case any
    }

    /// - parameter isTimed: whether a part may be left for a further transaction.
    private func record(
        _ prepared: PreparedBatch,
        _ approach: Approach,
        isTimed: Bool,
        onRevisions: ([Int64]) -> Void = { _ in }
    ) throws -> BatchResult {
        let deadline = isTimed ? deadline() : nil
        try inserter.revalidate()
        let batch = prepared.batch
        return try batch.arena.withUnsafeBytes { arena in
            let now = store.clock()
            var result = BatchResult()
            result.positionOfEvent = [Int64](repeating: 0, count: batch.events.count)
            var isNew = [Bool](repeating: true, count: batch.events.count)
            if approach != .asNew {
                try inserter.lookUp(prepared, arena, &result.positionOfEvent, &isNew)
                if approach == .onlyNew, isNew.contains(false) { throw NewEventWriter.NotAllNew() }
            }
            let new = assignPositions(batch, isNew, &result)
            if !new.isEmpty {
                onRevisions(
                    try inserter.insert(
                        new,
                        prepared,
                        arena,
                        at: now,
                        positions: result.positionOfEvent,
                        lookedUp: approach != .asNew
                    )
                )
                result.outcomes.appended = new.count
            }
            var others: [Int32] = []
            if new.count < batch.events.count {
                let known = batch.events.indices.filter {
                    !isNew[$0] || batch.events[$0].duplicateOf >= 0
                }
                others = try copies.recordAgreeing(
                    known.map(Int32.init),
                    try delivered(batch, result.positionOfEvent, now),
                    arena,
                    &result
                )
            }
            let rest = Rest(events: others[...], rejected: batch.rejected.indices)
            try recordOneByOne(rest, prepared, arena, now, deadline, &result)
            return result
        }
    }

    /// Records what an earlier transaction left of a batch.
    private func recordRest(
        _ rest: Rest,
        _ prepared: PreparedBatch,
        _ positions: [Int64]
    ) throws -> BatchResult {
        let deadline = deadline()
        try inserter.revalidate()
        return try prepared.batch.arena.withUnsafeBytes { arena in
            var result = BatchResult()
            result.positionOfEvent = positions
            let now = store.clock()
            try recordOneByOne(rest, prepared, arena, now, deadline, &result)
            return result
        }
    }

    private func recordOneByOne(
        _ rest: Rest,
        _ prepared: PreparedBatch,
        _ arena: UnsafeRawBufferPointer,
        _ now: Int64,
        _ deadline: Int64?,
        _ result: inout BatchResult
    ) throws {
        let batch = prepared.batch
        var rest = rest
        func shouldContinue() -> Bool {
            deadline.map { SystemClock.monotonicMicroseconds() < $0 } ?? true
        }
        // One of them at least, so that every transaction brings the batch forward.
        var isFirst = true
        if !rest.events.isEmpty {
            let delivered = try delivered(batch, result.positionOfEvent, now)
            while let index = rest.events.first, isFirst || shouldContinue() {
                let outcome = try copies.recordOne(index, delivered, arena)
                result.outcomes[outcome.outcome] += 1
                if outcome.outcome != .duplicate { result.copied.append(index) }
                if outcome.opensConflict { result.conflictsOpened += 1 }
                rest.events.removeFirst()
                isFirst = false
            }
        }
        while rest.events.isEmpty, let index = rest.rejected.first, isFirst || shouldContinue() {
            let input = try quarantine.record(
                batch.rejected[index],
                arena,
                of: prepared.path,
                at: now,
                severity: configuration.severity(of:)
            )
            result.outcomes.quarantined += 1
            if result.quarantine.count < IngestLimits.reportedQuarantine {
                result.quarantine.append(input)
            }
            rest.rejected.removeFirst()
            isFirst = false
        }
        result.rest = rest.events.isEmpty && rest.rejected.isEmpty ? nil : rest
        try count(result)
    }

    private func deadline() -> Int64 {
        SystemClock.monotonicMicroseconds() + store.limits.transactionMicroseconds
    }

    private func delivered(
        _ batch: EventBatch,
        _ positions: [Int64],
        _ now: Int64
    ) throws -> CopyRecorder.Delivered {
        CopyRecorder.Delivered(
            batch: batch,
            positions: positions,
            typeIDs: try inserter.typeIDs(),
            origin: origin,
            originID: try inserter.originID(),
            recordedAt: now,
            actor: actor
        )
    }

    /// Gives new events positions in order of arrival; returns their indices.
    private func assignPositions(
        _ batch: EventBatch,
        _ isNew: [Bool],
        _ result: inout BatchResult
    ) -> [Int32] {
        var new: [Int32] = []
        new.reserveCapacity(batch.events.count)
        var position = store.size(of: .events)
        for index in batch.events.indices {
            let original = batch.events[index].duplicateOf
            if original >= 0 {
                result.positionOfEvent[index] = result.positionOfEvent[Int(original)]
            } else if isNew[index] {
                position += 1
                result.positionOfEvent[index] = position
                new.append(Int32(index))
            }
        }
        if let first = new.first {
            result.positions = result.positionOfEvent[Int(first)]...position
        }
        return new
    }

    // MARK: Counters

    private func count(_ result: BatchResult) throws {
        // Appended events of a single append have rows that say it all.
        guard result.outcomes.total > result.outcomes.appended else { return }
        for outcome in IngestOutcome.allCases where outcome != .appended {
            try store.counters.add(result.outcomes[outcome], to: outcome.rawValue, origin: origin)
        }
    }
}
