public import TallystickCore

/// How a run of reconciliation works.
public struct ReconcileOptions: Sendable {
    /// Only conflicts that concern these delivery paths; nil for all.
    public var origins: [String]?
    /// Only events recorded, and conflicts opened, since then.
    public var since: Timestamp?
    /// Decides without writing any decision: the same code, and the same digest of decisions. The run itself is on
    /// record, so that the store must be writable.
    public var isDryRun = false
    /// After this time the run pauses; the next one goes on.
    public var duration: Duration?
    /// Takes the side of origins whose breakers are open too.
    public var overridesBreaker = false
    /// Who runs it, for the audit trail.
    public var actor = "reconcile"
    /// Why; not empty where ``overridesBreaker`` is set.
    public var reason: String?
    /// Policies of the program.
    public var policies = PolicyRegistry()
    /// Called now and then with the conflicts and events done, and all there are.
    public var onProgress: (@Sendable (_ progress: ProgressUpdate) -> Void)?

    /// The defaults.
    public init() {}
}

/// What a run of reconciliation did, or would do.
public struct ReconcileReport: Sendable, Equatable {
    /// The run's number, from 1.
    public var run: Int64
    /// Whether nothing was written: all figures are then predictions.
    public var isDryRun: Bool
    /// Where the run stands: completed, paused, failed or cancelled.
    public var state: ReconciliationMachine.State
    /// Why the run is paused, failed or cancelled: `asked`, `time`, `breaker`, or the policy that halted it.
    public var cause: String?
    /// The configuration under which conflicts were decided.
    public var configurationVersion: Int64
    /// Events evaluated, and conflicts put to their policies.
    public var compared: Int64
    /// Conflicts that are new since the run before.
    public var found: Int64
    /// Conflicts that this run decided.
    public var resolved: Int64
    /// Decisions that wait for a breaker.
    public var deferred: Int64
    /// Conflicts of the store that are open now; in a dry run, that would stay open.
    public var open: Int64
    /// Decisions by policy.
    public var byPolicy: [String: Int64]
    /// New conflicts by kind.
    public var byKind: [String: Int64]
    /// Of the run's decisions, whatever their order; 64 hexadecimal digits.
    public var decisionsDigest: String
    /// When the first breaker that stands in the way lets calls through again.
    public var nextAttemptAt: Timestamp?
}

/// Limits of reconciliation.
enum ReconcileLimits {
    /// Conflicts evaluated between two transactions.
    static let batch = 256
    /// A transaction ends after so many microseconds of writing.
    static let transactionMicroseconds: Int64 = 800_000
}
