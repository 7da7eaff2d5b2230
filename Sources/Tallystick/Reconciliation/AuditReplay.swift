import TallystickCore
import TallystickSQLite

/// What deriving every decision again found.
public struct AuditReplayReport: Sendable, Equatable {
    /// A decision that does not follow from what it says it was made from.
    public struct Drift: Sendable, Equatable {
        /// 0 where the decision itself is missing.
        public var resolutionID: Int64
        /// The conflict that was decided.
        public var conflictID: Int64
        /// What differs: `candidates`, `configuration`, `decision`, `content`, `winner_origin`, `tie_break`, `policy`,
        /// `policy_version`, `provenance`, `evidence`; `resolution` where the decision is missing.
        public var what: String
        /// As the decision was stored.
        public var expected: String
        /// As it follows from the store.
        public var actual: String
    }

    /// Decisions derived again.
    public var derived: Int64 = 0
    /// Decisions of people, whose candidates and content were checked.
    public var manual: Int64 = 0
    /// Decisions of programs' policies, which cannot be derived again; their candidates and content were checked.
    public var notDerivable: Int64 = 0
    /// The first drifts, in order of their decisions; at most 1000.
    public var drifts: [Drift] = []
    /// All drifts; ``drifts`` holds the first 1000.
    public var driftCount = 0

    private static let listed = 1000

    /// Drifts of decisions come in any order; the first of them are kept.
    mutating func add(_ drift: Drift) {
        driftCount += 1
        drifts.append(drift)
        if drifts.count >= 2 * Self.listed { shorten() }
    }

    /// Puts drifts in the order of their decisions, those last whose decision is missing, and drops what is too many.
    mutating func shorten() {
        func key(_ index: Int) -> (Int64, Int) {
            let id = drifts[index].resolutionID
            return (id == 0 ? .max : id, index)
        }
        let order = drifts.indices.sorted { key($0) < key($1) }
        drifts = order.prefix(Self.listed).map { drifts[$0] }
    }
}

extension EventStore {
    /// Derives every decision again: from the candidates there were when it was made, under the configuration in force
    /// then. Reads only.
    public func replayAudit(
        onProgress: (@Sendable (_ progress: ProgressUpdate) -> Void)? = nil
    ) async throws(StoreError) -> AuditReplayReport {
        let (path, storeOptions) = (path, self.options)
        let stop = StopFlag()
        return try await Self.attempt("derive the decisions again", path) {
            try await withTaskCancellationHandler {
                try await runOnThread {
                    let connection = try StoreFile.openForReading(path, storeOptions)
                    return try AuditReplay(connection, stop).run(onProgress)
                }
            } onCancel: {
                stop.set()
            }
        }
    }
}

/// Derives decisions again, those over one conflict one after the other: most of them were made from the same
/// candidates.
final class AuditReplay {
    private static let chunk = 1000
    /// Rows of the trail that one read transaction looks at.
    private static let missingChunk = 10_000

    /// A stored decision.
    fileprivate struct Stored {
        var resolutionID: Int64
        var auditSequence: Int64
        var conflictID: Int64
        var policy: String
        var policyVersion: String
        var configurationVersion: Int64
        var decision: String
        var winnerOrigin: String?
        var tieBreak: String?
        var candidates: String
        var content: SHA256Digest?
        var contentDigest: String?
        var provenance: String?
        /// Nil where the audit row's `detail` is damaged.
        var moment: DecisionMoment?
    }

    /// Further decisions over a conflict.
    private let same: Statement
    /// Decisions over the conflicts after one.
    private let others: Statement
    private let total: Statement
    private let lost: RecordedDecision.LostRows
    private let lastSequence: Statement
    private let candidates: CandidateReader
    private let decided: DecidedCandidates
    private let history: ConfigurationHistory
    private let stop: StopFlag
    private var engines: [Int64: PolicyEngine] = [:]
    private var report = AuditReplayReport()

    init(_ connection: Connection, _ stop: StopFlag) throws {
        func decisions(_ condition: String) throws(SQLiteError) -> Statement {
            try connection.prepare(
                """
                SELECT r.resolution_id, r.audit_sequence, r.conflict_id, r.policy, r.policy_version,
                    r.configuration_version, r.decision, r.winner_origin, r.tie_break, r.candidates_digest,
                    r.content, r.content_sha256, r.provenance, a.detail
                FROM resolutions AS r
                LEFT JOIN audit_trail AS a ON a.audit_sequence = r.audit_sequence
                WHERE \(condition) AND r.resolution_id <= ?3
                ORDER BY r.conflict_id, r.resolution_id
                LIMIT ?4
                """
            )
        }
        same = try decisions("r.conflict_id = ?1 AND r.resolution_id > ?2")
        others = try decisions("r.conflict_id > ?1")
        // Not by an index: where one lacks rows, what was read does not add up.
        total = try connection.prepare(
            "SELECT count(*), coalesce(max(resolution_id), 0) FROM resolutions NOT INDEXED"
        )
        lost = try RecordedDecision.LostRows(in: connection)
        lastSequence = try connection.prepare(
            "SELECT coalesce(max(audit_sequence), 0) FROM audit_trail"
        )
        candidates = try CandidateReader(in: connection)
        decided = DecidedCandidates(candidates)
        history = try ConfigurationHistory(in: connection)
        self.stop = stop
    }

    func run(_ onProgress: ((ProgressUpdate) -> Void)?) throws -> AuditReplayReport {
        let (count, end) =
            try total.first { ($0.int64(at: 0), $0.int64(at: 1)) } ?? (0, 0)
        var last: (conflict: Int64, resolution: Int64) = (.min, 0)
        var done: Int64 = 0
        while true {
            if stop.isSet {
                throw StoreError(
                    .interrupted,
                    during: "derive the decisions again",
                    "it was stopped"
                )
            }
            let batch = try read(after: last, through: end)
            guard let newest = batch.last else { break }
            for stored in batch { try check(stored) }
            last = (newest.conflictID, newest.resolutionID)
            done += Int64(batch.count)
            onProgress?(ProgressUpdate(done: done, total: max(done, count)))
        }
        guard done == count else {
            throw StoreError(
                .corrupt,
                during: "derive the decisions again",
                on: "index resolutions_by_conflict",
                "it has \(done) of \(count) decisions",
                hint: "Run 'tally doctor', and restore a backup"
            )
        }
        try addMissing()
        report.shorten()
        return report
    }

    /// Decisions of which only the trail knows.
    private func addMissing() throws(SQLiteError) {
        let end = try lastSequence.optionalInt64() ?? 0
        for start in stride(from: Int64(0), to: end, by: Self.missingChunk) {
            let range = try lost.read(after: start, through: start + Int64(Self.missingChunk))
            for decision in range {
                report.add(
                    .init(
                        resolutionID: 0,
                        conflictID: decision.conflictID,
                        what: "resolution",
                        expected: "a decision by audit row \(decision.sequence)",
                        actual: "nothing"
                    )
                )
            }
        }
    }

    /// The decisions that come next, in order of their conflicts, then of their ids.
    private func read(
        after last: (conflict: Int64, resolution: Int64),
        through end: Int64
    ) throws(SQLiteError) -> [Stored] {
        var found: [Stored] = []
        for rows in [same, others] where found.count < Self.chunk {
            try rows.bind(last.conflict, at: 1)
            try rows.bind(last.resolution, at: 2)
            try rows.bind(end, at: 3)
            try rows.bind(Int64(Self.chunk - found.count), at: 4)
            while try rows.step() { found.append(Stored(rows)) }
            try rows.reset()
        }
        return found
    }

    private func check(_ stored: Stored) throws {
        if let content = stored.content, content.hex != stored.contentDigest {
            add(stored, "content", stored.contentDigest, content.hex)
        }
        guard let made = stored.moment else {
            let record = "the detail of audit_trail \(stored.auditSequence)"
            return add(stored, "evidence", record, "another text")
        }
        let moment = CandidateReader.Moment(
            auditSequence: stored.auditSequence,
            copies: made.copies ?? .max
        )
        guard let set = try decided.candidates(of: stored.conflictID, at: moment) else {
            return add(stored, "evidence", "conflict \(stored.conflictID)", nil)
        }
        if !set.isMeant(by: stored.candidates, isDated: made.copies != nil) {
            add(stored, "candidates", stored.candidates, set.digest.hex)
        }
        if stored.policy == NewDecision.manualPolicy {
            report.manual += 1
            return
        }
        if stored.policy == Evaluator.latePolicy { return try checkLate(stored, set, moment) }
        guard let settings = history.settings(of: stored.configurationVersion) else {
            return add(stored, "configuration", "\(stored.configurationVersion)", nil)
        }
        try derive(stored, settings, asOf: made.asOf)
    }

    /// A copy that was missing must be there.
    private func checkLate(
        _ stored: Stored,
        _ set: CandidateSet,
        _ moment: CandidateReader.Moment
    ) throws {
        report.derived += 1
        guard let position = set.conflict.position, let origin = set.conflict.origin else { return }
        let isThere = try candidates.copies.deliveries(of: position, through: moment.copies)
            .contains { $0.origin.utf8.elementsEqual(origin.utf8) }
        if !isThere { add(stored, "evidence", "a copy from \(origin)", nil) }
    }

    private func derive(
        _ stored: Stored,
        _ settings: StoreSettings,
        asOf: Int64
    ) throws {
        let engine = engines[stored.configurationVersion] ?? PolicyEngine(settings)
        engines[stored.configurationVersion] = engine
        let policyCase: ConflictCase
        do {
            policyCase = try decided.policyCase(
                rules: settings.comparison,
                keepsContent: engine.readsContent(of: decided.category ?? ""),
                asOf: asOf
            )
        } catch let error as StoreError where error.code == .integrity {
            return add(stored, "evidence", "the content of its candidates", error.message)
        }
        var asksProgram = false
        let outcome = engine.decide(policyCase) { _, _ in
            asksProgram = true
            return .passed
        }
        if asksProgram {
            report.notDerivable += 1
            return
        }
        report.derived += 1
        guard case .decided(let decision) = outcome else {
            return add(stored, "decision", stored.decision, "open")
        }
        compare(stored, decision)
    }

    private func compare(_ stored: Stored, _ decision: PolicyDecision) {
        let content =
            decision.decision == .acceptMissing ? nil : decision.contentDigest?.hex
        let provenance =
            decision.provenance.isEmpty
            ? nil : String(decoding: decision.provenanceJSON, as: UTF8.self)
        let pairs: [(String, String?, String?)] = [
            ("policy", stored.policy, decision.policy),
            ("policy_version", stored.policyVersion, decision.policyVersion),
            ("decision", stored.decision, decision.decision.rawValue),
            ("content", stored.contentDigest, content),
            ("winner_origin", stored.winnerOrigin, decision.winnerOrigin),
            ("tie_break", stored.tieBreak, decision.tieBreak),
            ("provenance", stored.provenance, provenance),
        ]
        for (what, expected, actual) in pairs where expected != actual {
            add(stored, what, expected, actual)
        }
    }

    private func add(_ stored: Stored, _ what: String, _ expected: String?, _ actual: String?) {
        report.add(
            .init(
                resolutionID: stored.resolutionID,
                conflictID: stored.conflictID,
                what: what,
                expected: expected ?? "nothing",
                actual: actual ?? "nothing"
            )
        )
    }
}

extension AuditReplay.Stored {
    /// The current row of a statement.
    fileprivate init(_ row: Statement) {
        self.init(
            resolutionID: row.int64(at: 0),
            auditSequence: row.int64(at: 1),
            conflictID: row.int64(at: 2),
            policy: row.text(at: 3),
            policyVersion: row.text(at: 4),
            configurationVersion: row.int64(at: 5),
            decision: row.text(at: 6),
            winnerOrigin: row.textIfPresent(at: 7),
            tieBreak: row.textIfPresent(at: 8),
            candidates: row.text(at: 9),
            content: row.isNull(at: 10)
                ? nil : row.withBytes(at: 10) { SHA256Digest(hashing: $0) },
            contentDigest: row.textIfPresent(at: 11),
            provenance: row.textIfPresent(at: 12),
            moment: DecisionMoment(detail: row.textIfPresent(at: 13))
        )
    }
}

/// What the `detail` of a decision's audit row says of the moment of the decision.
struct DecisionMoment {
    /// How many copies there were; nil for decisions of schema 1, which do not say.
    var copies: Int64?
    /// The clock of the run that decided; 0 for people.
    var asOf: Int64 = 0

    /// - returns: nil for a text that is not what Tallystick writes.
    init?(detail: String?) {
        guard let detail else { return }
        let root = AuditDetail.members(of: detail)
        guard let root, let copies = root.number("copies") else { return nil }
        self.copies = copies
        guard root.names("as_of") else { return }
        guard let asOf = root.number("as_of") else { return nil }
        self.asOf = asOf
    }
}
