package import TallystickCore
package import TallystickSQLite

/// What a breaker guards.
public enum BreakerKind: String, Sendable, CaseIterable {
    /// A delivery path: its decisions are deferred while the breaker is open.
    case origin
    /// A replay: it halts while the breaker is open.
    case replay
}

/// Reads and writes rows of `breakers`.
package struct BreakerRows {
    private let upsert: Statement
    private let select: Statement
    private let selectAll: Statement
    private let delete: Statement
    private static let columns =
        "kind, name, state, openings, permitted, boot_id, boot_deadline, wall_deadline, calls"

    package init(in connection: Connection) throws(SQLiteError) {
        upsert = try connection.prepare(
            """
            INSERT OR REPLACE INTO breakers (\(Self.columns), updated_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            """
        )
        select = try connection.prepare(
            "SELECT \(Self.columns) FROM breakers WHERE kind = ?1 AND name = ?2"
        )
        selectAll = try connection.prepare(
            "SELECT \(Self.columns) FROM breakers ORDER BY kind, name"
        )
        delete = try connection.prepare("DELETE FROM breakers WHERE kind = ?1 AND name = ?2")
    }

    /// A breaker as it was stored; nil if no call of it is known.
    package func read(_ kind: BreakerKind, _ name: String) throws(SQLiteError) -> CircuitBreaker
        .Stored?
    {
        try select.bindText(kind.rawValue, at: 1)
        try select.bindText(name, at: 2)
        return try select.first { Self.stored($0) } ?? nil
    }

    /// All breakers with known calls.
    package func all() throws(SQLiteError) -> [(BreakerKind, String, CircuitBreaker.Stored)] {
        var all: [(BreakerKind, String, CircuitBreaker.Stored)] = []
        while try selectAll.step() {
            guard let kind = BreakerKind(rawValue: selectAll.text(at: 0)),
                let stored = Self.stored(selectAll)
            else { continue }
            all.append((kind, selectAll.text(at: 1), stored))
        }
        try selectAll.reset()
        return all
    }

    package func write(
        _ stored: CircuitBreaker.Stored,
        _ kind: BreakerKind,
        _ name: String,
        at now: Int64
    ) throws(SQLiteError) {
        try upsert.bindText(kind.rawValue, at: 1)
        try upsert.bindText(name, at: 2)
        try upsert.bindText(stored.state.rawValue, at: 3)
        try upsert.bind(Int64(stored.openings), at: 4)
        try upsert.bind(Int64(stored.permitted), at: 5)
        try upsert.bindOptional(stored.deadline?.bootID, at: 6)
        try upsert.bindOptional(stored.deadline?.boot, at: 7)
        try upsert.bindOptional(stored.deadline?.wall, at: 8)
        try upsert.bindText(stored.window, at: 9)
        try upsert.bind(now, at: 10)
        try upsert.run()
    }

    package func remove(_ kind: BreakerKind, _ name: String) throws(SQLiteError) {
        try delete.bindText(kind.rawValue, at: 1)
        try delete.bindText(name, at: 2)
        try delete.run()
    }

    private static func stored(_ row: Statement) -> CircuitBreaker.Stored? {
        guard let state = CircuitBreaker.State(rawValue: row.text(at: 2)) else { return nil }
        var deadline: BreakerDeadline?
        if let bootID = row.textIfPresent(at: 5) {
            deadline = BreakerDeadline(
                bootID: bootID,
                boot: row.int64(at: 6),
                wall: row.int64(at: 7)
            )
        }
        return CircuitBreaker.Stored(
            state: state,
            openings: Int(clamping: row.int64(at: 3)),
            permitted: Int(clamping: row.int64(at: 4)),
            deadline: deadline,
            window: row.text(at: 8)
        )
    }
}
