import TallystickCore
import TallystickSQLite

/// One verification run: pins the ends of the logs, divides the work, and sums up.
final class Verification: Sendable {
    private let path: String
    private let storeOptions: StoreOptions
    private let options: VerifyOptions
    private let stop: StopFlag
    private let deadline: UInt64?
    let heads: LogHeads
    private let storedHeads: StoredHeads.HeadCheckResult
    /// The parts that could not be read when the run began, and the number of records skipped because of that.
    private let unread: [(what: String, records: Int64)]
    /// Whether damaged pages are known before the run.
    private let isDamaged: Bool
    private let againstFindings: [VerifyFinding]
    /// The part that an earlier, complete run checked: the same sizes, all or less.
    private let base: [MerkleLogName: Int64]
    private let sums: KeySums
    private let demands: ChecksumDemands
    /// nil if it cannot be read.
    private let storeID: String?
    /// Ids of names when the run began.
    private let lastName: [NameDictionary: Int64]
    private let isResumed: Bool
    private let state: POSIXMutex<State>

    private struct State {
        var lanes = VerifyLanes()
        var report = VerifyReport()
        /// Sums over the keys of events minus those of index rows: zero if the two agree.
        var differences: [IndexTable: UInt64] = [:]
        var usedNames: [NameDictionary: IDSet] = [:]
        var failure: StoreError?
        var damage = VerifyDamage()
    }

    /// Begins a run: pins its extent in one read transaction. Rows up to there never change.
    static func begin(
        _ path: String,
        _ storeID: String,
        _ storeOptions: StoreOptions,
        _ options: VerifyOptions,
        _ stop: StopFlag
    ) throws -> Verification {
        let connection = try StoreFile.openForReading(path, storeOptions)
        return try connection.read {
            try Verification(connection, path, storeOptions, options, stop, isDamaged: false) {
                storeID
            }
        }
    }

    /// Begins a run over a store that cannot be opened, because pages of its file are damaged. A cursor is of no use:
    /// the run starts from the beginning.
    static func begin(
        damaged path: String,
        _ storeOptions: StoreOptions,
        _ options: VerifyOptions,
        _ stop: StopFlag
    ) throws -> Verification {
        var options = options
        options.cursor = nil
        let connection = try StoreFile.openForReading(path, storeOptions)
        return try connection.read {
            try Verification(connection, path, storeOptions, options, stop, isDamaged: true) {
                try StoreIdentity.read(from: connection).storeID
            }
        }
    }

    private init(
        _ connection: Connection,
        _ path: String,
        _ storeOptions: StoreOptions,
        _ options: VerifyOptions,
        _ stop: StopFlag,
        isDamaged: Bool,
        identity: () throws -> String
    ) throws {
        self.path = path
        self.storeOptions = storeOptions
        self.options = options
        self.stop = stop
        deadline = options.duration.map { ProgressGuard.now() &+ $0.nanoseconds }
        var unread: [(what: String, records: Int64)] = []
        /// The readable part of it; nil, and noted, if pages are damaged.
        func readable<Value>(
            _ what: String,
            _ records: Int = 1,
            _ body: () throws -> Value
        ) throws -> Value? {
            do {
                return try body()
            } catch  where StoreError.isCorruption(error) {
                if records > 0 { unread.append((what, Int64(records))) }
                return nil
            }
        }
        let storeID = try readable("the store's id") { try identity() }
        self.storeID = storeID
        let ring = storeOptions.checksummer.ring
        let cursor = try options.cursor.map {
            try VerifyCursor($0, storeID: storeID ?? "", ring)
        }
        let merkle = try MerkleRows(in: connection)
        let current = try LogHeads(in: connection, merkle)
        heads = try cursor.map { try $0.heads(within: current, merkle) } ?? current
        storedHeads =
            try readable("tree_heads") {
                guard let storeID else { throw StoreIdentity.unreadable }
                return try StoredHeads(in: connection, storeID: storeID, ring).check()
            } ?? StoredHeads.HeadCheckResult()
        let kept = try readable("heads that were kept", options.against.count) {
            guard let storeID else { throw StoreIdentity.unreadable }
            let comparison = try HeadComparison(in: connection, storeID: storeID)
            return try options.against.flatMap { try comparison.findings($0, record: "note") }
        }
        againstFindings = kept ?? []
        base = cursor?.base ?? [:]
        isResumed = cursor != nil
        sums = KeySums(hash: cursor.map { ByteSum(seed: $0.seed) } ?? ByteSum())
        demands =
            try readable("what categories demanded of checksums") {
                try ChecksumDemands(from: connection)
            } ?? .unknown
        let stray = StrayRows(in: connection)
        var lastName: [NameDictionary: Int64] = [:]
        for dictionary in NameDictionary.allCases {
            lastName[dictionary] = try readable("names of \(dictionary.table)") {
                try VerifyLanes.count(dictionary.idColumn, dictionary.table, stray)
            }
        }
        self.lastName = lastName
        self.unread = unread
        self.isDamaged = isDamaged || !unread.isEmpty || !current.uncounted.isEmpty
        state = POSIXMutex(try Self.initialState(options.scope, heads, base, cursor, stray))
    }

    private static func initialState(
        _ scope: VerifyOptions.Scope,
        _ heads: LogHeads,
        _ base: [MerkleLogName: Int64],
        _ cursor: VerifyCursor?,
        _ stray: StrayRows
    ) throws -> State {
        var initial = State()
        initial.lanes = try VerifyLanes(scope, heads, base, stray)
        initial.differences = cursor?.differences ?? [:]
        initial.report.earlierFindings = cursor?.findings ?? 0
        if let cursor, !cursor.isComplete, !initial.lanes.resume(from: cursor.keys) {
            throw VerifyCursor.malformed
        }
        return initial
    }

    // MARK: The run

    func run() throws -> VerifyReport {
        try workInParallel()
        if isDamaged { try noteDamage(nil) }
        try probeOtherPages()
        if state.withLock({ $0.lanes.isDone }), options.scope == .everything {
            do {
                try conclude()
            } catch  where StoreError.isCorruption(error) {
                try noteDamage(error)
                state.withLock { $0.damage.leavesNames = true }
            }
        }
        var report = state.withLock { $0.report }
        report.storeID = storeID
        for finding in heads.findings + storedHeads.findings + againstFindings {
            report.add(finding)
        }
        let damage = state.withLock { $0.damage }
        for finding in damage.findings { report.add(finding) }
        report.heads = storedHeads.heads
        report.findings.sort {
            ($0.position?.rawValue ?? .max, $0.record) < ($1.position?.rawValue ?? .max, $1.record)
        }
        describeTree(&report)
        describeRest(&report)
        return report
    }

    private func workInParallel() throws {
        let threads = try (0..<max(1, options.workers)).map { _ in try HelperThread() }
        let completions = threads.map { thread in thread.start { self.work() } }
        for completion in completions { completion.wait() }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    private var isOutOfTime: Bool {
        stop.isSet || deadline.map { ProgressGuard.now() > $0 } ?? false
    }

    private func work() {
        do {
            var worker = try makeWorker()
            while !isOutOfTime, let chunk = take() {
                do {
                    try run(chunk, worker)
                } catch  where StoreError.isCorruption(error) {
                    // Its statements stopped wherever they failed.
                    takeNames(of: worker)
                    worker = try salvage(chunk, error)
                }
            }
            takeNames(of: worker)
        } catch {
            state.withLock { $0.failure = StoreError(error, during: "verify", on: path) }
        }
    }

    private func makeWorker() throws -> VerifyWorker {
        try VerifyWorker(path, storeOptions, demands, sums, indexed: indexedPositions)
    }

    private func run(_ chunk: VerifyLanes.Chunk, _ worker: VerifyWorker) throws {
        var report = VerifyReport()
        var differences: [IndexTable: UInt64] = [:]
        let next = try worker.run(chunk, &report, &differences)
        finish(chunk, next, report, differences)
    }

    private func takeNames(of worker: VerifyWorker) {
        state.withLock { state in
            for dictionary in NameDictionary.allCases {
                state.usedNames[dictionary, default: IDSet()].formUnion(
                    worker.usedNames(dictionary)
                )
            }
        }
    }

    // MARK: Damaged pages

    /// Checks the readable parts of a piece that cannot be read completely.
    ///
    /// - returns: a worker to continue with.
    private func salvage(_ chunk: VerifyLanes.Chunk, _ error: any Error) throws -> VerifyWorker {
        try noteDamage(error)
        var worker = try makeWorker()
        var checked: Int64 = 0
        let pieces = state.withLock { $0.damage.readablePieces(of: chunk) }
        for piece in pieces where !isOutOfTime {
            do {
                try run(piece, worker)
                checked += piece.records
            } catch  where StoreError.isCorruption(error) {
                takeNames(of: worker)
                worker = try makeWorker()
            }
        }
        state.withLock { state in
            let records = state.lanes.records(chunk.lane)
            let next = state.damage.leave(chunk, checked: checked, records: records)
            state.lanes.finish(chunk, next: next)
        }
        return worker
    }

    /// Reads the pages that nothing else reads, of indexes and of tables that are not evidence: once for a store, and
    /// not again in runs that continue from a complete one.
    private func probeOtherPages() throws {
        guard options.scope == .everything, base.values.allSatisfy({ $0 == 0 }), !isOutOfTime,
            state.withLock({ $0.lanes.isDone && $0.damage.pages == nil })
        else { return }
        do {
            let connection = try StoreFile.openForReading(path, storeOptions)
            try PageProbe(in: connection, until: { self.isOutOfTime }).touchOthers()
        } catch  where StoreError.isCorruption(error) {
            try noteDamage(error)
        }
    }

    /// Determines once which tables cannot be read.
    ///
    /// - parameter error: nil if damaged pages are known for another reason.
    private func noteDamage(_ error: (any Error)?) throws {
        if state.withLock({ $0.damage.pages != nil }) { return }
        let connection = try StoreFile.openForReading(path, storeOptions)
        let pages = try PageProbe(in: connection, until: { self.isOutOfTime }).run()
        let message = error.map { StoreError($0, during: "verify").message } ?? ""
        state.withLock { state in
            guard state.damage.pages == nil else { return }
            state.damage.pages = pages
            state.damage.message = message
        }
    }

    /// Positions whose index rows are added up.
    private var indexedPositions: Range<Int64> {
        let first = (base[.events] ?? 0) + 1
        return first..<max(first, heads.size(.events) + 1)
    }

    private func take() -> VerifyLanes.Chunk? {
        state.withLock { $0.failure == nil ? $0.lanes.take() : nil }
    }

    private func finish(
        _ chunk: VerifyLanes.Chunk,
        _ next: [SQLValue]?,
        _ report: VerifyReport,
        _ differences: [IndexTable: UInt64]
    ) {
        let done = state.withLock { state in
            state.report.merge(report)
            for (table, difference) in differences {
                state.differences[table, default: 0] &+= difference
            }
            state.lanes.finish(chunk, next: next)
            return state.report.events
        }
        options.onProgress?(ProgressUpdate(done: done, total: heads.size(.events)))
    }

    /// Checks that require everything to be read: names the rows in which sums differ, and unused names.
    private func conclude() throws {
        let conclusion = try VerifyConclusion(path, storeOptions)
        var report = VerifyReport()
        let (differences, used, isWhole) = state.withLock {
            ($0.differences, $0.usedNames, $0.damage.pages == nil)
        }
        // If rows cannot be read, sums differ, and names that they use seem unused.
        for table in IndexTable.allCases where isWhole && differences[table] ?? 0 != 0 {
            try conclusion.nameDifferences(
                table,
                after: base[.events] ?? 0,
                through: heads.size(.events),
                until: { self.isOutOfTime },
                &report
            )
        }
        for dictionary in NameDictionary.allCases {
            try conclusion.checkNames(
                dictionary,
                through: lastName[dictionary] ?? 0,
                // A run that continues another one has not seen the rows that that one read.
                used: isResumed || !isWhole ? nil : used[dictionary] ?? IDSet(),
                until: { self.isOutOfTime },
                &report
            )
        }
        state.withLock { $0.report.merge(report) }
    }

    // MARK: The report

    private func describeTree(_ report: inout VerifyReport) {
        func root(_ name: MerkleLogName) -> String { heads.roots[name]?.hex ?? "unknown" }
        report.sizes = (heads.size(.events), heads.size(.copies), heads.size(.audit))
        report.roots = (root(.events), root(.copies), root(.audit))
    }

    private func describeRest(_ report: inout VerifyReport) {
        let (lanes, damage) = state.withLock { ($0.lanes, $0.damage) }
        report.isComplete = lanes.isDone && damage.pages == nil
        func leave(_ what: String, _ records: Int64, _ reason: String) {
            if records > 0 {
                report.notChecked.append(.init(what: what, records: records, reason: reason))
            }
        }
        let reason = stop.isSet ? "it was stopped" : "the time limit was reached"
        for rest in lanes.rest { leave(rest.name, rest.records, reason) }
        for (what, records) in damage.left { leave(what, records, VerifyDamage.reason) }
        if damage.pages != nil {
            for (what, records) in unread { leave(what, records, VerifyDamage.reason) }
            for table in IndexTable.allCases {
                leave("\(table.rawValue) against events", heads.size(.events), VerifyDamage.whole)
            }
            if damage.leavesNames {
                leave("names", max(1, lastName.values.reduce(0, +)), VerifyDamage.reason)
            }
        }
        leave("tree_heads", storedHeads.withoutKey, "they carry HMACs whose keys were not given")
        leave("checksums", report.checksumsWithoutKey, "they are HMACs whose keys were not given")
        if options.scope == .audit {
            for log in [MerkleLogName.events, .copies] {
                leave(log.rawValue, heads.size(log), "only the audit trail was requested")
            }
            return
        }
        if isResumed {
            let earlier = "an earlier run checked them"
            let rest = lanes.rest.reduce(into: [:]) { $0[$1.name] = $1.records }
            let checked: [(MerkleLogName, String, Int64)] = [
                (.events, "events", report.events), (.copies, "copies", report.copies),
                (.audit, "audit_rows", report.auditRows),
            ]
            for (log, name, count) in checked {
                leave(name, heads.size(log) - count - (rest[name] ?? 0), earlier)
            }
            let names = lastName.values.reduce(0, +)
            leave("names", names, "only an uninterrupted run finds unused names")
        }
        // A run that continues from here would treat unreadable parts as checked.
        guard damage.pages == nil else { return }
        let found = report.findingCount + report.earlierFindings
        guard !report.isComplete || found == 0 else { return }
        report.cursor =
            VerifyCursor(
                storeID: storeID ?? "",
                heads: heads,
                base: base,
                seed: sums.hash.seed,
                differences: state.withLock { $0.differences },
                findings: found,
                keys: report.isComplete ? nil : lanes.keys
            ).text(sealedWith: storeOptions.checksummer.ring)
    }
}

extension Duration {
    /// At least zero, and at most what fits.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = UInt64(clamping: seconds).multipliedReportingOverflow(
            by: 1_000_000_000
        )
        return overflow ? .max / 2 : whole &+ UInt64(clamping: attoseconds / 1_000_000_000)
    }
}
