import TallystickCore
package import TallystickSQLite

/// Reads and writes the states of conflicts.
///
/// A conflict may have as many candidates as a store has rows, and its row lists up to
/// ``ConflictLimits/listedPlaces`` places. The additions of candidates in one transaction are therefore kept in
/// memory and written once: before the transaction commits (`writeGrown`), or before other code reads or changes
/// the row.
package final class ConflictStateRows {
    private let upsert: Statement
    private let selectState: Statement
    private let updateEvidence: Statement
    private var grown: [Int64: Grown] = [:]
    /// Places that were added to `grown`.
    private var places = 0

    /// Bounds of the state kept in memory; beyond them it is written.
    private enum Limits {
        static let conflicts = 4096
        static let places = 100_000
    }

    /// A row in its future state.
    private struct Grown {
        var state: ConflictState
        var origins: Set<Substring>
        var places = DifferingPlaces()

        init(_ state: ConflictState) {
            self.state = state
            origins = Set(state.origins.split(separator: ", "))
            if let stored = state.differsIn { places.formUnion(stored) }
        }

        mutating func add(_ origin: String, _ differsIn: String?) {
            state.candidates += 1
            if origins.insert(origin[...]).inserted { state.origins += ", " + origin }
            if let differsIn { places.formUnion(differsIn) }
        }
    }

    package init(in connection: Connection) throws(SQLiteError) {
        upsert = try connection.prepare(
            """
            INSERT INTO conflict_states (
                conflict_id, state, resolution_id, policy, blocked_by, origins, candidates,
                differs_in)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            ON CONFLICT (conflict_id) DO UPDATE SET
                state = excluded.state,
                resolution_id = excluded.resolution_id,
                policy = excluded.policy,
                blocked_by = excluded.blocked_by,
                origins = excluded.origins,
                candidates = excluded.candidates,
                differs_in = excluded.differs_in
            """
        )
        selectState = try connection.prepare(
            """
            SELECT state, resolution_id, policy, blocked_by, origins, candidates, differs_in
            FROM conflict_states
            WHERE conflict_id = ?1
            """
        )
        updateEvidence = try connection.prepare(
            "UPDATE conflict_states SET blocked_by = 'new_evidence' WHERE conflict_id = ?1"
        )
    }

    package func state(of conflictID: Int64) throws(SQLiteError) -> ConflictState? {
        if let waiting = grown.removeValue(forKey: conflictID) { try write(waiting, conflictID) }
        try selectState.bind(conflictID, at: 1)
        return try selectState.first { row in
            ConflictState(
                isOpen: row.text(at: 0) == "open",
                resolutionID: row.int64IfPresent(at: 1),
                policy: row.textIfPresent(at: 2),
                blockedBy: row.textIfPresent(at: 3),
                origins: row.text(at: 4),
                candidates: row.int64(at: 5),
                differsIn: row.textIfPresent(at: 6)
            )
        }
    }

    package func set(_ state: ConflictState, of conflictID: Int64) throws(SQLiteError) {
        grown[conflictID] = nil
        try upsert.bind(conflictID, at: 1)
        try upsert.bindText(state.isOpen ? "open" : "resolved", at: 2)
        try upsert.bindOptional(state.resolutionID, at: 3)
        try upsert.bindOptional(state.policy, at: 4)
        try upsert.bindOptional(state.blockedBy, at: 5)
        try upsert.bindText(state.origins, at: 6)
        try upsert.bind(state.candidates, at: 7)
        try upsert.bindOptional(state.differsIn, at: 8)
        try upsert.run()
    }

    /// Marks a resolved conflict as having content or support that its resolution has not seen.
    package func markNewEvidence(on conflictID: Int64) throws(SQLiteError) {
        guard grown[conflictID] == nil else {
            grown[conflictID]?.state.blockedBy = "new_evidence"
            return
        }
        try updateEvidence.bind(conflictID, at: 1)
        try updateEvidence.run()
    }

    /// Notes another candidate of a conflict.
    ///
    /// - parameters:
    ///   - origin: the path that delivered it.
    ///   - differsIn: a JSON array of the places in which it differs from the event as appended.
    package func addCandidate(
        from origin: String,
        differsIn: String?,
        to conflictID: Int64
    ) throws(SQLiteError) {
        if grown[conflictID] == nil {
            guard let state = try state(of: conflictID) else { return }
            if grown.count >= Limits.conflicts || places >= Limits.places { try writeGrown() }
            let stored = Grown(state)
            places += stored.places.count
            grown[conflictID] = stored
        }
        grown[conflictID]?.add(origin, differsIn)
        places += 1
    }

    /// The number of candidates of a conflict whose row does not count all of them yet; nil for any other
    /// conflict.
    package func candidates(of conflictID: Int64) -> Int64? { grown[conflictID]?.state.candidates }

    /// Writes the state that is only in memory.
    package func writeGrown() throws(SQLiteError) {
        for (conflictID, waiting) in grown { try write(waiting, conflictID) }
        forgetGrown()
    }

    private func write(_ waiting: Grown, _ conflictID: Int64) throws(SQLiteError) {
        var state = waiting.state
        state.differsIn = waiting.places.json
        try set(state, of: conflictID)
    }

    /// Discards the state that is only in memory: the transaction was rolled back.
    package func forgetGrown() {
        grown.removeAll()
        places = 0
    }
}

/// The state of a conflict; derived from the proved tables.
package struct ConflictState {
    /// `blockedBy` of a conflict that a person reopened: only a person can decide it.
    package static let reopened = "reopened"

    package var isOpen: Bool
    package var resolutionID: Int64?
    package var policy: String?
    package var blockedBy: String?
    /// Names, separated by ", ".
    package var origins: String
    package var candidates: Int64
    /// A JSON array of all places in which candidates differ.
    package var differsIn: String?

    package init(
        isOpen: Bool,
        resolutionID: Int64? = nil,
        policy: String? = nil,
        blockedBy: String? = nil,
        origins: String,
        candidates: Int64,
        differsIn: String? = nil
    ) {
        self.isOpen = isOpen
        self.resolutionID = resolutionID
        self.policy = policy
        self.blockedBy = blockedBy
        self.origins = origins
        self.candidates = candidates
        self.differsIn = differsIn
    }
}
