import TallystickCore
import TallystickSQLite

/// The breaker of a replay. A call is one batch: failed where the projection could not apply an event of it, or the
/// sink did not take it. A failure of the store or the disk is not a failure of the replay.
///
/// Where the checkpoint is in the store, a call is counted in the transaction of its batch. For a projection in another
/// file it is counted in the store with the next note of where the replay stands. It is a value, so that
/// what a transaction remembered is taken back with it.
struct ReplayBreaker {
    private let setting: ReplayContext
    private var rows: [ObjectIdentifier: BreakerRows] = [:]
    /// Calls that the store was not told yet; true is a failure.
    private var uncounted: [Bool] = []
    /// As it was seen last.
    private var isClosed = true

    private var name: String { setting.definition.name }

    init(_ setting: ReplayContext) { self.setting = setting }

    /// Whether the breaker lets no batch through now. While a scratch file is filled, nothing is asked.
    ///
    /// - parameter store: a connection to the store.
    mutating func closure(in store: Connection) throws -> BreakerClosure? {
        guard !setting.isScratch else { return nil }
        let book = try book(in: store)
        let breaker = try book.breaker(.replay, name)
        isClosed = breaker.state == .closed
        return book.closure(of: breaker)
    }

    /// Remembers a call until ``count(in:)``.
    mutating func note(failed: Bool) { uncounted.append(failed) }

    /// Takes over the calls of a run that filled a scratch file.
    mutating func note(callsOf other: ReplayBreaker) { uncounted += other.uncounted }

    /// Whether what was remembered can change the breaker.
    var isUrgent: Bool { !uncounted.isEmpty && (!isClosed || uncounted.contains(true)) }

    /// Counts what was remembered, in the store's transaction that is open on a connection.
    mutating func count(in store: Connection) throws {
        guard !setting.isScratch, !uncounted.isEmpty else { return }
        let book = try book(in: store)
        for failed in uncounted {
            try book.record(.replay, name, failed: failed, actor: setting.options.actor)
        }
        uncounted.removeAll()
    }

    private mutating func book(in store: Connection) throws -> BreakerBook {
        let setting = setting
        let rows = try rows[ObjectIdentifier(store)] ?? BreakerRows(in: store)
        self.rows[ObjectIdentifier(store)] = rows
        return BreakerBook(
            rows,
            clock: setting.storeOptions.clock,
            settings: setting.breakers
        ) { row in
            // Changes are rare: a writer for each of them has nothing to remember.
            let writer = try StoreWriter(
                path: setting.path,
                connection: store,
                lockConnection: try StoreFile.openForWriting(setting.path, setting.storeOptions),
                options: setting.storeOptions
            )
            try writer.joinTransaction { try writer.addAudit(row) }
        }
    }
}

extension BreakerClosure {
    /// Why a replay stops.
    func reason(forReplay name: String) -> String {
        let end =
            until.map { "until \(RFC3339.string(microseconds: $0))" } ?? "until somebody closes it"
        return "too many batches failed: the breaker of replay \(name) is open \(end)"
    }
}
