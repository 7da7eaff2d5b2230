import TallystickCore
import TallystickSQLite

/// What people see of a replay.
extension ReplayEngine {
    func note(_ state: ReplayState, error: String? = nil) throws {
        try storage.note(try status(state, error)) { try breaker.count(in: $0) }
    }

    func noteInPassing() throws {
        let calls = breaker
        do {
            try note(.running)
        } catch let error as SQLiteError where error.isBusy && !storage.isInStore {
            // Only a hint: the checkpoint is in the projection's file, and the next note comes in a second.
            breaker = calls
        }
    }

    /// Says in the store why the replay stopped. Who owns it now says that for itself.
    func noteFailure(_ error: any Error) throws {
        let failure = StoreError(error, during: "replay")
        guard failure.code != .busy, !setting.isScratch, hasBegun else { return }
        let state: ReplayState = failure.code == .interrupted ? .paused : .halted
        try storage.transaction {
            try note(state, error: state == .paused ? nil : failure.description)
        }
    }

    private func status(_ state: ReplayState, _ error: String?) throws -> ReplayStatusRows.Row {
        let seconds = Double(SystemClock.monotonicMicroseconds() - started) / 1e6
        return ReplayStatusRows.Row(
            definition: setting.definition,
            target: setting.place,
            state: state,
            checkpoint: checkpoint,
            parked: try storage.rows.parkedCount(name),
            eventsPerSecond: outcome.consumed > 0 && seconds > 0
                ? Double(outcome.consumed) / seconds : nil,
            lastError: error,
            outOfOrderSince: outOfOrderSince,
            isRebuilt: outcome.rebuilt
        )
    }

    func finish(_ status: ReplayOutcome.Status) throws -> ReplayOutcome {
        try storage.transaction { try note(ReplayState(status), error: outcome.reason) }
        outcome.status = status
        outcome.head = Position(try storage.source.head())
        outcome.parked = try storage.rows.parkedCount(name)
        outcome.take(checkpoint)
        return outcome
    }
}

extension ReplayState {
    init(_ status: ReplayOutcome.Status) {
        switch status {
        case .complete: self = .complete
        case .halted: self = .halted
        case .paused: self = .paused
        }
    }
}
