import ArgumentParser
import Tallystick
import TallystickCore

extension Audit {
    struct Replay: TallyCommand {
        static let title = "audit replay"
        static let configuration = CommandConfiguration(
            abstract: "Derive every decision again, and name what differs.",
            discussion: """
                Exit 0: every decision follows from its candidates and settings. 1: one does not.

                EXAMPLE
                  tally audit replay events.db
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var progress: ProgressOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            return try await OpenedStore.with(store, .command(.readOnly)) { opened in
                let bar = progress.bar(unit: "decisions")
                let done = try await opened.replayAudit { bar.update($0.done, of: $0.total) }
                bar.finish()
                var result = Report("audit replay", on: opened, started: started)
                result.exit = done.driftCount > 0 ? Exit.differences : Exit.done
                result.result = done.driftCount > 0 ? "differences" : "no drift"
                result.add(
                    "decisions",
                    .object([
                        ("derived", .number(done.derived)), ("manual", .number(done.manual)),
                        ("not_derivable", .number(done.notDerivable)),
                    ])
                )
                result.add("drifts", .list(done.drifts.map(Self.drift)))
                result.add("drift_count", .number(done.driftCount))
                try result.print(report) { Self.lines(done) }
                return result.exit
            }
        }

        private static func drift(_ drift: AuditReplayReport.Drift) -> JSONValue {
            .object([
                ("resolution_id", .number(drift.resolutionID)),
                ("conflict_id", .number(drift.conflictID)), ("what", .text(drift.what)),
                ("expected", .text(drift.expected)), ("actual", .text(drift.actual)),
            ])
        }

        private static func lines(_ done: AuditReplayReport) -> [String] {
            var lines = [
                "derived again  \(done.derived)", "by people  \(done.manual)",
                "by programs  \(done.notDerivable), which cannot be derived again",
            ]
            for drift in done.drifts.prefix(20) {
                lines.append(
                    "\(drift.what)  resolution \(drift.resolutionID), conflict \(drift.conflictID)"
                )
                lines.append("  stored   \(drift.expected)")
                lines.append("  derived  \(drift.actual)")
            }
            if done.driftCount > 20 { lines.append("and \(done.driftCount - 20) more; see --json") }
            lines.append(done.driftCount == 0 ? "no drift" : "\(done.driftCount) drifts")
            return lines
        }
    }
}
