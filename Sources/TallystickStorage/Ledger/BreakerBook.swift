package import TallystickCore
package import TallystickSQLite

/// The breakers of a store: read, asked and written in transactions, every change in the audit trail.
package struct BreakerBook {
    private let rows: BreakerRows
    private let clock: @Sendable () -> Int64
    private let inForce: () -> [StoreSettings.Breaker]
    /// Adds a row to the audit trail, in the transaction that is open.
    private let addAudit: (AuditRow) throws -> Void

    package init(_ store: StoreWriter) throws(SQLiteError) {
        self.init(
            try BreakerRows(in: store.connection),
            clock: store.clock,
            // A transaction has read them.
            settings: { store.settings?.settings.breakers ?? StoreSettings.standard.breakers },
            addAudit: { try store.addAudit($0) }
        )
    }

    /// Breakers on a connection that does not belong to a store's writer.
    package init(
        _ rows: BreakerRows,
        clock: @escaping @Sendable () -> Int64,
        settings: @escaping () -> [StoreSettings.Breaker],
        addAudit: @escaping (AuditRow) throws -> Void
    ) {
        self.rows = rows
        self.clock = clock
        inForce = settings
        self.addAudit = addAudit
    }

    private var settings: [StoreSettings.Breaker] { inForce() }
    private var now: BreakerTime { SystemClock.breakerTime(wall: clock()) }

    /// A breaker as it stands; a closed one where no call is known.
    package func breaker(_ kind: BreakerKind, _ name: String) throws(SQLiteError) -> CircuitBreaker
    {
        let settings = Self.settings(of: name, in: settings)
        guard let stored = try rows.read(kind, name) else { return CircuitBreaker(settings) }
        return CircuitBreaker(settings, stored: stored)
    }

    package static func settings(
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
    package func record(
        _ kind: BreakerKind,
        _ name: String,
        failed: Bool,
        actor: String
    ) throws -> Bool {
        let now = now
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
    package func set(
        _ kind: BreakerKind,
        _ name: String,
        to state: CircuitBreaker.State,
        actor: String,
        reason: String
    ) throws -> Bool {
        let now = now
        var breaker = try breaker(kind, name)
        guard let change = breaker.set(state, at: now) else { return false }
        try rows.write(breaker.stored, kind, name, at: now.wall)
        try audit(change, kind, name, actor: actor, reason: reason)
        return true
    }

    /// Whether a breaker lets no call through now, and until when.
    ///
    /// - returns: nil where it lets one through; inside it microseconds since 1970, nil where only a person can say.
    package func closure(of breaker: CircuitBreaker) -> BreakerClosure? {
        let now = now
        guard breaker.isOpen(at: now) else { return nil }
        return BreakerClosure(until: breaker.remaining(at: now).map { now.wall + $0 })
    }

    /// Origins that must not be relied on now.
    package func openOrigins() throws(SQLiteError) -> Set<String> {
        let now = now
        var open: Set<String> = []
        for (kind, name, stored) in try rows.all() where kind == .origin {
            let breaker = CircuitBreaker(Self.settings(of: name, in: settings), stored: stored)
            if breaker.isOpen(at: now) { open.insert(name) }
        }
        return open
    }

    /// When the first open breaker of an origin lets calls through again: microseconds since 1970; nil where only a
    /// person can say.
    package func nextAttempt() throws(SQLiteError) -> Int64? {
        let now = now
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
        try addAudit(
            AuditRow(
                kind: .breaker,
                recordedAt: clock(),
                actor: actor,
                reason: reason,
                detail: String(decoding: JSONValue(.object(members)).canonical, as: UTF8.self)
            )
        )
    }
}

/// That a breaker lets no call through.
package struct BreakerClosure: Equatable {
    /// Microseconds since 1970; nil where only a person can say.
    package var until: Int64?
}
