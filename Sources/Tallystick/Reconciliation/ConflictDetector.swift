import TallystickCore
import TallystickSQLite

/// Compares what is due: copies that are missing, gaps and collisions of sequences, records found changed.
final class ConflictDetector {
    /// Events evaluated in one transaction: less than a second's work.
    static let chunk: Int64 = 10_000

    private let store: StoreWriter
    private let history: ConfigurationHistory
    private let asOf: Int64
    private let scope: RunScope
    private let isDryRun: Bool
    private let expected: MissingCopyDetector
    private let coverage: CoverageDetector
    private let scans: ScanCursorRows
    private let sequences: SequenceRows
    private let changed: Statement
    private let event: Statement
    /// Where a pass stands that does not say how far it has looked.
    private var presence: Int64?
    private var awaited: (dueAt: Int64, position: Int64) = (.min, 0)
    private var gap: SequenceRows.Gap?
    private var collision: Int64 = 0
    private var mismatch: Int64?

    init(
        _ store: StoreWriter,
        _ history: ConfigurationHistory,
        asOf: Int64,
        scope: RunScope,
        isDryRun: Bool
    ) throws {
        self.store = store
        self.history = history
        self.asOf = asOf
        self.scope = scope
        self.isDryRun = isDryRun
        let statements = try CoverageStatements(store)
        expected = try MissingCopyDetector(
            store,
            history,
            asOf: asOf,
            scope: scope,
            statements: statements
        )
        coverage = try CoverageDetector(
            store,
            statements,
            expected,
            scope: scope,
            keepsPlace: scope.isWhole && !isDryRun
        )
        scans = try ScanCursorRows(in: store.connection)
        sequences = try SequenceRows(in: store.connection)
        changed = try store.connection.prepare(
            """
            SELECT mismatch_id, position, kind
            FROM mismatches
            WHERE mismatch_id > ?1
            ORDER BY mismatch_id
            LIMIT ?2
            """
        )
        event = try store.connection.prepare(
            """
            SELECT s.name, e.event_id, c.name, e.recorded_at
            FROM events AS e
            JOIN sources AS s ON s.source_id = e.source_id
            JOIN categories AS c ON c.category_id = e.category_id
            WHERE e.position = ?1
            """
        )
    }

    /// What one step looked at.
    struct Step {
        var evaluated: Int64 = 0
        var findings: [DetectedConflict] = []
    }

    /// Whether the pass says how far it has looked.
    private var keepsPlace: Bool { scope.isWhole && !isDryRun }

    /// Compares the next chunk; nil when nothing is left. In a real run a transaction is open.
    func step() throws -> Step? {
        if let step = try coverage.step() { return step }
        if let step = try comparePresence() { return step }
        if let step = try compareAwaited() { return step }
        if let step = try compareGaps() { return step }
        if let step = try compareCollisions() { return step }
        return try compareAtRest()
    }

    private func comparePresence() throws -> Step? {
        let last = try keepsPlace ? scans.last(.presence) : presence ?? scans.last(.presence)
        guard let (reached, result) = try expected.scan(after: last, limit: Self.chunk) else {
            return nil
        }
        if keepsPlace {
            try scans.setLast(.presence, reached)
            for item in result.awaited { try scans.await(item.position, dueAt: item.dueAt) }
        } else {
            presence = reached
        }
        return Step(evaluated: result.evaluated, findings: result.findings)
    }

    private func compareAwaited() throws -> Step? {
        let due = try scans.awaited(after: awaited, before: asOf, limit: Int(Self.chunk) / 4)
        guard let last = due.last else { return nil }
        awaited = last
        var step = Step()
        for item in due {
            let result = try expected.evaluate(at: item.position)
            step.evaluated += result.evaluated
            step.findings += result.findings
            // What nothing tells yet stays awaited.
            guard keepsPlace, result.awaited.isEmpty else { continue }
            try scans.stopAwaiting(item.position, dueAt: item.dueAt)
        }
        return step
    }

    // MARK: Sequences

    private func compareGaps() throws -> Step? {
        let due = try sequences.gaps(dueBefore: asOf, after: gap, limit: 500)
        guard let last = due.last else { return nil }
        // Those that get a conflict leave the list, the others stay in it.
        gap = last
        var step = Step()
        for gap in due {
            let finding = try finding(
                .sequenceGap,
                at: gap.position,
                detail:
                    "{\"first\":\(gap.gap.first),\"last\":\(gap.gap.last),\"next_position\":\(gap.position)}",
                mark: .gap(gap)
            )
            guard var finding, finding.isIncluded else { continue }
            // The event after the gap is not in question.
            (finding.finding.conflict.position, finding.finding.conflict.eventID) = (nil, nil)
            step.findings.append(finding.finding)
        }
        return step
    }

    private func compareCollisions() throws -> Step? {
        let found = try sequences.collisions(after: collision, limit: 500)
        guard let last = found.last else { return nil }
        collision = last.position
        var step = Step()
        for (position, other) in found {
            let finding = try finding(
                .sequenceCollision,
                at: position,
                detail: "{\"other_position\":\(other)}",
                mark: .collision
            )
            guard let finding, finding.isIncluded else { continue }
            step.findings.append(finding.finding)
        }
        return step
    }

    // MARK: Records found changed

    private func compareAtRest() throws -> Step? {
        let last = try keepsPlace ? scans.last(.mismatches) : mismatch ?? scans.last(.mismatches)
        try changed.bind(last, at: 1)
        try changed.bind(Self.chunk, at: 2)
        var found: [Int64] = []
        var reached = last
        while try changed.step() {
            reached = changed.int64(at: 0)
            guard let position = changed.int64IfPresent(at: 1),
                Self.isAtRest(changed.text(at: 2))
            else { continue }
            found.append(position)
        }
        try changed.reset()
        guard reached > last else { return nil }
        var step = Step()
        let recorder = MismatchRecorder(store)
        for position in found {
            let kind = try recorder.conflictKind(at: position)
            guard let finding = try finding(kind, at: position, detail: nil, mark: .none),
                finding.isIncluded
            else { continue }
            step.findings.append(finding.finding)
        }
        if keepsPlace { try scans.setLast(.mismatches, reached) } else { mismatch = reached }
        return step
    }

    /// Whether a mismatch is about a stored record. Ingest has opened the conflicts behind the others itself.
    private static func isAtRest(_ mismatch: String) -> Bool {
        switch MismatchKind(rawValue: mismatch) {
        case .atRest, .replay: true
        case .copy, .transit, nil: false
        }
    }

    private struct ScopedFinding {
        var finding: DetectedConflict
        var isIncluded: Bool
    }

    /// A conflict over the event at a position; nil where there is no such event.
    private func finding(
        _ kind: ConflictKind,
        at position: Int64,
        detail: String?,
        mark: DetectedConflict.Mark
    ) throws -> ScopedFinding? {
        try event.bind(position, at: 1)
        let read = try event.first {
            ($0.text(at: 0), $0.text(at: 1), $0.text(at: 2), $0.int64(at: 3))
        }
        guard let (source, eventID, name, recordedAt) = read else { return nil }
        let category = history.settings(at: position)[category: name]
        // Damage is never left out; everything else is gated.
        let isSampled =
            kind.isOverDamage
            || category.map { Sampling.includes(source: source, id: eventID, in: $0) } ?? false
        let finding = DetectedConflict(
            conflict: ConflictRecord(
                kind: kind,
                severity: category?.severity.rawValue ?? StoreSettings.Severity.low.rawValue,
                category: name,
                position: position,
                source: source,
                eventID: eventID,
                detail: detail
            ),
            mark: mark
        )
        return ScopedFinding(
            finding: finding,
            isIncluded: isSampled && scope.includes(recordedAt: recordedAt)
        )
    }
}
