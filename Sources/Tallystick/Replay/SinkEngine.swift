import TallystickCore
import TallystickSQLite

/// Hands the log to a sink outside of SQLite, batch by batch. The checkpoint is kept in the store, and moves
/// once the sink has taken a batch: one that is killed in between gets the batch again.
final class SinkEngine: SteppingReplay {
    let setting: ReplayContext
    private let reader: SinkReader
    private let storage: ReplayStorage
    private let sink: any ReplaySink
    private var checkpoint: Checkpoint
    var outcome: ReplayOutcome
    private var hasBegun = false
    private var told: ReplayState?
    private var breaker: ReplayBreaker
    private let started = SystemClock.monotonicMicroseconds()

    init(_ setting: ReplayContext, _ sink: any ReplaySink) throws {
        self.setting = setting
        self.sink = sink
        reader = try SinkReader(setting)
        storage = try ReplayStorage(setting)
        checkpoint = Checkpoint(setting.definition, storeID: setting.storeID)
        outcome = ReplayOutcome(replay: setting.definition.name)
        breaker = ReplayBreaker(setting)
    }

    func run() throws -> ReplayOutcome {
        do {
            try begin()
            let status = try loop()
            try tell(ReplayState(status))
            outcome.status = status
            outcome.head = Position(try reader.source.head())
            outcome.take(checkpoint)
            return outcome
        } catch {
            // Where this fails too, the first failure is the one to tell.
            if hasBegun, StoreError(error, during: "replay").code != .busy {
                outcome.reason = "\(error)"
                try? tell(.halted)
            }
            throw error
        }
    }

    private func begin() throws {
        try storage.transaction {
            let name = setting.definition.name
            if let found = try storage.checkpoints.read(name) {
                if try fits(found) {
                    checkpoint = found
                } else {
                    try storage.move(from: found, to: checkpoint)
                    outcome.rebuilt = true
                }
            } else {
                try storage.refuseOtherPlace()
                try storage.checkpoints.add(checkpoint, name, at: setting.storeOptions.clock())
            }
            try note(.running)
        }
        hasBegun = true
        // The reader's tree of what was consumed.
        try reader.source.inTransaction {
            try reader.source.resume(from: checkpoint, setting.storeID)
        }
    }

    private func fits(_ found: Checkpoint) throws -> Bool {
        guard found.definition == setting.definition.digest.hex else {
            throw StoreError(
                .projectionChanged,
                during: "resume the replay",
                on: "replay \(setting.definition.name)",
                "it is one into a projection",
                hint: "Choose another name, or drop it first"
            )
        }
        do {
            try storage.source.resume(from: found, setting.storeID)
            return true
        } catch let error as StoreError
            where error.code == .historyDiffers && setting.options.rebuild
        {
            return false
        }
    }

    func storeVersion() throws -> Int64 { try storage.source.storeVersion() }

    func closure() throws -> BreakerClosure? { try breaker.closure(in: storage.target) }

    func step() throws -> ReplayStep {
        if let closure = try closure(), try reader.hasMore(after: checkpoint) {
            return .refused(closure)
        }
        let batch = try reader.read(after: checkpoint)
        outcome.head = Position(batch.window.head)
        guard batch.end != checkpoint else { return batch.window.held.map { .held($0) } ?? .atEnd }
        outcome.reason = nil
        do {
            if !batch.items.isEmpty { try sink.take(batch.items) }
        } catch {
            guard !setting.stop.isSet else { return .stopped }
            breaker.note(failed: true)
            let (first, last) = (batch.items.first?.position.rawValue, batch.end.position)
            return .failed(
                "the batch from position \(first ?? last) to \(last) was not taken: \(error)"
            )
        }
        try commit(batch)
        return .moved
    }

    private func commit(_ batch: SinkReader.Batch) throws {
        let (before, next) = (checkpoint, batch.end)
        try storage.transaction {
            try storage.move(from: before, to: next)
            checkpoint = next
            breaker.note(failed: false)
            try breaker.count(in: storage.target)
            if storage.isNoteDue { try note(.running) }
        }
        told = nil
        outcome.consumed += Int64(batch.events)
        outcome.applied += Int64(batch.items.count)
        try storage.limitLog()
        setting.options.onProgress?(
            ProgressUpdate(done: next.position, total: batch.window.head)
        )
    }

    func wait(
        since version: Int64,
        _ status: ReplayOutcome.Status,
        orUntil isOver: () throws -> Bool
    ) throws {
        let state = ReplayState(status)
        if told != state { try tell(state) }
        told = state
        try poll(since: version, orUntil: isOver)
        outcome.nextAttemptAt = nil
    }

    private func tell(_ state: ReplayState) throws {
        try storage.transaction { try note(state) }
    }

    private func note(_ state: ReplayState) throws {
        let seconds = Double(SystemClock.monotonicMicroseconds() - started) / 1e6
        try storage.note(
            ReplayStatusRows.Row(
                definition: setting.definition,
                target: setting.place,
                state: state,
                checkpoint: checkpoint,
                parked: 0,
                eventsPerSecond: outcome.consumed > 0 ? Double(outcome.consumed) / seconds : nil,
                lastError: outcome.reason,
                outOfOrderSince: nil,
                isRebuilt: outcome.rebuilt
            )
        ) { try breaker.count(in: $0) }
    }
}
