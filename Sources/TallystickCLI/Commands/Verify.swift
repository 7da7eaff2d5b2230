import ArgumentParser
import Tallystick
import TallystickCore

struct Verify: TallyCommand {
    static let title = "verify"
    static let configuration = CommandConfiguration(
        abstract: "Recompute every checksum, leaf and tile, and name what differs.",
        discussion: """
            Exit 0: everything agrees. 2: something differs. 3: the time was used up.

            EXAMPLES
              tally verify events.db
              tally verify events.db --max-time 10s
              tally verify events.db --resume events:102400
            """
    )

    @Argument(help: "The store.")
    var store: String
    @Option(help: "Stop after this time and print where to go on, for example 10s.")
    var maxTime: String?
    @Option(help: "Go on where an earlier verification stopped.")
    var resume: String?
    @OptionGroup var keys: KeyOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let started = Clock.nanoseconds()
        var options = StoreOptions()
        options.access = .readOnly
        let opened = try await EventStore.open(at: store, keys: keys.source, options: options)
        var verification = VerifyOptions()
        verification.duration = try maxTime.map { try Durations.parse($0) }
        verification.cursor = resume
        let bar = progress.bar(unit: "events")
        verification.onProgress = { bar.update($0, of: $1) }
        let done = try await opened.verify(verification)
        bar.finish()
        let exit =
            !done.isIntact ? Exit.integrity : done.cursor != nil ? Exit.incomplete : Exit.done
        var result = Report("verify", on: opened, started: started)
        result.exit = exit
        result.result =
            !done.isIntact ? "differences" : done.cursor != nil ? "incomplete" : "intact"
        VerifyOutput.add(done, to: &result)
        try result.print(report) { VerifyOutput.lines(done) }
        return exit
    }
}

/// A verification's report.
enum VerifyOutput {
    static func add(_ done: VerifyReport, to result: inout Report) {
        result.add(
            "checked",
            .object([
                ("events", .number(done.events)), ("copies", .number(done.copies)),
                ("audit_rows", .number(done.auditRows)), ("tiles", .number(done.tiles)),
            ])
        )
        result.add(
            "not_checked",
            .list(
                done.notChecked.map {
                    .object([
                        ("what", .text($0.what)), ("records", .number($0.records)),
                        ("reason", .text($0.reason)),
                    ])
                }
            )
        )
        result.add("findings", .list(done.findings.map(Self.finding)))
        result.add(
            "tree",
            .object([
                ("events", .number(done.sizes.events)), ("copies", .number(done.sizes.copies)),
                ("audit", .number(done.sizes.audit)), ("root", .text(done.roots.events)),
                ("copies_root", .text(done.roots.copies)), ("audit_root", .text(done.roots.audit)),
                ("against", .null),
            ])
        )
        result.add("cursor", .optional(done.cursor))
    }

    private static func finding(_ finding: VerifyReport.Finding) -> JSONValue {
        .object([
            ("record", .text(finding.record)), ("position", .optional(finding.position)),
            ("source", .optional(finding.source)), ("event_id", .optional(finding.eventID)),
            ("finding", .text(finding.finding)), ("expected", .text(finding.expected)),
            ("actual", .text(finding.actual)),
        ])
    }

    static func lines(_ done: VerifyReport) -> [String] {
        var lines = [
            "checked  \(done.events) events, \(done.copies) copies, \(done.auditRows) audit rows, \(done.tiles) tiles"
        ]
        for item in done.notChecked {
            lines.append("not checked  \(item.records) \(item.what): \(item.reason)")
        }
        lines.append("tree  \(done.sizes.events) events, root \(done.roots.events)")
        for finding in done.findings.prefix(20) {
            let event = finding.eventID.map { ", event \($0)" } ?? ""
            lines.append("\(finding.finding)  \(finding.record)\(event)")
            lines.append("  expected \(finding.expected)")
            lines.append("  actual   \(finding.actual)")
        }
        if done.findingCount > 20 { lines.append("and \(done.findingCount - 20) more; see --json") }
        lines.append(
            done.isIntact
                ? (done.cursor.map { "intact so far; go on with --resume \($0)" } ?? "intact")
                : "\(done.findingCount) findings: the store was damaged or changed"
        )
        return lines
    }
}
