import Metrics
public import TallystickCore

/// What became of an input, decided against everything already stored for its event.
public enum IngestOutcome: String, Sendable, CaseIterable {
    /// A new event, recorded at a new position.
    case appended
    /// The same content from the same origin is stored already; nothing was stored.
    case duplicate
    /// Agrees with the event as appended; recorded as a further copy.
    case confirmed
    /// Disagrees with the event as appended; recorded as a further copy, with a conflict.
    case conflicting
    /// Not an event; kept in quarantine with the reason.
    case quarantined
}

/// How many inputs had each outcome.
public struct OutcomeCounts: Sendable, Equatable {
    /// New events.
    public var appended = 0
    /// Deliveries that were recorded before.
    public var duplicate = 0
    /// Further copies that agree.
    public var confirmed = 0
    /// Further copies that disagree.
    public var conflicting = 0
    /// Records that are not events.
    public var quarantined = 0

    /// All counts are 0.
    public init() {}

    /// The count of one outcome.
    public subscript(outcome: IngestOutcome) -> Int {
        get {
            switch outcome {
            case .appended: appended
            case .duplicate: duplicate
            case .confirmed: confirmed
            case .conflicting: conflicting
            case .quarantined: quarantined
            }
        }
        set {
            switch outcome {
            case .appended: appended = newValue
            case .duplicate: duplicate = newValue
            case .confirmed: confirmed = newValue
            case .conflicting: conflicting = newValue
            case .quarantined: quarantined = newValue
            }
        }
    }

    /// All inputs, whatever their outcome.
    public var total: Int { appended + duplicate + confirmed + conflicting + quarantined }

    static func + (left: Self, right: Self) -> Self {
        var sum = left
        sum += right
        return sum
    }

    static func += (left: inout Self, right: Self) {
        for outcome in IngestOutcome.allCases { left[outcome] += right[outcome] }
    }
}

/// What an ingest did, as far as it came.
public struct IngestReport: Sendable {
    /// One file, standard input, or a buffer.
    public struct Input: Sendable {
        /// The path as given; `-` for standard input.
        public var path: String
        /// Bytes read.
        public var bytes: Int64
        /// Records found, quarantined ones included.
        public var events: Int64
    }

    /// A place in an input that went to quarantine.
    public struct QuarantinedInput: Sendable {
        /// Row of the table `quarantine`.
        public var id: Int64
        /// The path of the input; `-` for standard input.
        public var path: String
        /// 1-based.
        public var line: Int64
        /// 1-based, in bytes.
        public var column: Int64
        /// 0-based, from the start of the input.
        public var byte: Int64
        /// Stable name of the reason.
        public var code: String
        /// The reason in words.
        public var message: String
    }

    /// The delivery path.
    public var origin: String
    /// The inputs that were read, in order.
    public var inputs: [Input] = []
    /// How many records had each outcome.
    public var outcomes = OutcomeCounts()
    /// Conflicts that this run opened.
    public var conflictsOpened = 0
    /// First and last position that this run appended; nil when it appended nothing.
    public var positions: ClosedRange<Position>?
    /// The first `IngestLimits.reportedQuarantine` quarantined inputs.
    public var quarantine: [QuarantinedInput] = []
    /// Whether there were more quarantined inputs than `quarantine` lists.
    public var quarantineTruncated = false
    /// Whether the run stopped before the end of its inputs. Run it again to go on: what is stored is
    /// recognised as duplicate.
    public var isInterrupted = false
    /// What the run stated about the completeness of its origin; nil where it stated nothing: it was not asked to, it
    /// was interrupted, or the span was to end with its records and none of them has a time.
    public var coverage: OriginCoverage?

    /// An empty report for deliveries by an origin.
    public init(origin: String) { self.origin = origin }
}

extension StoreMetrics {
    /// A batch was written.
    static func ingested(_ outcomes: OutcomeCounts, from origin: String, in duration: Duration) {
        for outcome in IngestOutcome.allCases where outcomes[outcome] > 0 {
            Counter(
                label: "tallystick_ingest_outcomes",
                dimensions: [("origin", origin), ("outcome", outcome.rawValue)]
            ).increment(by: outcomes[outcome])
        }
        Timer(label: "tallystick_ingest_batch_duration", dimensions: [("origin", origin)])
            .record(duration: duration)
    }
}
