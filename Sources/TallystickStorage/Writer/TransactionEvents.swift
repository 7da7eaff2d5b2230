package import Logging
import Metrics
import TallystickCore

/// The findings and decisions of a transaction, reported to the log and the metrics once it is on disk: one line
/// for each kind, however many there are. Contents of events are never reported.
package struct TransactionEvents {
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

    package mutating func add(_ mismatch: NewMismatch) {
        add(
            .mismatch,
            [
                mismatch.kind.rawValue, mismatch.severity, mismatch.category ?? "",
                mismatch.origin ?? "",
            ],
            Self.level(of: mismatch.severity)
        )
    }

    package mutating func add(_ conflict: ConflictRecord) {
        add(
            .conflict,
            [
                conflict.kind.rawValue, conflict.severity, conflict.category ?? "",
                conflict.origin ?? "",
            ],
            Self.level(of: conflict.severity)
        )
    }

    package mutating func add(_ resolution: NewResolution) {
        add(.resolution, [resolution.policy, resolution.decision], .info)
    }

    private mutating func add(_ subject: Subject, _ labels: [String], _ level: Logger.Level) {
        counts[Sort(subject: subject, labels: labels, level: level), default: 0] += 1
    }

    /// The swift-log level of a severity.
    package static func level(of severity: String) -> Logger.Level {
        switch StoreSettings.Severity(rawValue: severity) {
        case .critical?: .critical
        case .high?: .error
        case .medium?: .warning
        case .low?, nil: .notice
        }
    }

    package func emit(_ logger: Logger) {
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
