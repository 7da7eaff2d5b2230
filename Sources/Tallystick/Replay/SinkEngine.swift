import TallystickCore
import TallystickSQLite

/// Hands the log to a sink outside of SQLite, batch by batch. The checkpoint is kept in the store, and moves
/// once the sink has taken a batch: one that is killed in between gets the batch again.
final class SinkEngine {
    private let setting: ReplayContext
    private let reader: SinkReader
    private let storage: ReplayStorage
    private let sink: any ReplaySink
    private var checkpoint: Checkpoint
    private var outcome: ReplayOutcome
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

    private func loop() throws -> ReplayOutcome.Status {
        while !setting.stop.isSet {
            let version = try storage.source.storeVersion()
            if let closure = try breaker.closure(in: storage.target),
                try reader.hasMore(after: checkpoint)
            {
                outcome.reason = closure.reason(forReplay: setting.definition.name)
                outcome.nextAttemptAt = closure.until.map { Timestamp(microseconds: $0) }
                guard setting.follows else { return .halted }
                try wait(since: version, .halted) {
                    try breaker.closure(in: storage.target) == nil
                }
                outcome.nextAttemptAt = nil
                continue
            }
            var next = checkpoint
            let batch = try reader.read(&next)
            outcome.head = Position(batch.window.head)
            guard next != checkpoint else {
                outcome.reason = batch.window.held.map { ReplayEngine.holds($0) }
                let status: ReplayOutcome.Status = outcome.reason == nil ? .complete : .halted
                guard setting.follows else { return status }
                try wait(since: version, ReplayState(status))
                continue
            }
            outcome.reason = nil
            do {
                if !batch.items.isEmpty { try sink.take(batch.items) }
            } catch {
                guard !setting.stop.isSet else { return .paused }
                let first = batch.items.first?.position.rawValue ?? next.position
                outcome.reason =
                    "the batch from position \(first) to \(next.position) was not taken: \(error)"
                breaker.note(failed: true)
                return .halted
            }
            try commit(next, batch)
        }
        return .paused
    }

    private func commit(_ next: Checkpoint, _ batch: SinkReader.Batch) throws {
        let before = checkpoint
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

    /// Says that the replay waits, and does so.
    private func wait(
        since version: Int64,
        _ state: ReplayState,
        orUntil isOver: () throws -> Bool = { false }
    ) throws {
        if told != state { try tell(state) }
        told = state
        try storage.wait(since: version, orUntil: isOver)
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
