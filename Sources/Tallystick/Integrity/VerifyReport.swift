import Metrics
public import TallystickCore

/// What a verification found.
public struct VerifyReport: Sendable {
    /// What was left out, and why.
    public struct NotChecked: Sendable, Equatable {
        /// The kind of records or the part of a check.
        public var what: String
        /// How many records were left out.
        public var records: Int64
        /// Why they were left out.
        public var reason: String
    }

    /// The store's id; nil where it stands in pages that SQLite cannot read.
    public internal(set) var storeID: String?
    /// Events that this run checked.
    public var events: Int64 = 0
    /// Further copies that this run checked.
    public var copies: Int64 = 0
    /// Rows of the audit trail that this run checked.
    public var auditRows: Int64 = 0
    /// Merkle tiles that this run checked.
    public var tiles: Int64 = 0
    /// What this run left out; empty where it checked everything in its scope.
    public var notChecked: [NotChecked] = []
    /// HMACs that only a holder of their keys can check; their events' leaves were checked.
    public internal(set) var checksumsWithoutKey: Int64 = 0
    /// The first `VerifyLimits.findings` findings, in order of their records.
    public var findings: [VerifyFinding] = []
    /// All findings.
    public var findingCount = 0
    /// Findings of the runs that this one went on from.
    public var earlierFindings = 0
    /// Leaves of the three logs.
    public var sizes: (events: Int64, copies: Int64, audit: Int64) = (0, 0, 0)
    /// Roots of the three logs, in hexadecimal.
    public var roots: (events: String, copies: String, audit: String) = ("", "", "")
    /// Stored heads that were checked.
    public var heads: Int64 = 0
    /// Whether everything was checked, by this run or those that it went on from.
    public var isComplete = false
    /// Where the next verification goes on: after a complete one with what is added from now on; nil after a
    /// complete one that found something.
    public var cursor: String?

    /// Whether neither this run nor those that it went on from found anything.
    public var isIntact: Bool { findingCount + earlierFindings == 0 }

    mutating func add(_ finding: VerifyFinding) {
        findingCount += 1
        if findings.count < VerifyLimits.findings { findings.append(finding) }
    }

    /// Takes the next row of a table whose keys have no gaps, and adds a finding where rows are missing before it, or
    /// where it comes out of order: so do those of a damaged table, which SQLite hands on as they lie.
    ///
    /// - parameter expected: the key that is next; moved on.
    /// - returns: false for a row out of order. Nobody finds it by its key, and its key can be anything.
    mutating func addGap(_ table: String, _ expected: inout Int64, before key: Int64) -> Bool {
        guard key >= expected else {
            add(
                VerifyFinding(
                    record: "\(table) \(key)",
                    position: table == "events" ? key : nil,
                    finding: "sequence",
                    expected: "a row after \(expected - 1)",
                    actual: "a row out of order"
                )
            )
            return false
        }
        addMissing(table, expected..<key)
        expected = key + 1
        return true
    }

    /// Adds a finding for rows that are missing, if there are any.
    mutating func addMissing(_ table: String, _ keys: Range<Int64>) {
        guard let first = keys.first else { return }
        let last = keys.upperBound - 1
        add(
            VerifyFinding(
                record: first == last ? "\(table) \(first)" : "\(table) \(first) to \(last)",
                position: table == "events" ? first : nil,
                finding: "sequence",
                expected: first == last ? "a row" : "\(keys.count) rows",
                actual: "no row"
            )
        )
    }

    /// Takes in what a part of the work found.
    mutating func merge(_ part: VerifyReport) {
        events += part.events
        copies += part.copies
        auditRows += part.auditRows
        tiles += part.tiles
        checksumsWithoutKey += part.checksumsWithoutKey
        notChecked += part.notChecked
        for finding in part.findings { add(finding) }
        findingCount += part.findingCount - part.findings.count
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

    /// What is checked; everything unless set.
    public var scope = Scope.everything
    /// After this time the verification stops and returns a cursor.
    public var duration: Duration?
    /// The cursor of an earlier verification of the same store.
    public var cursor: String?
    /// Heads that were kept elsewhere: the store must have grown out of each of them.
    public var against: [TreeHead] = []
    /// How many threads work; by default two.
    public var workers = 2
    /// Called now and then with the events checked, and all events.
    public var onProgress: (@Sendable (Int64, Int64) -> Void)?

    /// The defaults: everything, by two threads, without a limit of time.
    public init() {}
}

/// Limits of verification.
public enum VerifyLimits {
    /// How many findings a report lists.
    public static let findings = 1000
    /// Bytes of a cursor that is accepted.
    public static let cursorBytes = 1 << 20
    /// Rows that a worker takes at a time, in one short read transaction: for events, whole tiles.
    static let chunk: Int64 = 39 * 256
    /// Tiles that a worker takes at a time.
    static let tileChunk: Int64 = 256
    /// Audit rows, which are slower, that a worker takes at a time.
    static let auditChunk: Int64 = 4096
}

extension StoreMetrics {
    /// A verification ended.
    static func verified(_ report: VerifyReport, in duration: Duration) {
        Counter(label: "tallystick_verify_findings").increment(by: report.findingCount)
        Timer(label: "tallystick_verify_duration").record(duration: duration)
    }
}
