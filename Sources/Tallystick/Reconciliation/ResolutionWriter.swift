import TallystickCore
import TallystickSQLite

/// A decision over a conflict, by a policy or a person, before it is written.
struct NewDecision {
    /// The name under which people decide.
    static let manualPolicy = "manual"

    var conflictID: Int64
    var decision: Decision
    /// Of the candidates from which the decision was made.
    var candidatesDigest: SHA256Digest
    /// The newest resolution of the conflict when the decision was made, which it takes the place of.
    var supersedes: Int64?
    var winner: StoredCandidate?
    /// The delivery path that was preferred; nil: the one that brought the winner first.
    var winnerOrigin: String?
    /// What counts from now on, in canonical form. Nil: the event as appended, or none.
    var content: [UInt8]?
    var policy = Self.manualPolicy
    var policyVersion = "1"
    var configurationVersion: Int64
    var tieBreak: String?
    /// Where each field comes from: a JSON object.
    var provenance: String?
    var actor: String
    var reason: String?
    /// The run of reconciliation that decided, and its clock.
    var run: (number: Int64, asOf: Int64)?

    var isManual: Bool { policy == Self.manualPolicy }
}

/// Commits decisions, whoever made them: the audit row, the state of the conflict, and what its
/// position counts as from now on.
struct ResolutionWriter {
    /// What became of a decision.
    enum Outcome: Equatable {
        case committed(resolutionID: Int64)
        /// The candidates have changed: decide again.
        case candidatesChanged
        /// Another decision was made meanwhile, or a person's stands. Nil: a person opened the conflict again,
        /// and a person decides it.
        case decidedByOther(resolutionID: Int64?)
    }

    private let store: StoreWriter
    private let candidates: CandidateReader

    init(_ store: StoreWriter) {
        self.store = store
        candidates = CandidateReader(store.conflicts, store.copies, store.reader)
    }

    /// Commits a decision, in the transaction that is open, if what it was made from still holds.
    func commit(_ decision: NewDecision) throws -> Outcome {
        guard let current = try candidates.read(decision.conflictID) else {
            throw Self.unknown(decision.conflictID)
        }
        if let refusal = try refusal(of: decision, current) { return refusal }
        guard current.digest == decision.candidatesDigest else { return .candidatesChanged }
        let resolutionID = try store.resolutions.nextID()
        let now = store.clock()
        let subject = try current.conflict.position.map {
            try self.subject(at: $0, decision.content)
        }
        try write(decision, resolutionID, current.conflict, subject, now)
        var state = current.state
        state.isOpen = false
        state.resolutionID = resolutionID
        state.blockedBy = nil
        try store.conflicts.states.set(state, of: decision.conflictID)
        if let subject, decision.decision != .acceptMissing {
            try store.effective.resolve(
                position: subject.position,
                conflictID: decision.conflictID,
                resolutionID: resolutionID,
                decision: decision.decision,
                fields: try decision.content.map { try EventFields(content: $0) },
                checksum: subject.after,
                keyID: subject.afterKeyID
            )
        }
        return .committed(resolutionID: resolutionID)
    }

    /// Whether another decision stands in the way.
    private func refusal(
        of decision: NewDecision,
        _ current: CandidateSet
    ) throws -> Outcome? {
        let state = current.state
        guard state.resolutionID == decision.supersedes else {
            return .decidedByOther(resolutionID: state.resolutionID)
        }
        if decision.isManual {
            return state.isOpen ? nil : .decidedByOther(resolutionID: state.resolutionID)
        }
        if state.isOpen {
            let isReopened = state.blockedBy == ConflictState.reopened
            return isReopened ? .decidedByOther(resolutionID: nil) : nil
        }
        guard let standing = state.resolutionID else { return nil }
        let isByPerson = try store.resolutions.policy(of: standing) == NewDecision.manualPolicy
        return isByPerson ? .decidedByOther(resolutionID: standing) : nil
    }

    // MARK: The event

    private struct Subject {
        var position: Int64
        /// What counts from now on, unless nothing does.
        var content: [UInt8]
        /// Of the event as appended, as it is stored.
        var before: [UInt8]
        /// Of what counts from now on.
        var after: Checksum
        var afterKeyID: String?
    }

    private func subject(at position: Int64, _ decided: [UInt8]?) throws -> Subject {
        let subject = try store.reader.withRow(at: position) { row in
            guard try store.reader.readContent(row) else { throw damaged(position) }
            let content = decided ?? store.reader.content
            let stored = ChecksumAlgorithm(name: row.bytes(at: EventColumn.checksumAlgorithm))
            let key = try store.demandedKey(
                for: try store.reader.name(.categories, of: row),
                during: "resolve the conflict"
            )
            return Subject(
                position: position,
                content: content,
                before: row.blob(at: EventColumn.checksum),
                after: content.withUnsafeBytes { bytes in
                    if let key { return Checksum(hmac: key.hmac, of: bytes) }
                    return stored == .crc32
                        ? Checksum(crc32Of: bytes)
                        : Checksum(sha256: SHA256Digest(hashing: bytes))
                },
                afterKeyID: key?.id
            )
        }
        guard let subject else { throw damaged(position) }
        return subject
    }

    private func damaged(_ position: Int64) -> StoreError {
        StoreError(
            .integrity,
            during: "resolve the conflict",
            on: "position \(position)",
            "the event, or a name that it uses, is missing",
            hint: "Run 'tally verify'"
        )
    }

    // MARK: Rows

    private func write(
        _ decision: NewDecision,
        _ resolutionID: Int64,
        _ conflict: ConflictRecord,
        _ subject: Subject?,
        _ now: Int64
    ) throws {
        var row = NewResolution(
            resolutionID: resolutionID,
            conflictID: decision.conflictID,
            // A resolution with a position changes what counts there.
            position: decision.decision == .acceptMissing ? nil : conflict.position,
            afterPosition: store.size(of: .events),
            decidedAt: now,
            policy: decision.policy,
            policyVersion: decision.policyVersion,
            configurationVersion: decision.configurationVersion,
            decision: decision.decision.rawValue,
            actor: decision.actor,
            reason: decision.reason,
            candidatesDigest: decision.candidatesDigest.hex
        )
        row.winnerOrigin = decision.winnerOrigin ?? decision.winner?.origin
        row.winnerCandidate = decision.winner?.candidate
        row.tieBreak = decision.tieBreak
        row.provenance = decision.provenance
        row.supersedes = decision.supersedes
        if let subject, decision.decision != .acceptMissing {
            addChecksums(of: decision, subject, to: &row)
        }
        let audit = AuditRow(
            kind: .resolution,
            recordedAt: now,
            actor: decision.actor,
            reason: decision.reason,
            position: conflict.position,
            conflictID: decision.conflictID,
            detail: detail(of: decision)
        )
        try store.addAudit(audit, tables: [.resolutions]) { sequence in
            try store.add(row, auditSequence: sequence)
        }
    }

    /// What it takes to derive the decision again: how many copies there were, and the run's clock.
    private func detail(of decision: NewDecision) -> String {
        let copies = "\"copies\":\(store.size(of: .copies))"
        guard let run = decision.run else { return "{\(copies)}" }
        return "{\"as_of\":\(run.asOf),\(copies),\"run\":\(run.number)}"
    }

    private func addChecksums(
        of decision: NewDecision,
        _ subject: Subject,
        to row: inout NewResolution
    ) {
        row.checksumAlgorithm = subject.after.algorithm.rawValue
        row.checksumKeyID = subject.afterKeyID
        row.checksumBefore = Hex.string(subject.before)
        guard decision.decision != .exclude else { return }
        row.checksumAfter = subject.after.hex
        row.contentDigest = SHA256Digest(hashing: subject.content).hex
        row.content = decision.content
    }

    static func unknown(_ conflictID: Int64) -> StoreError {
        StoreError(
            .notFound,
            during: "resolve the conflict",
            on: "conflict \(conflictID)",
            "there is no such conflict",
            hint: "See 'tally conflicts list --all'"
        )
    }
}
