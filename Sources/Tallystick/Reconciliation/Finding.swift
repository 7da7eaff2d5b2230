import TallystickCore
import TallystickSQLite

/// A conflict that comparing found, before it is written.
struct Finding {
    /// What says that the conflict is written.
    enum Mark {
        case none
        case silence(originID: Int64, since: Int64)
        case gap(SequenceRows.Gap)
        case collision
    }

    var kind: ConflictKind
    var severity: String
    var category: String?
    var position: Int64?
    var source: String?
    var eventID: String?
    var origin: String?
    /// A JSON object.
    var detail: String?
    /// The event as appended, where the conflict has candidates.
    var candidate: StoredCandidate?
    var mark = Mark.none

    /// The conflict as a reader would find it.
    func record(_ conflictID: Int64, openedAt: Int64) -> ConflictRecord {
        ConflictRecord(
            conflictID: conflictID,
            kind: kind,
            severity: severity,
            category: category,
            position: position,
            source: source,
            eventID: eventID,
            origin: origin,
            openedAt: openedAt
        )
    }

    var state: ConflictState {
        ConflictState(
            isOpen: true,
            policy: nil,
            origins: Set([candidate?.origin, origin].compactMap { $0 }).sorted()
                .joined(separator: ", "),
            candidates: candidate == nil ? 0 : 1
        )
    }
}

/// Writes findings as conflicts.
struct FindingWriter {
    let store: StoreWriter
    let scans: ScanRows
    let sequences: SequenceRows
    let waiting: WaitingRows

    /// Opens a conflict, in the transaction that is open; nil where there is one already.
    @discardableResult
    func write(_ finding: Finding, actor: String, waits: Bool = true) throws -> Int64? {
        if let position = finding.position,
            try store.conflicts.hasConflict(at: position, finding.kind, origin: finding.origin)
        {
            return nil
        }
        let conflictID = try store.conflicts.nextConflictID()
        // Conflicts that ingest opened meanwhile are taken in, so that this one is not taken for one of them.
        let known = try scans.last(.conflicts)
        try waiting.addConflicts(after: known, through: conflictID - 1)
        try scans.setLast(.conflicts, conflictID)
        let now = store.clock()
        let row = AuditRow(
            kind: .conflict,
            recordedAt: now,
            actor: actor,
            position: finding.position,
            conflictID: conflictID
        )
        try store.addAudit(row, tables: [.conflicts, .conflictCandidates]) { sequence in
            try store.conflicts.add(
                NewConflict(
                    conflictID: conflictID,
                    kind: finding.kind,
                    severity: finding.severity,
                    category: finding.category,
                    position: finding.position,
                    source: finding.source,
                    eventID: finding.eventID,
                    origin: finding.origin,
                    openedAt: now,
                    detail: finding.detail
                ),
                auditSequence: sequence
            )
            guard let candidate = finding.candidate else { return }
            try store.conflicts.add(
                candidate,
                to: conflictID,
                differsIn: nil,
                auditSequence: sequence
            )
        }
        try store.conflicts.setState(finding.state, of: conflictID)
        switch finding.mark {
        case .none: break
        case .silence(let originID, let since):
            try scans.addSilence(of: originID, since: since, conflictID: conflictID)
        case .gap(let gap): try sequences.setConflict(conflictID, over: gap)
        case .collision:
            guard let position = finding.position else { break }
            try sequences.setConflict(conflictID, overCollisionAt: position)
        }
        if waits { try waiting.add(conflictID, isNew: true) }
        return conflictID
    }
}
