import TallystickCore
import TallystickSQLite

/// Runs one SQL projection over the log: batch by batch, each batch in one transaction with the checkpoint.
final class ReplayEngine {
    private let path: String
    private let storeID: String
    private let storeOptions: StoreOptions
    private let options: ReplayOptions
    private let file: ProjectionFile
    private let heldCategories: [String]
    private let stop: StopFlag
    /// Writes a row of the audit trail before an event is left out.
    private let auditSkip: (Int64, String) throws -> Void

    private let source: EventSource
    private let target: Connection
    private let projection: SQLProjection
    private let checkpoints: CheckpointRows
    private let rows: ReplayRows
    private let isInStore: Bool
    private var checkpoint: Checkpoint
    private var parkedStreams: Set<Int64> = []
    private var outcome: ReplayOutcome
    private let started = SystemClock.monotonicMicroseconds()

    init(
        _ path: String,
        storeID: String,
        _ storeOptions: StoreOptions,
        _ file: ProjectionFile,
        _ options: ReplayOptions,
        heldCategories: [String],
        stop: StopFlag,
        auditSkip: @escaping (Int64, String) throws -> Void
    ) throws {
        self.path = path
        self.storeID = storeID
        self.storeOptions = storeOptions
        self.options = options
        self.file = file
        self.heldCategories = heldCategories
        self.stop = stop
        self.auditSkip = auditSkip
        let authorizer = Authorizer()
        switch options.target {
        case .store:
            isInStore = true
            target = try StoreFile.openForWriting(path, storeOptions)
            source = try EventSource(target, storeOptions.checksummer)
        case .file(let other):
            isInStore = false
            target = try ProjectionTarget.open(other, storeOptions)
            source = try EventSource(
                try StoreFile.openForReading(path, storeOptions),
                storeOptions.checksummer
            )
        }
        target.install(authorizer)
        projection = SQLProjection(file, in: target, authorizer)
        checkpoints = try CheckpointRows(in: target)
        rows = ReplayRows(in: target)
        checkpoint = Checkpoint(
            storeID: storeID,
            version: file.version,
            definition: file.digest.hex
        )
        outcome = ReplayOutcome(
            status: .complete,
            replay: file.name,
            position: 0,
            head: 0,
            consumed: 0,
            applied: 0,
            parked: 0,
            skipped: 0,
            resolutionWatermark: 0,
            digest: "",
            appliedDigest: "",
            root: "",
            rebuilt: false
        )
    }

    // MARK: The run

    func run() throws -> ReplayOutcome {
        try refuseReservedName()
        let fits = try begin()
        if !fits || options.alwaysRebuilds {
            try rebuild()
            _ = try begin()
        }
        try projection.prepare()
        parkedStreams = try rows.parkedStreams(file.name)
        var status = ReplayOutcome.Status.complete
        loop: while true {
            if stop.isSet {
                status = .paused
                break
            }
            switch try step() {
            case .moved: continue
            case .atEnd: break loop
            case .halted(let reason):
                status = .halted
                outcome.reason = reason
                break loop
            }
        }
        return try finish(status)
    }

    /// Names that would give a projection tables of the store.
    private func refuseReservedName() throws {
        guard isInStore else { return }
        let statement = try source.connection.prepare(
            """
            SELECT name FROM sqlite_schema
            WHERE name NOT IN (SELECT name FROM projection_objects)
                AND tbl_name NOT IN (SELECT name FROM projection_objects)
            """
        )
        while try statement.step() {
            let name = statement.text(at: 0)
            guard SQLProjection.owns(file.name, name) else { continue }
            throw StoreError(
                .projectionInvalid,
                during: "set the projection up",
                on: "projection \(file.name)",
                "the store's own \(name) would be one of its tables",
                hint: "Choose another name"
            )
        }
    }

    /// Reads or makes the checkpoint; false when the projection must be rebuilt first.
    private func begin() throws -> Bool {
        try inTransaction {
            guard let found = try checkpoints.read(file.name) else {
                checkpoint = Checkpoint(
                    storeID: storeID,
                    version: file.version,
                    definition: file.digest.hex
                )
                checkpoint.watermark =
                    file.onCorrection == .rebuild ? try source.lastResolution() : 0
                try projection.setUp()
                // A mistake in a statement takes the tables back.
                try projection.prepare()
                if isInStore { try rows.record(objectsOf: file.name) }
                try checkpoints.add(checkpoint, file.name, at: storeOptions.clock())
                try source.resume(from: checkpoint, storeID)
                try note("running")
                return true
            }
            if found.definition != file.digest.hex {
                guard file.version > found.version else {
                    throw StoreError(
                        .projectionChanged,
                        during: "resume the replay",
                        on: "projection \(file.name)",
                        "its file changed, and its version is \(file.version) where the store has \(found.version)",
                        hint: "Raise the version: the projection is then rebuilt"
                    )
                }
                return false
            }
            do {
                try source.resume(from: found, storeID)
            } catch let error as StoreError where error.code == .historyDiffers && options.rebuild {
                return false
            }
            checkpoint = found
            if file.onCorrection == .rebuild {
                if try source.hasCorrection(after: found.watermark, through: found.position) {
                    return false
                }
                checkpoint.watermark = try source.lastResolution()
                try move(from: found)
            }
            try note("running")
            return true
        }
    }

    private enum Step {
        case moved
        case atEnd
        case halted(String)
    }

    /// One transaction.
    private func step() throws -> Step {
        do {
            return try inTransaction { try consume(limit: options.batch) }
        } catch let poison as PoisonEvent {
            return try handle(poison)
        }
    }

    /// Applies what comes before the event that failed, then does with it what the policy says.
    private func handle(_ poison: PoisonEvent) throws -> Step {
        try resumeAfterRollback()
        while checkpoint.position < poison.position - 1 {
            let before = Int(clamping: poison.position - 1 - checkpoint.position)
            guard
                case .moved = try inTransaction({ try consume(limit: min(before, options.batch)) })
            else { break }
        }
        switch options.onPoison {
        case .halt:
            return .halted(
                "the event at position \(poison.position) cannot be applied: \(poison.reason)"
            )
        case .skip:
            try auditSkip(poison.position, poison.reason)
        case .park:
            break
        }
        return try inTransaction {
            try consume(limit: 1, poison: poison)
        }
    }

    /// Goes back to the checkpoint as it is stored.
    private func resumeAfterRollback() throws {
        guard let stored = try checkpoints.read(file.name) else {
            throw StoreError(
                .busy,
                during: "replay",
                on: file.name,
                "another process dropped the replay"
            )
        }
        checkpoint = stored
        parkedStreams = try rows.parkedStreams(file.name)
        try source.resume(from: stored, storeID)
    }

    private func consume(limit: Int, poison: PoisonEvent? = nil) throws -> Step {
        source.beginTransaction()
        let head = try source.head()
        var last = min(head, options.until?.rawValue ?? head)
        let held = try source.firstHeld(after: checkpoint.position, categories: heldCategories)
        if let held { last = min(last, held - 1) }
        let before = checkpoint
        let deadline = SystemClock.monotonicMicroseconds() + 800_000
        if file.onCorrection == .apply, try correct(through: last, before) { return .moved }
        if file.onCorrection == .apply,
            let next = try source.nextCorrection(after: checkpoint.watermark)
        {
            last = min(last, max(checkpoint.position, next.afterPosition))
        }
        let count = try source.forEach(
            after: checkpoint.position,
            through: last,
            limit: limit,
            watermark: file.onCorrection == .rebuild ? checkpoint.watermark : nil
        ) { event, consumed in
            try apply(event, consumed, poison)
            return consumed.position % 512 != 0 || SystemClock.monotonicMicroseconds() < deadline
                || consumed.position == last
        }
        outcome.head = head
        guard count > 0 || checkpoint != before else {
            if let held, held <= (options.until?.rawValue ?? head) {
                return .halted(
                    "a conflict over the event at position \(held) is open, and its category holds replay"
                )
            }
            return .atEnd
        }
        checkpoint.root = source.consumed.root
        try move(from: before)
        outcome.consumed += Int64(count)
        options.onProgress?(checkpoint.position, head)
        return .moved
    }

    private func apply(
        _ event: ReplayedEvent?,
        _ consumed: EventSource.ConsumedEvent,
        _ poison: PoisonEvent?
    ) throws {
        checkpoint.position = consumed.position
        guard let event else {
            checkpoint.digest.addExcluded(
                position: consumed.position,
                resolutionID: consumed.excludedBy ?? 0
            )
            checkpoint.appliedDigest.add(.applied, position: consumed.position)
            return
        }
        event.names.withStreamName(of: event.row) { stream in
            checkpoint.digest.addEvent(
                position: consumed.position,
                revision: consumed.revision,
                content: consumed.content,
                stream: stream
            )
        }
        if let poison, poison.position == consumed.position {
            switch options.onPoison {
            case .skip:
                checkpoint.appliedDigest.add(.skipped, position: consumed.position)
                outcome.skipped += 1
            case .park, .halt:
                try park(consumed, poison.reason)
            }
            return
        }
        if parkedStreams.contains(consumed.streamID) {
            try park(consumed, "an earlier event of its stream is parked")
            return
        }
        if try projection.apply(event) { outcome.applied += 1 }
        checkpoint.appliedDigest.add(.applied, position: consumed.position)
    }

    private func park(_ event: EventSource.ConsumedEvent, _ reason: String) throws {
        try rows.park(event, file.name, error: reason, at: storeOptions.clock())
        parkedStreams.insert(event.streamID)
        checkpoint.appliedDigest.add(.parked, position: event.position)
        outcome.parked += 1
    }

    // MARK: Corrections

    /// Applies the next resolution, if the replay stands where it was made; true when it did.
    private func correct(through last: Int64, _ before: Checkpoint) throws -> Bool {
        guard let next = try source.nextCorrection(after: checkpoint.watermark),
            next.afterPosition <= checkpoint.position
        else { return false }
        let correction = try source.correction(next.resolutionID)
        checkpoint.watermark = next.resolutionID
        checkpoint.digest.addCorrection(
            resolutionID: next.resolutionID,
            position: correction.position,
            content: correction.digest,
            decision: correction.decision
        )
        try source.withCorrected(correction) { event in
            if try projection.apply(event) { outcome.applied += 1 }
        }
        checkpoint.appliedDigest.add(
            .applied,
            position: correction.position,
            resolutionID: next.resolutionID
        )
        try move(from: before)
        return true
    }

    // MARK: Storing

    private func move(from before: Checkpoint) throws {
        guard
            try checkpoints.move(from: before, to: checkpoint, file.name, at: storeOptions.clock())
        else {
            throw StoreError(
                .busy,
                during: "replay",
                on: "replay \(file.name)",
                "another process moved this replay on meanwhile",
                hint: "Let it finish, or run the command again",
                isRetryable: true
            )
        }
    }

    private func inTransaction<Result>(_ body: () throws -> Result) throws -> Result {
        try target.execute("BEGIN IMMEDIATE")
        let separate = source.connection !== target
        do {
            if separate { try source.connection.execute("BEGIN") }
            let result = try body()
            if separate { try source.connection.execute("COMMIT") }
            try target.execute("COMMIT")
            return result
        } catch {
            if separate, !source.connection.isAutocommit {
                try source.connection.execute("ROLLBACK")
            }
            if !target.isAutocommit { try target.execute("ROLLBACK") }
            throw error
        }
    }

    /// Tells people where the replay stands. In another file than the store, that is only a hint there.
    private func note(_ status: String, error: String? = nil) throws {
        guard isInStore else { return }
        try rows.set(state(status, error), at: storeOptions.clock())
    }

    private func state(_ status: String, _ error: String?) throws -> ReplayRows.Status {
        let seconds = Double(SystemClock.monotonicMicroseconds() - started) / 1e6
        return ReplayRows.Status(
            replay: file.name,
            target: options.target,
            file: file,
            status: status,
            checkpoint: checkpoint,
            parked: Int64(try rows.parked(file.name).count),
            rate: outcome.consumed > 0 && seconds > 0 ? Double(outcome.consumed) / seconds : nil,
            error: error
        )
    }

    private func finish(_ status: ReplayOutcome.Status) throws -> ReplayOutcome {
        let final = try state(status.rawValue, outcome.reason)
        if isScratch {
            // The store hears of it once the tables are swapped.
        } else if isInStore {
            try inTransaction { try rows.set(final, at: storeOptions.clock()) }
        } else {
            let store = try StoreFile.openForWriting(path, storeOptions)
            try store.execute("BEGIN IMMEDIATE")
            try ReplayRows(in: store).set(final, at: storeOptions.clock())
            try store.execute("COMMIT")
        }
        outcome.status = status
        outcome.position = checkpoint.position
        outcome.head = try source.head()
        outcome.parked = final.parked
        outcome.resolutionWatermark = checkpoint.watermark
        outcome.digest = checkpoint.digest.value.hex
        outcome.appliedDigest = checkpoint.appliedDigest.value.hex
        outcome.root = checkpoint.root.hex
        return outcome
    }

    // MARK: Parked events

    /// Applies parked events again, in order.
    func retryParked() throws -> (applied: Int, parked: Int) {
        _ = try begin()
        try projection.prepare()
        var applied = 0
        var blocked: Set<Int64> = []
        for (position, streamID) in try rows.parked(file.name) where !blocked.contains(streamID) {
            do {
                try inTransaction { try retry(position) }
                applied += 1
            } catch let poison as PoisonEvent {
                blocked.insert(streamID)
                try resumeAfterRollback()
                try inTransaction { try rows.failRetry(position, file.name, error: poison.reason) }
            }
        }
        let left = try rows.parked(file.name).count
        try inTransaction { try note("ready") }
        return (applied, left)
    }

    private func retry(_ position: Int64) throws {
        source.beginTransaction()
        let before = checkpoint
        let single = try EventSource(source.connection, storeOptions.checksummer)
        _ = try single.forEach(
            after: position - 1,
            through: position,
            limit: 1,
            watermark: file.onCorrection == .rebuild ? checkpoint.watermark : nil
        ) { event, _ in
            if let event { _ = try projection.apply(event) }
            return false
        }
        try rows.unpark(position, file.name)
        checkpoint.appliedDigest.add(.retried, position: position)
        try move(from: before)
    }

    // MARK: Rebuilding

    /// Replays into a scratch file, then swaps the tables in one transaction: readers see the old state or
    /// the new one, whole.
    private func rebuild() throws {
        outcome.rebuilt = true
        let scratch = try ScratchFile(for: target.path, projection: file.name)
        var inner = options
        inner.target = .file(scratch.path)
        inner.rebuild = false
        inner.alwaysRebuilds = false
        let engine = try ReplayEngine(
            path,
            storeID: storeID,
            storeOptions,
            file,
            inner,
            heldCategories: heldCategories,
            stop: stop,
            auditSkip: auditSkip
        )
        engine.isScratch = true
        let done = try engine.run()
        guard done.status != .paused else {
            throw StoreError(
                .interrupted,
                during: "rebuild the projection",
                on: file.name,
                "it was stopped; the tables are as they were",
                hint: "Run the command again",
                isRetryable: true
            )
        }
        outcome.consumed += done.consumed
        outcome.applied += done.applied
        try target.execute("ATTACH DATABASE '\(scratch.quotedPath)' AS scratch")
        defer { try? target.execute("DETACH DATABASE scratch") }
        try inTransaction {
            try rows.drop(objectsOf: file.name)
            try projection.setUp()
            if isInStore { try rows.record(objectsOf: file.name) }
            for object in try rows.objects(of: file.name) where object.type == "table" {
                try target.execute(
                    "INSERT INTO main.\"\(object.name)\" SELECT * FROM scratch.\"\(object.name)\""
                )
            }
            try rows.removeParked(file.name)
            try target.execute(
                "INSERT INTO main.parked_events SELECT * FROM scratch.parked_events WHERE replay = '\(file.name)'"
            )
            try checkpoints.remove(file.name)
            try checkpoints.add(engine.checkpoint, file.name, at: storeOptions.clock())
        }
    }

    /// Whether this engine fills a scratch file, of which the store is told nothing.
    private var isScratch = false
}
