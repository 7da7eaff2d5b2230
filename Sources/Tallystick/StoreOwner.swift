import TallystickCore
import TallystickSQLite

/// Owns the connections that write, on a thread of its own.
actor StoreOwner {
    private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private var writer: StoreWriter?
    private let helper: HelperThread
    private var runs: [Int: BatchWriter] = [:]
    private var lastRun = 0
    private var appender: Appender?

    /// - throws: `StoreError` where the operating system refuses another thread.
    init() throws(StoreError) {
        executor = try ThreadExecutor()
        helper = try HelperThread()
    }

    /// The writing side.
    ///
    /// - throws: `StoreError` with `closed`.
    func withWriter<Result: Sendable>(
        _ operation: String,
        _ body: (StoreWriter) throws -> Result
    ) throws(StoreError) -> Result {
        guard let writer else {
            throw StoreError(
                .closed,
                during: operation,
                "the store was closed, or opened read-only"
            )
        }
        do {
            return try body(writer)
        } catch {
            throw StoreError(error, during: operation)
        }
    }

    func open(_ path: String, _ options: StoreOptions) throws(StoreError) {
        do {
            let connection = try StoreFile.openForWriting(path, options)
            let guardian = try StoreFile.openForWriting(path, options, beside: connection)
            writer = try StoreWriter(
                path: path,
                connection: connection,
                guardian: guardian,
                options: options
            )
        } catch {
            throw StoreError(error, during: "open the store", on: path)
        }
    }

    /// Lets others see the settings that count, from now on.
    func publishSettings(to box: SettingsBox) {
        writer?.onSettings = { box.set($0, $1) }
    }

    func apply(
        settings file: [UInt8],
        replacing replaces: Bool,
        actor: String,
        reason: String
    ) throws(StoreError) -> AppliedSettings {
        try withWriter("apply the settings") { writer in
            try SettingsWriter(writer).apply(
                file,
                replacing: replaces,
                actor: actor,
                reason: reason
            )
        }
    }

    /// Begins a run of ingest; returns its number.
    func beginIngest(
        origin: String,
        actor: String,
        configuration: IngestConfiguration
    ) throws(StoreError) -> Int {
        try withWriter("ingest") { writer in
            lastRun += 1
            runs[lastRun] = try BatchWriter(
                writer,
                origin: origin,
                actor: actor,
                configuration: configuration,
                helper: helper
            )
            return lastRun
        }
    }

    /// Writes the batch that comes next, and others that wait after it where one transaction has time for them.
    ///
    /// They are taken here, so that nobody else keeps them while they are written: each takes much memory.
    ///
    /// - returns: for each of which input it is, and what it became.
    func writeNext(
        of steps: BlockingQueue<IngestReader.Step>,
        run: Int
    ) throws(StoreError) -> [(part: IngestReader.Part, result: BatchWriter.Result)] {
        guard let writer = runs[run] else {
            throw StoreError(.closed, during: "ingest", "the store was closed")
        }
        var failure: StoreError?
        var parts: [IngestReader.Part] = []
        let results = try writer.write(during: "ingest") { isWanted in
            let step = steps.nextIfAny { step in
                guard case .batch(let batch, _) = step else { return parts.isEmpty }
                return isWanted(batch)
            }
            switch step {
            case nil: return nil
            case .failed(let error):
                failure = error
                return nil
            case .batch(let batch, let part):
                parts.append(part)
                return batch
            }
        }
        if let failure { throw failure }
        return Array(zip(parts, results))
    }

    func endIngest(run: Int) { runs[run] = nil }

    func append(
        _ events: [Event],
        to stream: String,
        expecting expectation: AppendExpectation,
        configuration: IngestConfiguration
    ) throws(StoreError) -> [AppendedEvent] {
        try withWriter("append") { writer in
            let appender =
                try self.appender
                ?? Appender(writer, configuration: configuration, helper: helper)
            self.appender = appender
            return try appender.append(events, to: stream, expecting: expectation)
        }
    }

    /// Puts on record that a replay leaves an event out; once for each place and definition of the replay.
    func auditSkip(_ skip: ProjectionSkip) throws(StoreError) {
        try withWriter("skip an event") { writer in
            try writer.transaction("skip an event") { try skip.record(with: writer) }
        }
    }

    /// Writes the log back into the database, as far as readers allow.
    func checkpointLog() throws(StoreError) {
        try withWriter("write the log back") { _ = $0.log.checkpoint() }
    }

    func repairDerived(
        _ report: VerifyReport,
        actor: String,
        reason: String
    ) throws(StoreError) -> [(table: String, rows: Int)] {
        try withWriter("repair derived rows") {
            try DerivedRepair($0, actor: actor, reason: reason).run(report)
        }
    }

    /// Puts damage on record that was found, each record once for each kind.
    func record(_ damaged: [DamagedRecord], as kind: MismatchKind) throws(StoreError) {
        try withWriter("record the damage") { writer in
            try writer.transaction("record the damage") {
                try MismatchRecorder(writer).record(damaged, as: kind, actor: Self.actor)
            }
        }
    }

    /// Puts on record what is wrong with the event at a position, where its checksum or leaf does not hold.
    func recordDamage(at position: Int64, as kind: MismatchKind) throws(StoreError) {
        try withWriter("record the damage") { writer in
            try writer.transaction("record the damage") {
                let recorder = MismatchRecorder(writer)
                guard let damage = try recorder.damage(at: position) else { return }
                try recorder.record([damage], as: kind, actor: Self.actor)
            }
        }
    }

    /// Who records what nobody asked for.
    private static let actor = "local"

    func resolve(_ request: ManualResolution) throws(StoreError) -> Int64 {
        try withWriter("resolve the conflict") { try ManualResolver($0).resolve(request) }
    }

    func resolve(_ bulk: BulkResolution, after last: Int64) throws(StoreError) -> [BulkDecision] {
        try withWriter("resolve the conflicts") {
            try ManualResolver($0).resolve(bulk, after: last)
        }
    }

    func reopen(
        conflict conflictID: Int64,
        actor: String,
        reason: String
    ) throws(StoreError) {
        try withWriter("open the conflict again") { writer in
            try ManualResolver(writer).reopen(conflictID, actor: actor, reason: reason)
        }
    }

    func releaseQuarantined(
        _ id: Int64,
        actor: String,
        reason: String,
        mapping: EventMapping?,
        configuration: IngestConfiguration
    ) throws(StoreError) -> IngestOutcome {
        try withWriter("release from quarantine") { writer in
            try QuarantineRelease(writer, configuration, helper).release(
                id,
                actor: actor,
                reason: reason,
                mapping: mapping
            )
        }
    }

    func setBreaker(
        _ kind: BreakerKind,
        _ name: String,
        to state: CircuitBreaker.State,
        actor: String,
        reason: String
    ) throws(StoreError) -> Bool {
        try withWriter("set the breaker") { writer in
            try writer.transaction("set the breaker") {
                try BreakerBook(writer).set(
                    kind,
                    name,
                    to: state,
                    actor: actor,
                    reason: reason
                )
            }
        }
    }

    func close() {
        runs = [:]
        appender = nil
        writer?.vouch()
        writer?.log.finish()
        writer = nil
    }
}
