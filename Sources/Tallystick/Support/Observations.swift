import Logging
import Metrics
import TallystickCore

/// What a transaction found and decided, told to the log and the metrics once it is on disk: one line for each
/// sort, however many there are of it. Contents of events are never told.
struct Observations {
    private enum Subject: String {
        case mismatch, conflict, resolution
    }

    private struct Sort: Hashable {
        var subject: Subject
        /// Names and values, in a fixed order for each subject.
        var labels: [String]
        var level: Logger.Level
    }

    private var counts: [Sort: Int] = [:]

    private static let names: [Subject: [String]] = [
        .mismatch: ["kind", "severity", "category", "origin"],
        .conflict: ["kind", "severity", "category", "origin"],
        .resolution: ["policy", "decision"],
    ]
    private static let metrics: [Subject: String] = [
        .mismatch: "tallystick_mismatches",
        .conflict: "tallystick_conflicts_opened",
        .resolution: "tallystick_resolutions",
    ]
    private static let messages: [Subject: Logger.Message] = [
        .mismatch: "checksums do not match",
        .conflict: "conflict opened",
        .resolution: "conflict resolved",
    ]

    mutating func add(_ mismatch: NewMismatch) {
        add(
            .mismatch,
            [
                mismatch.kind.rawValue, mismatch.severity, mismatch.category ?? "",
                mismatch.origin ?? "",
            ],
            Self.level(of: mismatch.severity)
        )
    }

    mutating func add(_ conflict: ConflictRecord) {
        add(
            .conflict,
            [
                conflict.kind.rawValue, conflict.severity, conflict.category ?? "",
                conflict.origin ?? "",
            ],
            Self.level(of: conflict.severity)
        )
    }

    mutating func add(_ resolution: NewResolution) {
        add(.resolution, [resolution.policy, resolution.decision], .info)
    }

    private mutating func add(_ subject: Subject, _ labels: [String], _ level: Logger.Level) {
        counts[Sort(subject: subject, labels: labels, level: level), default: 0] += 1
    }

    /// The level of swift-log that a severity has.
    static func level(of severity: String) -> Logger.Level {
        switch StoreSettings.Severity(rawValue: severity) {
        case .critical?: .critical
        case .high?: .error
        case .medium?: .warning
        case .low?, nil: .notice
        }
    }

    func tell(_ logger: Logger) {
        for (sort, count) in counts {
            let dimensions = Array(zip(Self.names[sort.subject] ?? [], sort.labels))
            if let label = Self.metrics[sort.subject] {
                Counter(label: label, dimensions: dimensions).increment(by: count)
            }
            var metadata: Logger.Metadata = ["count": "\(count)"]
            for (name, value) in dimensions { metadata[name] = "\(value)" }
            logger.log(
                level: sort.level,
                Self.messages[sort.subject] ?? "",
                metadata: metadata
            )
        }
    }
}

/// What the other measures of swift-metrics are called. They are silent unless the program sets swift-metrics up.
enum StoreMetrics {
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

    /// A replay stands at a position.
    static func replayed(_ replay: String, to position: Int64) {
        Gauge(label: "tallystick_replay_position", dimensions: [("replay", replay)])
            .record(position)
    }

    /// A verification ended.
    static func verified(_ report: VerifyReport, in duration: Duration) {
        Counter(label: "tallystick_verify_findings").increment(by: report.findingCount)
        Timer(label: "tallystick_verify_duration").record(duration: duration)
    }
}
