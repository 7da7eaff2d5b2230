public import TallystickCore

/// Where a replay applies its events.
public enum ReplayTarget: Sendable, Equatable {
    /// Into tables in the store itself.
    case store
    /// Into tables in another SQLite file, created when it is not there; its checkpoint lives there too.
    case file(String)
}

/// What a replay does with an event that its projection cannot apply.
public enum PoisonPolicy: String, Sendable, CaseIterable {
    /// Stop before the event.
    case halt
    /// Set the event, and all later ones of its stream, aside, in order.
    case park
    /// Leave the event out, on record in the audit trail.
    case skip
}

/// How a replay runs.
public struct ReplayOptions: Sendable {
    public var target = ReplayTarget.store
    /// Events a transaction; a transaction also ends after about a second.
    public var batch = 10_000
    /// The last position to consume; nil for the head.
    public var until: Position?
    public var onPoison = PoisonPolicy.halt
    /// Starts again from the first event when the checkpoint does not fit the store.
    public var rebuild = false
    /// Starts again from the first event whatever the checkpoint says.
    public var alwaysRebuilds = false
    public var actor = "local"
    /// Called after each transaction: position and head.
    public var onProgress: (@Sendable (Int64, Int64) -> Void)?

    public init() {}
}

/// How a replay ended.
public struct ReplayOutcome: Sendable, Equatable {
    /// `complete`: everything was consumed. `halted`: stopped before an event that cannot be applied, or that
    /// is held. `paused`: stopped because the task was cancelled.
    public enum Status: String, Sendable { case complete, halted, paused }

    public var status: Status
    public var replay: String
    public var position: Int64
    public var head: Int64
    /// Events consumed by this run.
    public var consumed: Int64
    /// Statements of the projection ran for so many of them.
    public var applied: Int64
    public var parked: Int64
    public var skipped: Int64
    public var resolutionWatermark: Int64
    /// Chains over what was consumed, and over what was done with it.
    public var digest: String
    public var appliedDigest: String
    /// Root of the tree over the events consumed.
    public var root: String
    public var rebuilt: Bool
    /// Why the replay halted.
    public var reason: String?
}
