import TallystickCore
package import TallystickSQLite

/// A conflict that comparing found, before it is written.
package struct DetectedConflict {
    /// What says that the conflict is written.
    package enum Mark {
        case none
        case silence(originID: Int64, since: Int64)
        case gap(SequenceRows.Gap)
        case collision
    }

    /// Its number and time are those of its writing.
    package var conflict: ConflictRecord
    /// The event as appended, where the conflict has candidates.
    package var candidate: StoredCandidate?
    package var mark = Mark.none

    package init(
        conflict: ConflictRecord,
        candidate: StoredCandidate? = nil,
        mark: Mark = .none
    ) {
        self.conflict = conflict
        self.candidate = candidate
        self.mark = mark
    }

    package var state: ConflictState {
        ConflictState(
            isOpen: true,
            policy: nil,
            origins: Set([candidate?.origin, conflict.origin].compactMap { $0 }).sorted()
                .joined(separator: ", "),
            candidates: candidate == nil ? 0 : 1
        )
    }
}

/// Writes findings as conflicts.
package final class DetectedConflictWriter {
    private let store: StoreWriter
    private let scans: ScanCursorRows
    private let sequences: SequenceRows
    private let waiting: PendingConflictRows
    /// Conflicts that are over no single event, and of which the derived tables may not know; nil before they were
    /// read.
    private var spans: [ConflictSpan: (conflictID: Int64, openedAt: Int64)]?

    package init(_ store: StoreWriter, _ waiting: PendingConflictRows) throws(SQLiteError) {
        self.store = store
        self.waiting = waiting
        scans = try ScanCursorRows(in: store.connection)
        sequences = try SequenceRows(in: store.connection)
    }

    /// The conflict that was opened for the same reason before, also where derived tables have forgotten it.
    package func known(_ finding: DetectedConflict) throws(SQLiteError) -> Int64? {
        let conflict = finding.conflict
        if let position = conflict.position {
            return try store.conflicts.conflict(at: position, conflict.kind, conflict.origin)
        }
        if spans == nil { spans = try store.conflicts.spans(after: scans.last(.spans)) }
        return spans?[ConflictSpan(conflict)]?.conflictID
    }

    /// Opens a conflict, in the transaction that is open; nil where there is one already.
    @discardableResult
    package func write(_ finding: DetectedConflict, actor: String, waits: Bool = true) throws
        -> Int64?
    {
        if let known = try known(finding) {
            try mark(finding, known)
            if finding.conflict.position == nil { spans?[ConflictSpan(finding.conflict)] = nil }
            return nil
        }
        var conflict = finding.conflict
        let conflictID = try store.conflicts.nextConflictID()
        (conflict.conflictID, conflict.openedAt) = (conflictID, store.clock())
        // Conflicts that ingest opened meanwhile are taken in, so that this one is not taken for one of them.
        let known = try scans.last(.conflicts)
        try waiting.addConflicts(after: known, through: conflictID - 1)
        try scans.setLast(.conflicts, conflictID)
        let row = AuditRow(
            kind: .conflict,
            recordedAt: conflict.openedAt,
            actor: actor,
            position: conflict.position,
            conflictID: conflictID
        )
        try store.addAudit(row, tables: [.conflicts, .conflictCandidates]) { sequence in
            try store.add(conflict, auditSequence: sequence)
            guard let candidate = finding.candidate else { return }
            try store.conflicts.add(
                candidate,
                to: conflictID,
                differsIn: nil,
                auditSequence: sequence
            )
        }
        try store.conflicts.states.set(finding.state, of: conflictID)
        try mark(finding, conflictID)
        if waits { try waiting.add(conflictID, isNew: true) }
        return conflictID
    }

    /// Takes note that a pass has compared everything, in the transaction that is open.
    ///
    /// From then on the derived tables know of each silence and gap that has a conflict, and later passes need not read
    /// these conflicts. Those that a later clock than this pass's saw may still be found again.
    package func finishPass(asOf: Int64) throws {
        guard let spans else { return }
        let unseen = spans.values.filter { $0.openedAt > asOf }.map(\.conflictID).min()
        try scans.setLast(.spans, try unseen.map { $0 - 1 } ?? store.conflicts.nextConflictID() - 1)
    }

    /// Says in the derived tables that a conflict is written.
    private func mark(_ finding: DetectedConflict, _ conflictID: Int64) throws(SQLiteError) {
        switch finding.mark {
        case .none: break
        case .silence(let originID, let since):
            try scans.addSilence(of: originID, since: since, conflictID: conflictID)
        case .gap(let gap): try sequences.setConflict(conflictID, over: gap)
        case .collision:
            guard let position = finding.conflict.position else { break }
            try sequences.setConflict(conflictID, overCollisionAt: position)
        }
    }
}
