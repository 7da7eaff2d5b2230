import TallystickCore
import TallystickSQLite

/// The breakers of a store: read, asked and written in transactions, every change in the audit trail.
struct BreakerBook {
    private let store: StoreWriter
    private let rows: BreakerRows

    init(_ store: StoreWriter) throws(SQLiteError) {
        self.store = store
        rows = try BreakerRows(in: store.connection)
    }

    /// Those in force; a transaction has read them.
    private var settings: [StoreSettings.Breaker] {
        store.settings?.settings.breakers ?? StoreSettings.standard.breakers
    }

    /// A breaker as it stands; a closed one where no call is known.
    func breaker(_ kind: BreakerKind, _ name: String) throws(SQLiteError) -> CircuitBreaker {
        let settings = Self.settings(of: name, in: settings)
        guard let stored = try rows.read(kind, name) else { return CircuitBreaker(settings) }
        return CircuitBreaker(settings, stored: stored)
    }

    static func settings(
        of name: String,
        in settings: [StoreSettings.Breaker]
    ) -> StoreSettings.Breaker {
        settings.first { $0.name.utf8.elementsEqual(name.utf8) }
            ?? settings.first { $0.name == "default" } ?? StoreSettings.standardBreaker
    }

    /// Counts a call, in the transaction of the work that it was.
    ///
    /// - returns: whether the call was permitted; work that never depends on it goes on all the same.
    @discardableResult
    func record(
        _ kind: BreakerKind,
        _ name: String,
        failed: Bool,
        actor: String
    ) throws -> Bool {
        let now = SystemClock.breakerTime(wall: store.clock())
        var breaker = try breaker(kind, name)
        let before = breaker
        let (isPermitted, changes) = breaker.permit(at: now)
        var all = changes
        if isPermitted, let change = breaker.record(failed: failed, at: now) { all.append(change) }
        if breaker != before { try rows.write(breaker.stored, kind, name, at: now.wall) }
        for change in all { try audit(change, kind, name, actor: actor, reason: nil) }
        return isPermitted
    }

    /// A person's override.
    ///
    /// - returns: false where the breaker is in that state already.
    func set(
        _ kind: BreakerKind,
        _ name: String,
        to state: CircuitBreaker.State,
        actor: String,
        reason: String
    ) throws -> Bool {
        let now = SystemClock.breakerTime(wall: store.clock())
        var breaker = try breaker(kind, name)
        guard let change = breaker.set(state, at: now) else { return false }
        try rows.write(breaker.stored, kind, name, at: now.wall)
        try audit(change, kind, name, actor: actor, reason: reason)
        return true
    }

    /// Origins that must not be relied on now.
    func openOrigins() throws(SQLiteError) -> Set<String> {
        let now = SystemClock.breakerTime(wall: store.clock())
        var open: Set<String> = []
        for (kind, name, stored) in try rows.all() where kind == .origin {
            let breaker = CircuitBreaker(Self.settings(of: name, in: settings), stored: stored)
            if breaker.isOpen(at: now) { open.insert(name) }
        }
        return open
    }

    /// When the first open breaker of an origin lets calls through again: microseconds since 1970; nil where only a
    /// person can say.
    func nextAttempt() throws(SQLiteError) -> Int64? {
        let now = SystemClock.breakerTime(wall: store.clock())
        var waits: [Int64] = []
        for (kind, name, stored) in try rows.all() where kind == .origin {
            let breaker = CircuitBreaker(Self.settings(of: name, in: settings), stored: stored)
            guard breaker.state == .open, let wait = breaker.remaining(at: now), wait > 0 else {
                continue
            }
            waits.append(wait)
        }
        return waits.min().map { now.wall + $0 }
    }

    private func audit(
        _ change: CircuitBreaker.Transition,
        _ kind: BreakerKind,
        _ name: String,
        actor: String,
        reason: String?
    ) throws {
        let members: [(name: String, value: JSONValue)] = [
            ("kind", JSONValue(.string(kind.rawValue))), ("name", JSONValue(.string(name))),
            ("from", JSONValue(.string(change.from.rawValue))),
            ("to", JSONValue(.string(change.to.rawValue))),
            ("cause", JSONValue(.string(change.cause))),
        ]
        try store.addAudit(
            AuditRow(
                kind: .breaker,
                recordedAt: store.clock(),
                actor: actor,
                reason: reason,
                detail: String(decoding: JSONValue(.object(members)).canonical, as: UTF8.self)
            )
        )
    }
}
