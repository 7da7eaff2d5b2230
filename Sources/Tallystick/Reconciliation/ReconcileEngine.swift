import TallystickCore
import TallystickSQLite

/// One run of reconciliation: the state machine, and the work of each state.
final class ReconcileEngine {
    private let store: StoreWriter
    private let options: ReconcileOptions
    private let scope: RunScope
    private let stop: StopFlag
    private let runs: RunRows
    private let waiting: PendingConflictRows
    private let history: ConfigurationHistory
    private let breakers: BreakerBook
    private var run: StoredRun
    private let started = SystemClock.monotonicMicroseconds()

    /// Work stops here; the run can go on later.
    private struct Pause: Error {
        var cause: String
    }

    init(
        _ path: String,
        _ storeOptions: StoreOptions,
        _ options: ReconcileOptions,
        stop: StopFlag
    ) throws {
        let connection = try StoreFile.openForWriting(path, storeOptions)
        store = try StoreWriter(
            path: path,
            connection: connection,
            lockConnection: try StoreFile.openForWriting(path, storeOptions),
            options: storeOptions
        )
        self.options = options
        self.stop = stop
        scope = RunScope(origins: options.origins, since: options.since?.microseconds)
        runs = try RunRows(in: connection)
        waiting = try PendingConflictRows(in: connection)
        history = try ConfigurationHistory(in: connection)
        breakers = try BreakerBook(store)
        let now = store.clock()
        run = StoredRun(
            run: 0,
            isDryRun: options.isDryRun,
            actor: options.actor,
            reason: options.reason,
            asOf: now,
            configurationVersion: 0,
            firstConflict: 0,
            firstResolution: 0,
            scope: scope.text,
            startedAt: now,
            updatedAt: now
        )
    }

    // MARK: The run

    func work() throws -> ReconcileReport {
        try begin()
        do {
            while run.machine.state.isWorking {
                switch run.machine.state {
                case .collecting: try collect()
                case .comparing: try compare()
                case .resolving: try resolve()
                default: try verify()
                }
            }
        } catch let pause as Pause {
            try transaction { try move(.pause, cause: pause.cause) }
        } catch let error as StoreError where error.code == .integrity {
            try transaction { try move(.fail, cause: error.message) }
            throw error
        }
        return try report()
    }

    /// Goes on with a run that was killed or paused, or begins one.
    private func begin() throws {
        try store.transaction("begin the reconciliation") {
            if !options.isDryRun, let last = try runs.last(includingDryRuns: false),
                try takeOver(last)
            {
                return
            }
            run.run = try runs.nextRun()
            run.configurationVersion = store.settings?.version ?? 0
            run.firstConflict = try store.conflicts.nextConflictID() - 1
            run.firstResolution = try store.resolutions.nextID() - 1
            try ScanCursorRows(in: store.connection).restartIfAltered(
                events: store.size(of: .events)
            )
            try runs.add(run)
            if options.overridesBreaker { try auditOverride() }
            try move(.start, cause: nil)
        }
    }

    /// Takes over a run that did not end.
    ///
    /// - returns: whether it goes on. One that waits for a breaker or a person does not: its conflicts still wait,
    ///   and a new run, with a new clock, takes them in.
    private func takeOver(_ last: StoredRun) throws -> Bool {
        guard !last.machine.state.isFinal else { return false }
        let fresh = run
        run = last
        let wasStopped = last.cause == "asked" || last.cause == "time"
        guard last.scope == scope.text, last.machine.state.isWorking || wasStopped else {
            try move(.cancel, cause: "a new run takes over")
            run = fresh
            return false
        }
        if last.machine.state == .paused {
            try move(.resume, cause: nil)
        } else if try !runs.move(&run, in: store.connection) {
            throw StoreError(.busy, during: "reconcile", "another process moved the run")
        }
        return true
    }

    private func auditOverride() throws {
        try store.addAudit(
            AuditRow(
                kind: .breakerOverride,
                recordedAt: store.clock(),
                actor: options.actor,
                reason: options.reason,
                detail: "{\"run\":\(run.run)}"
            )
        )
    }

    /// One transaction of the run. Whoever moved the run meanwhile is its owner now.
    private func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        let before = run
        do {
            return try store.transaction("reconcile") {
                let result = try body()
                run.updatedAt = store.clock()
                guard try runs.move(&run, in: store.connection) else {
                    throw StoreError(
                        .busy,
                        during: "reconcile",
                        on: "run \(run.run)",
                        "another process has taken the run over",
                        isRetryable: true
                    )
                }
                return result
            }
        } catch {
            run = before
            throw error
        }
    }

    /// Goes where an event leads, and notes it, in the transaction of the work that it concludes.
    private func move(_ event: ReconciliationMachine.Event, cause: String?) throws {
        let from = run.machine.state
        guard run.machine.apply(event) != nil else {
            throw StoreError(
                .bug,
                during: "reconcile",
                on: "run \(run.run)",
                "\(event.rawValue) cannot happen while it is \(from.rawValue)"
            )
        }
        run.cause = cause
        run.updatedAt = store.clock()
        try runs.add(event, from: from, to: run)
        if event == .start || event == .resume || event == .cancel {
            // Not inside `transaction`, which stores the rest.
            guard try runs.move(&run, in: store.connection) else {
                throw StoreError(.busy, during: "reconcile", "another process moved the run")
            }
        }
    }

    private func pauseIfAsked() throws {
        if stop.isSet { throw Pause(cause: "asked") }
        guard let duration = options.duration else { return }
        let limit = Int64(duration.wholeMilliseconds) * 1000
        if SystemClock.monotonicMicroseconds() - started >= limit { throw Pause(cause: "time") }
    }

    // MARK: Collecting and comparing

    private func collect() throws {
        let collector = try DeltaCollector(store, history)
        var isDone = false
        while !isDone {
            try pauseIfAsked()
            isDone = try transaction {
                guard try collector.step() else {
                    try move(.collected, cause: nil)
                    return true
                }
                return false
            }
            progress()
        }
    }

    private func compare() throws {
        let comparer = try ConflictDetector(
            store,
            history,
            asOf: run.asOf,
            scope: scope,
            isDryRun: run.isDryRun
        )
        let findings = try DetectedConflictWriter(store, waiting)
        var isDone = false
        while !isDone {
            try pauseIfAsked()
            var pending: [DetectedConflict] = []
            isDone = try transaction {
                guard let step = try comparer.step() else {
                    if scope.isWhole && !run.isDryRun { try findings.finishPass(asOf: run.asOf) }
                    try countNew()
                    try move(.compared, cause: nil)
                    return true
                }
                run.compared += step.evaluated
                if run.isDryRun {
                    pending = step.findings
                } else {
                    for finding in step.findings {
                        try findings.write(finding, actor: run.actor)
                    }
                }
                return false
            }
            if !pending.isEmpty { try predict(pending, findings) }
            progress()
        }
    }

    private func countNew() throws {
        for (kind, count) in try waiting.newByKind() {
            run.byKind[kind, default: 0] += count
            run.found += count
        }
    }

    /// Decides over findings that a dry run does not write.
    private func predict(_ findings: [DetectedConflict], _ writer: DetectedConflictWriter) throws {
        let evaluator = try evaluator()
        for finding in findings where try writer.known(finding) == nil {
            run.byKind[finding.conflict.kind.rawValue, default: 0] += 1
            run.found += 1
            run.compared += 1
            let evaluation = try evaluator.evaluate(finding, openedAt: run.asOf)
            foundOpen += 1
            count(evaluation, evaluation.outcome)
        }
    }

    /// Conflicts that a dry run found and did not write.
    private var foundOpen: Int64 = 0

    // MARK: Resolving

    private func evaluator() throws -> Evaluator {
        try history.refresh()
        return try Evaluator(
            store,
            history,
            asOf: run.asOf,
            policies: options.policies,
            openOrigins: options.overridesBreaker ? [] : try breakers.openOrigins()
        )
    }

    private func resolve() throws {
        let committer = try DecisionCommitter(
            store,
            run: (run.run, run.asOf),
            actor: run.actor
        )
        let evaluator = try evaluator()
        var last: Int64 = 0
        while true {
            try pauseIfAsked()
            let batch = try waiting.next(after: last, limit: ReconcileLimits.batch)
            guard let end = batch.last else { break }
            var evaluations: [Evaluation] = []
            for conflictID in batch {
                // Policies run here, outside any transaction.
                guard let evaluation = try evaluator.evaluate(conflictID, scope: scope) else {
                    continue
                }
                evaluations.append(evaluation)
            }
            try commit(evaluations, committer, evaluator)
            last = end
            progress()
        }
        try transaction {
            run.deferred = run.isDryRun ? run.deferred : try waiting.deferred()
            run.nextAttemptAt = run.deferred > 0 ? try breakers.nextAttempt() : nil
            try move(.resolved, cause: nil)
        }
    }

    /// Commits evaluations; those whose candidates changed meanwhile are made again.
    private func commit(
        _ evaluations: [Evaluation],
        _ committer: DecisionCommitter,
        _ evaluator: Evaluator
    ) throws {
        var rest = evaluations
        while !rest.isEmpty {
            var halt: Evaluation?
            var stale: [Int64] = []
            let batch = rest
            let done = try transaction {
                let deadline =
                    SystemClock.monotonicMicroseconds() + ReconcileLimits.transactionMicroseconds
                var count = 0
                for evaluation in batch {
                    if case .halted = evaluation.verdict {
                        halt = evaluation
                        break
                    }
                    let outcome =
                        run.isDryRun ? evaluation.outcome : try committer.commit(evaluation)
                    self.count(evaluation, outcome)
                    if case .stale = outcome {
                        stale.append(evaluation.set.conflict.conflictID)
                    }
                    count += 1
                    if SystemClock.monotonicMicroseconds() > deadline { break }
                }
                return count
            }
            if let halt {
                let conflictID = halt.set.conflict.conflictID
                throw Pause(cause: "policy '\(halt.policy ?? "")' halts at conflict \(conflictID)")
            }
            rest.removeFirst(done)
            for conflictID in stale {
                if let again = try evaluator.evaluate(conflictID, scope: scope) {
                    rest.append(again)
                }
            }
        }
    }

    private func count(_ evaluation: Evaluation, _ outcome: DecisionCommitter.Outcome) {
        if evaluation.set.conflict.conflictID > 0 { run.compared += 1 }
        switch outcome {
        case .decided:
            run.resolved += 1
            for record in evaluation.records {
                run.decisions.add(record)
                if record.kind != .lateArrival { run.byPolicy[record.policy, default: 0] += 1 }
            }
            if run.isDryRun, evaluation.set.state.isOpen { foundOpen -= 1 }
        case .deferred: if run.isDryRun { run.deferred += 1 }
        case .left, .stale: break
        }
    }

    // MARK: Verifying

    /// Reads back what was decided, before the run says that it is done.
    private func verify() throws {
        if !run.isDryRun {
            try ResolutionReadback(store.connection).check(after: run.firstResolution) {
                try pauseIfAsked()
            }
        }
        try transaction {
            guard run.deferred > 0 else { return try move(.verified, cause: nil) }
            try move(.pause, cause: "breaker")
        }
    }

    private func progress() {
        guard let onProgress = options.onProgress else { return }
        let total = max(run.compared, store.size(of: .events))
        onProgress(ProgressUpdate(done: run.compared, total: total))
    }

    private func report() throws -> ReconcileReport {
        ReconcileReport(run, open: try waiting.open() + foundOpen)
    }
}

extension Evaluation {
    /// What a dry run takes for the outcome.
    fileprivate var outcome: DecisionCommitter.Outcome {
        switch verdict {
        case .decided, .late: .decided
        case .deferred: .deferred
        default: .left
        }
    }
}

extension ReconcileReport {
    init(_ run: StoredRun, open: Int64) {
        self.init(
            run: run.run,
            isDryRun: run.isDryRun,
            state: run.machine.state,
            cause: run.cause,
            configurationVersion: run.configurationVersion,
            compared: run.compared,
            found: run.found,
            resolved: run.resolved,
            deferred: run.deferred,
            open: open,
            byPolicy: run.byPolicy,
            byKind: run.byKind,
            decisionsDigest: run.decisions.digest.hex,
            nextAttemptAt: run.nextAttemptAt.map { Timestamp(microseconds: $0) }
        )
    }
}
