package import TallystickCore
package import TallystickSQLite

/// Adds and reads conflicts, their candidates and their state.
package struct ConflictRows {
    /// SQL: what blocks an open conflict, `:conflict`, and which policy decides it.
    package static let openState = """
        SELECT policy, blocked_by, differs_in
        FROM open_conflicts
        WHERE conflict_id = :conflict
        """
    /// SQL: who decided a conflict, `:conflict`, what and why: a line each, oldest first.
    package static let decisions = """
        SELECT decided_at || ' ' || decision || coalesce(' ' || winner_origin, '') || ' by ' || actor
            || coalesce(': ' || reason, '')
        FROM resolution_trail
        WHERE conflict_id = :conflict
        ORDER BY resolution_id
        """

    /// The states of the conflicts.
    package let states: ConflictStateRows
    private let insertConflict: Statement
    private let insertCandidate: Statement
    private let insertMismatch: Statement
    private let selectByPosition: Statement
    private let selectCandidates: Statement
    private let selectNextCandidate: Statement
    private let countCandidates: Statement
    private let selectRecord: Statement
    private let selectMismatch: Statement
    private let selectMismatchOfNoEvent: Statement
    private let selectLast: Statement
    private let selectKind: Statement
    private let selectSpans: Statement

    private enum SQL {
        static let insertConflict =
            """
            INSERT INTO conflicts (
                conflict_id, audit_sequence, kind, severity, category, position, source, event_id,
                origin, opened_at, detail)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
            """

        static let insertCandidate =
            """
            INSERT INTO conflict_candidates (
                candidate_id, audit_sequence, conflict_id, candidate, origin, copy_id,
                content_sha256, differs_in)
            VALUES (
                (SELECT coalesce(max(candidate_id), 0) + 1 FROM conflict_candidates),
                ?1, ?2, ?3, ?4, ?5, ?6, ?7)
            """

        static let insertMismatch =
            """
            INSERT INTO mismatches (
                mismatch_id, audit_sequence, kind, severity, category, origin, position, copy_id,
                source, event_id, algorithm, expected, actual, differs_in)
            VALUES (
                (SELECT coalesce(max(mismatch_id), 0) + 1 FROM mismatches),
                ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
            """

        static let selectByPosition =
            """
            SELECT c.conflict_id, s.state = 'open', s.resolution_id, s.candidates
            FROM conflicts AS c
            JOIN conflict_states AS s ON s.conflict_id = c.conflict_id
            WHERE c.position = ?1
                AND c.kind IN ('payload_differs', 'metadata_differs', 'equivocation')
            ORDER BY c.conflict_id DESC
            LIMIT 1
            """

        static let selectCandidates =
            """
            SELECT candidate, origin, copy_id, content_sha256
            FROM conflict_candidates
            WHERE conflict_id = ?1 AND audit_sequence < ?2 AND candidate > ?3
            ORDER BY candidate
            LIMIT ?4
            """

        static let selectNextCandidate =
            """
            SELECT min(audit_sequence)
            FROM conflict_candidates
            WHERE conflict_id = ?1 AND audit_sequence >= ?2
            """

        static let selectRecord =
            """
            SELECT kind, severity, category, position, source, event_id, origin, opened_at, detail
            FROM conflicts
            WHERE conflict_id = ?1
            """

        // By the event's audit rows, which have an index: there are as many mismatches as conflicting copies.
        static let selectMismatch =
            """
            SELECT 1
            FROM audit_trail AS a
            JOIN mismatches AS m ON m.audit_sequence = a.audit_sequence
            WHERE a.position = ?2 AND a.kind = 'mismatch'
                AND m.kind = ?1 AND m.position = ?2 AND m.copy_id IS ?3
            LIMIT 1
            """

        static let selectMismatchOfNoEvent =
            """
            SELECT 1
            FROM mismatches
            WHERE kind = ?1 AND position IS NULL AND copy_id IS ?3
            LIMIT 1
            """

        static let selectKind =
            """
            SELECT conflict_id
            FROM conflicts
            WHERE position = ?1 AND kind = ?2 AND origin IS ?3
            LIMIT 1
            """

        static let selectSpans =
            """
            SELECT conflict_id, kind, coalesce(origin, ''), coalesce(source, ''), coalesce(detail, ''), opened_at
            FROM conflicts
            WHERE conflict_id > ?1 AND position IS NULL
            """
    }

    package init(in connection: Connection) throws(SQLiteError) {
        insertConflict = try connection.prepare(SQL.insertConflict)
        insertCandidate = try connection.prepare(SQL.insertCandidate)
        insertMismatch = try connection.prepare(SQL.insertMismatch)
        states = try ConflictStateRows(in: connection)
        selectByPosition = try connection.prepare(SQL.selectByPosition)
        selectCandidates = try connection.prepare(SQL.selectCandidates)
        countCandidates = try connection.prepare(
            "SELECT count(*) FROM conflict_candidates WHERE conflict_id = ?1"
        )
        selectNextCandidate = try connection.prepare(SQL.selectNextCandidate)
        selectRecord = try connection.prepare(SQL.selectRecord)
        selectMismatch = try connection.prepare(SQL.selectMismatch)
        selectMismatchOfNoEvent = try connection.prepare(SQL.selectMismatchOfNoEvent)
        selectLast = try connection.prepare("SELECT coalesce(max(conflict_id), 0) FROM conflicts")
        selectKind = try connection.prepare(SQL.selectKind)
        selectSpans = try connection.prepare(SQL.selectSpans)
    }

    package func nextConflictID() throws(SQLiteError) -> Int64 {
        try (selectLast.optionalInt64() ?? 0) + 1
    }

    /// A conflict of a kind on the event at a position, and an origin; nil if there never was one.
    package func conflict(
        at position: Int64,
        _ kind: ConflictKind,
        _ origin: String?
    ) throws(SQLiteError) -> Int64? {
        try selectKind.bind(position, at: 1)
        try selectKind.bindText(kind.rawValue, at: 2)
        try selectKind.bindOptional(origin, at: 3)
        return try selectKind.optionalInt64()
    }

    /// The conflicts after a given one that are not about a single event.
    package func spans(
        after conflictID: Int64
    ) throws(SQLiteError) -> [ConflictSpan: (conflictID: Int64, openedAt: Int64)] {
        try selectSpans.bind(conflictID, at: 1)
        var spans: [ConflictSpan: (conflictID: Int64, openedAt: Int64)] = [:]
        while try selectSpans.step() {
            let texts = (1...4).map { selectSpans.text(at: $0) }
            spans[ConflictSpan(texts[0], texts[1], texts[2], texts[3])] = (
                selectSpans.int64(at: 0), selectSpans.int64(at: 5)
            )
        }
        try selectSpans.reset()
        return spans
    }

    package func add(_ conflict: ConflictRecord, auditSequence: Int64) throws(SQLiteError) {
        try insertConflict.bind(conflict.conflictID, at: 1)
        try insertConflict.bind(auditSequence, at: 2)
        try insertConflict.bindText(conflict.kind.rawValue, at: 3)
        try insertConflict.bindText(conflict.severity, at: 4)
        try insertConflict.bindOptional(conflict.category, at: 5)
        try insertConflict.bindOptional(conflict.position, at: 6)
        try insertConflict.bindOptional(conflict.source, at: 7)
        try insertConflict.bindOptional(conflict.eventID, at: 8)
        try insertConflict.bindOptional(conflict.origin, at: 9)
        try insertConflict.bind(conflict.openedAt, at: 10)
        try insertConflict.bindOptional(conflict.detail, at: 11)
        try insertConflict.run()
    }

    package func add(
        _ candidate: StoredCandidate,
        to conflictID: Int64,
        differsIn: String?,
        auditSequence: Int64
    ) throws(SQLiteError) {
        try insertCandidate.bind(auditSequence, at: 1)
        try insertCandidate.bind(conflictID, at: 2)
        try insertCandidate.bind(candidate.candidate, at: 3)
        try insertCandidate.bindText(candidate.origin, at: 4)
        try insertCandidate.bindOptional(candidate.copyID, at: 5)
        try insertCandidate.bindText(candidate.contentDigest.hex, at: 6)
        try insertCandidate.bindOptional(differsIn, at: 7)
        try insertCandidate.run()
    }

    package func add(_ mismatch: NewMismatch, auditSequence: Int64) throws(SQLiteError) {
        try insertMismatch.bind(auditSequence, at: 1)
        try insertMismatch.bindText(mismatch.kind.rawValue, at: 2)
        try insertMismatch.bindText(mismatch.severity, at: 3)
        try insertMismatch.bindOptional(mismatch.category, at: 4)
        try insertMismatch.bindOptional(mismatch.origin, at: 5)
        try insertMismatch.bindOptional(mismatch.position, at: 6)
        try insertMismatch.bindOptional(mismatch.copyID, at: 7)
        try insertMismatch.bindOptional(mismatch.source, at: 8)
        try insertMismatch.bindOptional(mismatch.eventID, at: 9)
        try insertMismatch.bindText(mismatch.algorithm, at: 10)
        try insertMismatch.bindText(mismatch.expected, at: 11)
        try insertMismatch.bindText(mismatch.actual, at: 12)
        try insertMismatch.bindOptional(mismatch.differsIn, at: 13)
        try insertMismatch.run()
    }

    /// Whether a mismatch of a kind is recorded for an event or a copy.
    package func hasMismatch(_ kind: MismatchKind, _ record: DamagedRecord) throws(SQLiteError)
        -> Bool
    {
        let rows = record.position == nil ? selectMismatchOfNoEvent : selectMismatch
        try rows.bindText(kind.rawValue, at: 1)
        if let position = record.position { try rows.bind(position, at: 2) }
        try rows.bindOptional(record.copyID, at: 3)
        return try rows.optionalInt64() != nil
    }

    /// The newest conflict on the content of the event at a position.
    package func conflict(at position: Int64) throws(SQLiteError) -> StoredConflict? {
        try selectByPosition.bind(position, at: 1)
        var found = try selectByPosition.first { row in
            StoredConflict(
                conflictID: row.int64(at: 0),
                isOpen: row.int64(at: 1) != 0,
                resolutionID: row.int64IfPresent(at: 2),
                candidates: row.int64(at: 3)
            )
        }
        // Not all of them may be in the row yet.
        if let conflict = found, let count = states.candidates(of: conflict.conflictID) {
            found?.candidates = count
        }
        return found
    }

    /// The subject of a conflict; nil if there is no such conflict, or this release does not know its kind.
    package func record(of conflictID: Int64) throws(SQLiteError) -> ConflictRecord? {
        try selectRecord.bind(conflictID, at: 1)
        let record: ConflictRecord?? = try selectRecord.first { row in
            ConflictKind(rawValue: row.text(at: 0)).map { kind in
                ConflictRecord(
                    conflictID: conflictID,
                    kind: kind,
                    severity: row.text(at: 1),
                    category: row.textIfPresent(at: 2),
                    position: row.int64IfPresent(at: 3),
                    source: row.textIfPresent(at: 4),
                    eventID: row.textIfPresent(at: 5),
                    origin: row.textIfPresent(at: 6),
                    openedAt: row.int64(at: 7),
                    detail: row.textIfPresent(at: 8)
                )
            }
        }
        return record ?? nil
    }

    /// - parameters:
    ///   - sequence: candidates of this audit row and later ones are omitted.
    ///   - last: candidates up to this one are omitted.
    package func candidates(
        of conflictID: Int64,
        before sequence: Int64 = .max,
        after last: Int64 = 0,
        limit: Int = .max
    ) throws(SQLiteError) -> [StoredCandidate] {
        try selectCandidates.bind(conflictID, at: 1)
        try selectCandidates.bind(sequence, at: 2)
        try selectCandidates.bind(last, at: 3)
        try selectCandidates.bind(Int64(limit), at: 4)
        var candidates: [StoredCandidate] = []
        while try selectCandidates.step() {
            candidates.append(
                StoredCandidate(
                    candidate: selectCandidates.int64(at: 0),
                    origin: selectCandidates.text(at: 1),
                    copyID: selectCandidates.int64IfPresent(at: 2),
                    contentDigest: SHA256Digest(hex: selectCandidates.text(at: 3)) ?? .zero
                )
            )
        }
        try selectCandidates.reset()
        return candidates
    }

    /// The number of candidates of a conflict.
    package func countCandidates(of conflictID: Int64) throws(SQLiteError) -> Int64 {
        try countCandidates.bind(conflictID, at: 1)
        return try countCandidates.optionalInt64() ?? 0
    }

    /// The first audit row, from a given one onwards, that added a candidate to a conflict; nil if there is none.
    package func nextCandidate(
        of conflictID: Int64,
        from sequence: Int64
    ) throws(SQLiteError) -> Int64? {
        try selectNextCandidate.bind(conflictID, at: 1)
        try selectNextCandidate.bind(sequence, at: 2)
        return try selectNextCandidate.first { $0.int64IfPresent(at: 0) } ?? nil
    }
}
