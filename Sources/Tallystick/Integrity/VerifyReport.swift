import Metrics
public import TallystickCore

/// The result of a verification.
public struct VerifyReport: Sendable {
    /// A part that was skipped, and why.
    public struct NotChecked: Sendable, Equatable {
        /// The kind of the skipped records, or the skipped part of a check.
        public var what: String
        /// The number of skipped records.
        public var records: Int64
        /// Why they were skipped.
        public var reason: String
    }

    /// The store's id; nil if SQLite cannot read the pages that hold it.
    public internal(set) var storeID: String?
    /// Number of events that this run checked.
    public var events: Int64 = 0
    /// Number of further copies that this run checked.
    public var copies: Int64 = 0
    /// Number of audit rows that this run checked.
    public var auditRows: Int64 = 0
    /// Number of Merkle tiles that this run checked.
    public var tiles: Int64 = 0
    /// The parts that this run skipped; empty if it checked everything in its scope.
    public var notChecked: [NotChecked] = []
    /// Number of HMACs that can be checked only with their keys; the leaves of their events were checked.
    public internal(set) var checksumsWithoutKey: Int64 = 0
    /// The first `VerifyLimits.findings` findings, in order of their records.
    public var findings: [VerifyFinding] = []
    /// The number of all findings.
    public var findingCount = 0
    /// The number of findings of the earlier runs that this one continued.
    public var earlierFindings = 0
    /// Leaves of the three logs.
    public var sizes: (events: Int64, copies: Int64, audit: Int64) = (0, 0, 0)
    /// Roots of the three logs, in hexadecimal.
    public var roots: (events: String, copies: String, audit: String) = ("", "", "")
    /// Number of stored heads that were checked.
    public var heads: Int64 = 0
    /// Whether everything was checked, by this run or those that it continued.
    public var isComplete = false
    /// Where the next verification starts; after a complete run, with later additions. nil after a complete run with
    /// findings.
    public var cursor: String?

    /// Whether neither this run nor those that it continued have findings.
    public var isIntact: Bool { findingCount + earlierFindings == 0 }

    mutating func add(_ finding: VerifyFinding) {
        findingCount += 1
        if findings.count < VerifyLimits.findings { findings.append(finding) }
    }

    /// Takes the next row of a table whose keys have no gaps, and adds a finding if rows before it are missing or if
    /// it is out of order, as in a damaged table, whose rows SQLite returns as they are stored.
    ///
    /// - parameter expected: the next key; advanced.
    /// - returns: false for a row out of order. It cannot be found by its key, which can be anything.
    mutating func addGap(_ table: String, _ expected: inout Int64, before key: Int64) -> Bool {
        guard key >= expected else {
            add(
                VerifyFinding(
                    record: "\(table) \(key)",
                    position: table == "events" ? key : nil,
                    finding: .sequence,
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
                finding: .sequence,
                expected: first == last ? "a row" : "\(keys.count) rows",
                actual: "no row"
            )
        )
    }

    /// Merges the findings of a part of the work.
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

/// Options of a verification.
public struct VerifyOptions: Sendable {
    /// The scope of a verification.
    public enum Scope: Sendable {
        case everything
        /// Only the audit trail.
        case audit
    }

    /// The scope; everything by default.
    public var scope = Scope.everything
    /// After this time the verification stops and returns a cursor.
    public var duration: Duration?
    /// The cursor of an earlier verification of the same store.
    public var cursor: String?
    /// Heads that were kept elsewhere: the store must extend each of them.
    public var against: [TreeHead] = []
    /// The number of threads; two by default.
    public var workers = 2
    /// Called periodically with the number of events checked, and of all events.
    public var onProgress: (@Sendable (_ progress: ProgressUpdate) -> Void)?

    /// The defaults: everything, with two threads, without a time limit.
    public init() {}
}

/// Limits of verification.
package enum VerifyLimits {
    /// Maximum number of findings in a report.
    package static let findings = 1000
    /// Maximum bytes of an accepted cursor.
    package static let cursorBytes = 1 << 20
    /// Rows that a worker processes at a time, in one short read transaction: for events, whole tiles.
    static let chunk: Int64 = 39 * 256
    /// Tiles that a worker processes at a time.
    static let tileChunk: Int64 = 256
    /// Audit rows, which are slower, that a worker processes at a time.
    static let auditChunk: Int64 = 4096
}

extension StoreMetrics {
    /// A verification ended.
    static func verified(_ report: VerifyReport, in duration: Duration) {
        Counter(label: "tallystick_verify_findings").increment(by: report.findingCount)
        Timer(label: "tallystick_verify_duration").record(duration: duration)
    }
}
