import TallystickCore
import TallystickSQLite

/// Runs one projection over the log: batch by batch, each batch in one transaction with the checkpoint.
final class ReplayEngine: SteppingReplay {
    let setting: ReplayContext
    let storage: ReplayStorage
    let driver: any ProjectionDriver
    let makeDriver: DriverFactory
    private let log: ReplayLog
    /// As it is stored, and as the running transaction would store it.
    var checkpoint: Checkpoint
    var committed: Checkpoint
    private var parkedStreams: Set<Int64> = []
    var outcome: ReplayOutcome
    var outOfOrderSince: Int64?
    var breaker: ReplayBreaker
    let started = SystemClock.monotonicMicroseconds()
    private(set) var hasBegun = false
    /// What the store was told while the replay waits.
    private var told: ReplayState?

    var name: String { setting.definition.name }
    private var options: ReplayOptions { setting.options }
    private var onCorrection: ProjectionFile.OnCorrection { setting.definition.onCorrection }

    init(_ setting: ReplayContext, _ makeDriver: @escaping DriverFactory) throws {
        self.setting = setting
        self.makeDriver = makeDriver
        storage = try ReplayStorage(setting)
        driver = makeDriver(storage.target, storage.authorizer)
        log = ReplayLog(
            storage.source,
            setting.definition.onCorrection,
            heldCategories: setting.heldCategories,
            until: setting.options.until?.rawValue
        )
        checkpoint = Checkpoint(setting.definition, storeID: setting.storeID)
        committed = checkpoint
        outcome = ReplayOutcome(replay: setting.definition.name)
        breaker = ReplayBreaker(setting)
    }

    // MARK: The run

    func run() throws -> ReplayOutcome {
        do {
            try storage.refuseReservedName()
            if try !begin() || options.alwaysRebuilds {
                if let closure = try closure() {
                    halt(closure)
                    return try finish(.halted)
                }
                try startAnew()
            }
            try driver.prepare()
            return try finish(try loop())
        } catch {
            // Where this fails too, the first failure is the one to tell.
            try? noteFailure(error)
            throw error
        }
    }

    func storeVersion() throws -> Int64 { try storage.source.storeVersion() }

    func closure() throws -> BreakerClosure? {
        try breaker.closure(in: storage.source.connection)
    }

    func wait(
        since version: Int64,
        _ status: ReplayOutcome.Status,
        orUntil isOver: () throws -> Bool
    ) throws {
        let state = ReplayState(status)
        // Once for each wait: for a projection in another file this note is itself a write to the store.
        if told != state { try storage.transaction { try note(state, error: outcome.reason) } }
        told = state
        try poll(since: version, orUntil: isOver)
        (outcome.reason, outcome.nextAttemptAt) = (nil, nil)
    }

    /// Reads or makes the checkpoint; false when the projection must be built anew first.
    func begin() throws -> Bool {
        if options.verifiesHistory, !hasBegun, let found = try storage.checkpoints.read(name),
            found.definition == setting.definition.digest.hex
        {
            try HistoryCheck(setting: setting, source: storage.source).check(found)
        }
        let begins = try storage.transaction {
            guard let found = try storage.checkpoints.read(name) else {
                try create()
                return true
            }
            checkpoint = found
            guard try fits(found) else { return false }
            if onCorrection == .rebuild {
                let last = try storage.source.resolutions.last()
                checkpoint.watermark = last
                try storage.move(from: found, to: checkpoint)
            }
            return true
        }
        hasBegun = true
        guard begins else { return false }
        committed = checkpoint
        parkedStreams = try storage.rows.parkedStreams(name)
        try storage.transaction { try note(.running) }
        return true
    }

    private func create() throws {
        try storage.refuseOtherPlace()
        checkpoint = Checkpoint(setting.definition, storeID: setting.storeID)
        if onCorrection == .rebuild {
            checkpoint.watermark = try storage.source.resolutions.last()
        }
        try ProjectionNames.refuseToTakeTables(for: name, in: storage.target)
        try takeOverTables()
        try storage.whileGuarded { try driver.setUp() }
        // IF NOT EXISTS takes a table that is there, whoever made it.
        try ProjectionSchema.check(name, makeDriver, in: storage.target)
        // A mistake in a statement takes the tables back.
        try driver.prepare()
        if storage.isInStore { try storage.rows.record(objectsOf: name) }
        try storage.checkpoints.add(checkpoint, name, at: setting.storeOptions.clock())
        try storage.source.resume(from: checkpoint, setting.storeID)
    }

    /// Drops tables that are recorded as the projection's, while its checkpoint is gone.
    private func takeOverTables() throws {
        guard storage.isInStore, try storage.rows.hasRecord(ofObjectsOf: name) else { return }
        guard startsAnew else {
            throw StoreError(
                .historyDiffers,
                during: "resume the replay",
                on: "projection \(name)",
                "its tables are there, and its checkpoint is not: someone removed it",
                hint: "Start again with --rebuild"
            )
        }
        try storage.rows.drop(objectsOf: name)
    }

    /// Whether what does not fit the projection is replaced.
    private var startsAnew: Bool { options.rebuild || options.alwaysRebuilds }

    /// Whether a checkpoint is one of this projection, over this history.
    private func fits(_ found: Checkpoint) throws -> Bool {
        if found.definition != setting.definition.digest.hex {
            guard setting.definition.version > found.version else {
                throw StoreError(
                    .projectionChanged,
                    during: "resume the replay",
                    on: "projection \(name)",
                    "it changed, and its version is \(setting.definition.version) where the store has \(found.version)",
                    hint: "Raise the version: the projection is then rebuilt"
                )
            }
            return false
        }
        do {
            try ProjectionSchema.check(name, makeDriver, in: storage.target)
            try storage.source.resume(from: found, setting.storeID)
        } catch let error as StoreError
            where startsAnew && [.schemaAltered, .historyDiffers].contains(error.code)
        {
            return false
        }
        guard onCorrection == .rebuild else { return true }
        return try !storage.source.resolutions.change(
            after: found.watermark,
            through: found.position
        )
    }

    // MARK: One step

    func step() throws -> ReplayStep {
        let step: ReplayStep
        do {
            step = try consumeNext()
        } catch let error as SQLiteError where error.isInterrupted && setting.stop.isSet {
            // A statement of the projection took too long to wait for; its transaction was taken back.
            return .stopped
        }
        switch step {
        case .moved: try storage.limitLog()
        case .outdated:
            try startAnew()
            try driver.prepare()
        default: break
        }
        return step
    }

    /// One transaction.
    private func consumeNext() throws -> ReplayStep {
        var poison: PlacedPoison?
        while true {
            do {
                if let poison { return try handle(poison) }
                return try transact { try consume(ReplayLog.Bounds(limit: setting.batch)) }
            } catch let found as PlacedPoison {
                poison = found
            }
        }
    }

    /// Runs `body` in a transaction, from where this process left the replay; where it fails, everything is as it was
    /// before.
    func transact<Result>(_ body: () throws -> Result) throws -> Result {
        let (calls, before) = (breaker, outcome)
        do {
            let result = try storage.transaction {
                try storage.refuseMoved(from: committed)
                return try body()
            }
            committed = checkpoint
            return result
        } catch {
            checkpoint = committed
            breaker = calls
            outcome = before
            if error is PlacedPoison {
                try storage.source.resume(from: committed, setting.storeID)
                parkedStreams = try storage.rows.parkedStreams(name)
            }
            throw error
        }
    }

    /// Applies what comes before the place that failed, then does with it what the policy says.
    private func handle(_ poison: PlacedPoison) throws -> ReplayStep {
        while true {
            let bounds = ReplayLog.Bounds(limit: setting.batch, stopBefore: poison.place)
            guard case .moved = try transact({ try consume(bounds) }) else { break }
        }
        switch options.onPoison {
        case .halt:
            // The run that fills no scratch file comes to the same place.
            if !setting.isScratch { breaker.note(failed: true) }
            return .failed("\(poison.place) cannot be applied: \(poison.reason)")
        case .skip:
            try setting.auditSkip(poison.place, poison.reason)
        case .park:
            break
        }
        return try transact { try consume(ReplayLog.Bounds(limit: 1), poison: poison) }
    }

    private func consume(_ bounds: ReplayLog.Bounds, poison: PlacedPoison? = nil) throws
        -> ReplayStep
    {
        // What comes before a place that failed, and the place itself, are parts of one call.
        let isWholeCall = poison == nil && bounds.stopBefore == nil
        let closure = isWholeCall ? try closure() : nil
        if onCorrection == .rebuild, !setting.isScratch, try takeDecisions() == false {
            return closure.map { .refused($0) } ?? .outdated
        }
        let window = try log.window(from: checkpoint)
        if let closure, try log.hasMore(after: checkpoint, window) { return .refused(closure) }
        let isCall = isWholeCall || poison != nil
        let hasFailed = poison != nil
        // What a decision has changed since is tried again.
        let poison = poison.flatMap { $0.pinned == pinned ? $0 : nil }
        let consumed = try log.consume(from: checkpoint, window, bounds) { item in
            ReplayLog.Handled(action: try take(item, poison))
        }
        outcome.head = Position(window.head)
        guard consumed.count > 0 else {
            return window.held.map { .held($0) } ?? .atEnd
        }
        checkpoint = consumed.end
        try storage.move(from: committed, to: checkpoint)
        told = nil
        outcome.consumed += Int64(consumed.events)
        if isCall { breaker.note(failed: hasFailed) }
        if storage.isInStore { try breaker.count(in: storage.target) }
        if storage.isNoteDue || breaker.isUrgent { try noteInPassing() }
        options.onProgress?(ProgressUpdate(done: checkpoint.position, total: window.head))
        return .moved
    }

    /// The decisions that are read, where those are pinned.
    private var pinned: Int64? { onCorrection == .rebuild ? checkpoint.watermark : nil }

    /// Pins the decisions made since; false when one changes history that was consumed.
    private func takeDecisions() throws -> Bool {
        let last = try storage.source.resolutions.last()
        guard last > checkpoint.watermark else { return true }
        guard
            try !storage.source.resolutions.change(
                after: checkpoint.watermark,
                through: checkpoint.position
            )
        else { return false }
        checkpoint.watermark = last
        return true
    }

    // MARK: One item

    /// - returns: what was done with it; nil for a correction that leaves the content as it is.
    private func take(_ item: LogItem, _ poison: PlacedPoison?) throws -> ReplayDigest.Action? {
        switch item {
        case .excluded: return .applied
        case .event(let event, let consumed):
            return try take(event, item.place, consumed.streamID, poison)
        case .correction(let resolution):
            guard resolution.decidesContent else { return nil }
            var action: ReplayDigest.Action?
            try storage.source.withCorrected(resolution) { event in
                action = try take(event, item.place, event.streamID, poison)
            }
            return action
        }
    }

    private func take(
        _ event: ReplayedEvent,
        _ place: LogPlace,
        _ streamID: Int64,
        _ poison: PlacedPoison?
    ) throws -> ReplayDigest.Action {
        if let poison, poison.place == place {
            guard options.onPoison == .skip else { return try park(place, streamID, poison.reason) }
            outcome.skipped += 1
            return .skipped
        }
        if parkedStreams.contains(streamID) {
            return try park(place, streamID, "an earlier event of its stream is parked")
        }
        if try apply(event, place, pinned: pinned) { outcome.applied += 1 }
        return .applied
    }

    /// Applies an event, in no more time than it may take; false where the projection takes none of its type.
    ///
    /// - throws: `PlacedPoison` where it cannot be applied.
    @discardableResult
    func apply(
        _ event: ReplayedEvent,
        _ place: LogPlace,
        pinned: Int64? = nil
    ) throws -> Bool {
        do {
            return try storage.whileGuarded { try driver.apply(event) }
        } catch let error as PoisonEvent {
            throw PlacedPoison(place: place, reason: error.reason, pinned: pinned)
        }
    }

    private func park(
        _ place: LogPlace,
        _ streamID: Int64,
        _ reason: String
    ) throws -> ReplayDigest.Action {
        let time = setting.storeOptions.clock()
        try storage.rows.park(place, ofStream: streamID, name, error: reason, at: time)
        parkedStreams.insert(streamID)
        outOfOrderSince = outOfOrderSince ?? place.position
        return .parked
    }
}

/// A place of the log that a projection cannot apply, and why.
struct PlacedPoison: Error {
    var place: LogPlace
    var reason: String
    /// The decisions under which it was found, where those are pinned.
    var pinned: Int64?
}

extension ReplayDigest {
    mutating func add(_ action: Action, at place: LogPlace) {
        add(action, position: place.position, resolutionID: place.resolutionID)
    }
}
