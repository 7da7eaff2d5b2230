public import TallystickCore

/// Derived state that a Swift type keeps in tables of SQLite.
///
/// ```swift
/// struct OrderTotals: Projection {
///     let version: Int64 = 1
///     let types = ["order.placed"]
///
///     func setUp(in transaction: ProjectionTransaction) throws {
///         try transaction.execute("CREATE TABLE orders (customer TEXT PRIMARY KEY, total REAL NOT NULL) STRICT")
///     }
///
///     func apply(_ event: StoredEvent, in transaction: ProjectionTransaction) throws {
///         try transaction.execute(
///             """
///             INSERT INTO orders VALUES (?1 ->> 'customer', ?1 ->> 'total')
///             ON CONFLICT (customer) DO UPDATE SET total = total + excluded.total
///             """,
///             [event.sqlData]
///         )
///     }
/// }
///
/// let outcome = try await store.replay(OrderTotals(), named: "orders")
/// ```
///
/// What `apply` writes and the replay's checkpoint are stored in one transaction. An event is applied once,
/// however often a run is interrupted; a call may be taken back and made again, so that it must do nothing
/// but write through the transaction. The same event must always lead to the same writes: no clock, no
/// randomness, no state of the type's own.
public protocol Projection: Sendable {
    /// 1 or more. Raise it whenever the type would do something else than before: the projection is then
    /// built anew.
    var version: Int64 { get }
    /// The types of events that are applied: `order.placed`, `order.*`, or `*` for all, which is the default.
    var types: [String] { get }
    /// What happens when a decision changes an event that was applied; `rebuild` unless it is given.
    var onCorrection: ProjectionFile.OnCorrection { get }
    /// Creates the tables. Their names are the replay's name, or begin with it and an underscore.
    func setUp(in transaction: ProjectionTransaction) throws
    /// Applies one event. What it throws makes the event one that cannot be applied: see `PoisonPolicy`.
    func apply(_ event: StoredEvent, in transaction: ProjectionTransaction) throws
    /// Applies a correction of an event that was applied before; called only where `onCorrection` is
    /// `apply`.
    func correct(_ correction: EventCorrection, in transaction: ProjectionTransaction) throws
}

extension Projection {
    /// All types.
    public var types: [String] { ["*"] }
    /// `rebuild`.
    public var onCorrection: ProjectionFile.OnCorrection { .rebuild }
    /// Does nothing; called only where `onCorrection` is `apply`.
    public func correct(_ correction: EventCorrection, in transaction: ProjectionTransaction) {}
}

/// A decision that changed an event which was consumed before.
public struct EventCorrection: Sendable, Equatable {
    /// The event as it counts from now on. Where it is excluded it has no data, and says which event it was.
    public var event: StoredEvent
    /// The resolution that made the decision.
    public var resolutionID: Int64
    /// What was decided.
    public var decision: Decision
    /// The content that counted before, in canonical form; nil where nothing did.
    public var previousContent: [UInt8]?
    /// Its data.
    public var previousData: EventData?

    /// Whether the event does not count any more.
    public var isExclusion: Bool { decision == .exclude }
}

extension EventCorrection {
    /// - parameter event: one that has a correction.
    init?(_ event: ReplayedEvent) throws {
        guard let correction = event.correction else { return nil }
        guard let decision = Decision(rawValue: correction.decision) else {
            throw StoreError(
                .integrity,
                during: "read a resolution",
                on: "resolutions \(correction.resolutionID)",
                "the decision '\(correction.decision)' is unknown",
                hint: "Use a newer release, or run 'tally verify'"
            )
        }
        self.init(
            event: try StoredEvent(event),
            resolutionID: correction.resolutionID,
            decision: decision,
            previousContent: correction.previousContent,
            previousData: EventData(correction.previousData)
        )
    }
}
