import Tallystick
import TallystickCore

/// A run's report.
enum ReconcileOutput {
    static func print(
        _ done: ReconcileReport,
        _ command: String,
        _ store: EventStore,
        _ started: UInt64,
        _ options: ReportOptions
    ) throws -> Int32 {
        var result = Report(command, on: store, started: started)
        result.exit = exit(done)
        result.result =
            done.state != .completed ? "incomplete" : done.open > 0 ? "differences" : "reconciled"
        add(done, to: &result)
        try result.print(options) { lines(done) }
        return result.exit
    }

    private static func exit(_ done: ReconcileReport) -> Int32 {
        switch done.state {
        case .completed: done.open > 0 ? Exit.differences : Exit.done
        case .failed: Exit.integrity
        default: Exit.incomplete
        }
    }

    private static func add(_ done: ReconcileReport, to result: inout Report) {
        func counts(_ counts: [String: Int64]) -> JSONValue {
            .object(counts.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) })
        }
        result.add("run", .number(done.run))
        result.add("dry_run", .flag(done.isDryRun))
        result.add("state", .text(done.state.rawValue))
        result.add("cause", .optional(done.cause))
        result.add("configuration_version", .number(done.configurationVersion))
        result.add("compared", .number(done.compared))
        result.add(
            "conflicts",
            .object([
                ("found", .number(done.found)), ("resolved", .number(done.resolved)),
                ("deferred", .number(done.deferred)), ("open", .number(done.open)),
            ])
        )
        result.add("by_policy", counts(done.byPolicy))
        result.add("by_kind", counts(done.byKind))
        result.add("decisions_digest", .text(done.decisionsDigest))
        result.add(
            "next_attempt_at",
            .optional(done.nextAttemptAt?.description)
        )
    }

    private static func lines(_ done: ReconcileReport) -> [String] {
        func counts(_ counts: [String: Int64]) -> String {
            counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
                .joined(separator: ", ")
        }
        let verb = done.isDryRun ? "would decide" : "decided"
        var lines = [
            "run \(done.run) \(done.state.rawValue)" + (done.cause.map { ": \($0)" } ?? ""),
            "compared  \(done.compared)",
            "conflicts  \(done.found) new, \(done.open) open",
        ]
        if !done.byKind.isEmpty { lines.append("  \(counts(done.byKind))") }
        lines.append("\(verb)  \(done.resolved)")
        if !done.byPolicy.isEmpty { lines.append("  \(counts(done.byPolicy))") }
        if done.deferred > 0 {
            let until = done.nextAttemptAt.map { " until \($0)" }
            lines.append("deferred  \(done.deferred): a breaker is open\(until ?? "")")
        }
        lines.append("digest  \(done.decisionsDigest)")
        if done.open > 0 { lines.append("see 'tally conflicts' for what is open") }
        return lines
    }
}
