import Metrics
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
    /// Where the projection and its checkpoint are kept.
    public var target = ReplayTarget.store
    /// Events and corrections a transaction, 1 to 10,000; a transaction also ends after about a second.
    public var batch = 10_000
    /// The last position to consume; nil for the head.
    public var until: Position?
    /// What happens to an event that cannot be applied.
    public var onPoison = PoisonPolicy.halt
    /// Starts again from the first event when the checkpoint does not fit the store.
    public var rebuild = false
    /// Starts again from the first event whatever the checkpoint says.
    public var alwaysRebuilds = false
    /// Reads everything that was consumed again, verified, and compares it with the checkpoint, before going on.
    public var verifiesHistory = false
    /// Who runs it, for the audit trail.
    public var actor = "local"
    /// Called after each transaction with the position that was reached, and the head.
    public var onProgress: (@Sendable (_ progress: ProgressUpdate) -> Void)?
    /// How long a projection may take for one event.
    var applyNanoseconds = ProjectionLimits.applyNanoseconds

    /// The defaults: into the store, to the head, halting at an event that cannot be applied.
    public init() {}
}

/// How a replay ended.
public struct ReplayOutcome: Sendable, Equatable {
    /// `complete`: everything was consumed. `halted`: stopped before an event that cannot be applied, or that
    /// is held, or because the replay's breaker is open. `paused`: stopped because the task was cancelled.
    public enum Status: String, Sendable { case complete, halted, paused }

    /// How the run ended.
    public var status = Status.complete
    /// The replay's name.
    public var replay: String
    /// The last position that was consumed; 0 before the first event.
    public var position: Position = 0
    /// The store's last position when the run ended.
    public var head: Position = 0
    /// Events consumed by this run.
    public var consumed: Int64 = 0
    /// The projection had something to do for so many of them, and of the corrections.
    public var applied: Int64 = 0
    /// Events and corrections that are set aside now.
    public var parked: Int64 = 0
    /// Left out by this run.
    public var skipped: Int64 = 0
    /// The last resolution that was read; later ones are still to come.
    public var resolutionWatermark: Int64 = 0
    /// Chains over what was consumed, and over what was done with it.
    public var digest = ""
    /// The chain over what was done with each event and correction; 64 hexadecimal digits.
    public var appliedDigest = ""
    /// Root of the tree over the events consumed.
    public var root = ""
    /// Whether the projection was built anew.
    public var rebuilt = false
    /// Why the replay halted.
    public var reason: String?
    /// When the replay's breaker, which halted it, lets batches through again; nil where it
    /// did not, or where only a person can close it.
    public var nextAttemptAt: Timestamp?

    init(replay: String) { self.replay = replay }

    mutating func take(_ checkpoint: Checkpoint) {
        position = Position(checkpoint.position)
        resolutionWatermark = checkpoint.watermark
        digest = checkpoint.digest.value.hex
        appliedDigest = checkpoint.appliedDigest.value.hex
        root = checkpoint.root.hex
    }
}

extension StoreMetrics {
    /// A replay stands at a position.
    static func replayed(_ replay: String, to position: Position) {
        Gauge(label: "tallystick_replay_position", dimensions: [("replay", replay)])
            .record(position.rawValue)
    }
}
