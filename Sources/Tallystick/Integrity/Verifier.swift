import Synchronization
import TallystickCore
import TallystickSQLite

extension EventStore {
    /// Recomputes every checksum, leaf and tile, and compares indexes and derived rows with what they are
    /// derived from.
    ///
    /// Covers what the store held when the call began. Reads in short transactions. A handle that writes puts
    /// events and copies that fail on record, as mismatches of the kind `at_rest`, each once.
    ///
    /// - returns: what was found; see ``VerifyReport/isIntact``.
    /// - throws: `StoreError` when the file cannot be read at all.
    public func verify(_ options: VerifyOptions = VerifyOptions()) async throws(StoreError)
        -> VerifyReport
    {
        let (path, storeOptions) = (path, self.options)
        let stop = StopFlag()
        let start = ContinuousClock.now
        let report = try await Self.attempt("verify", path) {
            try await withTaskCancellationHandler {
                try await runOnThread {
                    try Verification(path, storeOptions, options, stop).run()
                }
            } onCancel: {
                stop.set()
            }
        }
        StoreMetrics.verified(report, in: .now - start)
        await recordDamage(of: report)
        return report
    }
}

/// One run of verification.
final class Verification: Sendable {
    private let path: String
    private let storeOptions: StoreOptions
    private let options: VerifyOptions
    private let stop: StopFlag
    private let state: Mutex<State>

    private struct State {
        var next: Int64
        /// Ends of chunks that are done, though one before them is not.
        var done: Set<Int64> = []
        var donePrefix: Int64
        var report = VerifyReport()
        var identitySum: UInt64 = 0
        var revisionSum: UInt64 = 0
        var failure: StoreError?
    }

    init(
        _ path: String,
        _ storeOptions: StoreOptions,
        _ options: VerifyOptions,
        _ stop: StopFlag
    ) throws {
        self.path = path
        self.storeOptions = storeOptions
        self.options = options
        self.stop = stop
        let start = try Self.position(ofCursor: options.cursor)
        state = Mutex(State(next: start, donePrefix: start))
    }

    private static func position(ofCursor cursor: String?) throws -> Int64 {
        guard let cursor else { return 0 }
        guard cursor.hasPrefix("events:"), let position = Int64(cursor.dropFirst(7)), position >= 0,
            position % VerifyLimits.chunk == 0
        else {
            throw StoreError(
                .invalidArgument,
                during: "verify",
                on: "cursor '\(cursor)'",
                "this is no cursor of a verification",
                hint: "Use the cursor that 'tally verify' printed"
            )
        }
        return position
    }

    func run() throws -> VerifyReport {
        let connection = try StoreFile.openForReading(path, storeOptions)
        // One snapshot for the ends of the three logs; rows up to there never change.
        try connection.execute("BEGIN")
        let merkle = try MerkleRows(in: connection)
        var heads: [LogName: Int64] = [:]
        var logs: [LogName: MerkleLog?] = [:]
        for name in LogName.allCases {
            heads[name] = try merkle.size(of: name)
            logs[name] = try merkle.log(name)
        }
        let logVerifier = try LogVerifier(in: connection)
        var report = VerifyReport()
        // What the index tables hold is taken off what the events will add: equal sums leave nothing.
        let indexes = try logVerifier.indexSums()
        state.withLock {
            $0.identitySum &-= indexes.identity
            $0.revisionSum &-= indexes.revision
        }
        try connection.execute("COMMIT")

        if options.scope == .audit {
            try logVerifier.checkTiles(heads.filter { $0.key == .audit }, &report)
            try logVerifier.checkAudit(heads[.audit] ?? 0, &report)
            for (what, name) in [("events", LogName.events), ("copies", .copies)] {
                report.notChecked.append(
                    .init(
                        what: what,
                        records: heads[name] ?? 0,
                        reason: "only the audit trail was asked for"
                    )
                )
            }
            describeTree(heads, logs, &report)
            return report
        }
        let size = heads[.events] ?? 0
        try checkEvents(size)
        let (sums, prefix, partial) = state.withLock {
            (($0.identitySum, $0.revisionSum), $0.donePrefix, $0.report)
        }
        report = partial
        if prefix < size {
            report.cursor = "events:\(prefix)"
            report.notChecked.append(
                .init(what: "events", records: size - prefix, reason: "the time was used up")
            )
            report.notChecked.append(
                .init(what: "copies", records: heads[.copies] ?? 0, reason: "the time was used up")
            )
            report.notChecked.append(
                .init(
                    what: "audit_rows",
                    records: heads[.audit] ?? 0,
                    reason: "the time was used up"
                )
            )
        } else {
            if options.cursor != nil {
                report.notChecked.append(
                    .init(
                        what: "indexes",
                        records: size,
                        reason: "only a run from the beginning compares them"
                    )
                )
            } else if sums != (0, 0) {
                try logVerifier.findIndexDifferences(&report)
            }
            try logVerifier.checkTiles(heads, &report)
            try logVerifier.checkCopies(heads[.copies] ?? 0, &report)
            try logVerifier.checkAudit(heads[.audit] ?? 0, &report)
        }
        if report.checksumsWithoutKey > 0 {
            report.notChecked.append(
                .init(
                    what: "checksums",
                    records: report.checksumsWithoutKey,
                    reason: "they are HMACs whose keys were not given"
                )
            )
        }
        report.findings.sort { ($0.position ?? .max, $0.record) < ($1.position ?? .max, $1.record) }
        describeTree(heads, logs, &report)
        return report
    }

    private func describeTree(
        _ heads: [LogName: Int64],
        _ logs: [LogName: MerkleLog?],
        _ report: inout VerifyReport
    ) {
        func root(_ name: LogName) -> String { (logs[name] ?? nil)?.root.hex ?? "unknown" }
        report.sizes = (heads[.events] ?? 0, heads[.copies] ?? 0, heads[.audit] ?? 0)
        report.roots = (root(.events), root(.copies), root(.audit))
        for name in LogName.allCases where (logs[name] ?? nil) == nil {
            report.add(
                .init(
                    record: "merkle_tiles \(name.rawValue)",
                    finding: "tile",
                    expected: "tiles and a tail for \(heads[name] ?? 0) leaves",
                    actual: "tiles or tail rows are missing or left over"
                )
            )
        }
    }

    /// Shares the events out to workers, chunk by chunk.
    private func checkEvents(_ size: Int64) throws {
        let deadline = options.duration.map { duration -> UInt64 in
            let (seconds, attoseconds) = duration.components
            return ProgressGuard.now() &+ UInt64(clamping: seconds) &* 1_000_000_000
                &+ UInt64(clamping: attoseconds / 1_000_000_000)
        }
        let threads = (0..<max(1, options.workers)).map { _ in HelperThread() }
        let completions = threads.map { thread in
            thread.start { self.work(size, deadline) }
        }
        for completion in completions { completion.wait() }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    private func work(_ size: Int64, _ deadline: UInt64?) {
        do {
            let verifier = try EventVerifier(path, storeOptions, size: size)
            while let first = takeChunk(size, deadline) {
                var report = VerifyReport()
                let last = min(size, first + VerifyLimits.chunk)
                try verifier.check(after: first, through: last, &report)
                finish(first, last, report, size)
            }
            state.withLock {
                $0.identitySum &+= verifier.identitySum
                $0.revisionSum &+= verifier.revisionSum
            }
        } catch {
            state.withLock { $0.failure = StoreError(error, during: "verify", on: path) }
        }
    }

    private func takeChunk(_ size: Int64, _ deadline: UInt64?) -> Int64? {
        if stop.isSet { return nil }
        if let deadline, ProgressGuard.now() > deadline { return nil }
        return state.withLock { state in
            guard state.next < size, state.failure == nil else { return nil }
            defer { state.next += VerifyLimits.chunk }
            return state.next
        }
    }

    private func finish(_ first: Int64, _ last: Int64, _ report: VerifyReport, _ size: Int64) {
        let done = state.withLock { state in
            state.report.events += report.events
            state.report.checksumsWithoutKey += report.checksumsWithoutKey
            for finding in report.findings { state.report.add(finding) }
            state.report.findingCount += report.findingCount - report.findings.count
            state.done.insert(first)
            while state.done.remove(state.donePrefix) != nil {
                state.donePrefix = min(size, state.donePrefix + VerifyLimits.chunk)
            }
            return state.report.events
        }
        options.onProgress?(done, size)
    }
}
