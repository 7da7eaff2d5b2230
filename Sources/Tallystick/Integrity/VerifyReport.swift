/// What a verification found.
public struct VerifyReport: Sendable {
    /// A difference between a record and its proof.
    public struct Finding: Sendable, Equatable {
        /// Table and key, such as `events 42` or `merkle_tiles events/0/3`.
        public var record: String
        public var position: Int64?
        public var source: String?
        public var eventID: String?
        /// `content`, `downgrade`, `key`, `leaf`, `tile`, `index`, `sequence`, `schema` or `derived`.
        public var finding: String
        public var expected: String
        public var actual: String
    }

    /// What was left out, and why.
    public struct NotChecked: Sendable, Equatable {
        public var what: String
        public var records: Int64
        public var reason: String
    }

    public var events: Int64 = 0
    public var copies: Int64 = 0
    public var auditRows: Int64 = 0
    public var tiles: Int64 = 0
    public var notChecked: [NotChecked] = []
    /// HMACs that only a holder of their keys can check; their events' leaves were checked.
    public internal(set) var checksumsWithoutKey: Int64 = 0
    /// The first `VerifyLimits.findings` findings, in order of their records.
    public var findings: [Finding] = []
    /// All findings.
    public var findingCount = 0
    /// Leaves of the three logs.
    public var sizes: (events: Int64, copies: Int64, audit: Int64) = (0, 0, 0)
    /// Roots of the three logs, in hexadecimal.
    public var roots: (events: String, copies: String, audit: String) = ("", "", "")
    /// Where a verification that ran out of time goes on; nil when it was complete.
    public var cursor: String?

    public var isIntact: Bool { findingCount == 0 }

    mutating func add(_ finding: Finding) {
        findingCount += 1
        if findings.count < VerifyLimits.findings { findings.append(finding) }
    }
}

/// How a verification runs.
public struct VerifyOptions: Sendable {
    /// What is checked.
    public enum Scope: Sendable {
        case everything
        /// The audit trail alone.
        case audit
    }

    public var scope = Scope.everything
    /// After this time the verification stops and returns a cursor.
    public var duration: Duration?
    /// A cursor of an earlier verification of the same store.
    public var cursor: String?
    /// How many threads work; by default two.
    public var workers = 2
    /// Called now and then with the events checked, and all events.
    public var onProgress: (@Sendable (Int64, Int64) -> Void)?

    public init() {}
}

/// Limits of verification.
public enum VerifyLimits {
    /// How many findings a report lists.
    public static let findings = 1000
    /// Events that a worker takes at a time: whole tiles, and one short read transaction.
    static let chunk: Int64 = 40 * 256
}
