import ArgumentParser
import Tallystick
import TallystickCore

struct Reconcile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare copies, and let policies decide where they disagree.",
        discussion: """
            EXAMPLES
              tally reconcile events.db
              tally reconcile events.db --dry-run
              tally reconcile status events.db
            """,
        subcommands: [Run.self, Status.self],
        defaultSubcommand: Run.self
    )

    struct Run: TallyCommand {
        static let title = "reconcile"
        static let configuration = CommandConfiguration(
            abstract: "Run reconciliation, or go on with a run that was stopped.",
            discussion: """
                Exit 0: no conflict is open. 1: conflicts wait for a person. 3: the run can go on later. \
                A dry run decides nothing, but is on record itself: it needs the permission to write.

                EXAMPLES
                  tally reconcile run events.db
                  tally reconcile run events.db --dry-run --json
                  tally reconcile run events.db --origins websocket,poll --since 2h
                  tally reconcile run events.db --override-breaker --actor ann \\
                      --reason "feed is well again"
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Option(help: "Only conflicts that concern these delivery paths, separated by commas.")
        var origins: String?
        @Option(help: "Only what was recorded since: a time (RFC 3339), or for example 2h ago.")
        var since: String?
        @Flag(help: "Decide without writing any decision.")
        var dryRun = false
        @Option(help: "Pause after this time, for example 10s; the next run goes on.")
        var maxTime: String?
        @Flag(help: "Decide for origins whose breakers are open too.")
        var overrideBreaker = false
        @Option(help: "Who runs it.")
        var actor: String?
        @Option(help: "Why.")
        var reason: String?
        @OptionGroup var waiting: WaitOptions
        @OptionGroup var keys: KeyOptions
        @OptionGroup var progress: ProgressOptions
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard overrideBreaker, actor == nil || reason == nil else { return }
            throw ValidationError("--override-breaker needs --actor and --reason")
        }

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            var options = ReconcileOptions()
            options.origins = origins.map { $0.split(separator: ",").map(String.init) }
            options.since = try since.map { try PointInTime.parse($0) }
            options.isDryRun = dryRun
            options.duration = try maxTime.map { try Durations.parse($0) }
            options.overridesBreaker = overrideBreaker
            options.actor = actor ?? CurrentActor.current
            options.reason = reason
            let bar = progress.bar(unit: "compared")
            options.onProgress = { bar.update($0, of: $1) }
            let opened = try await EventStore.open(
                at: store,
                keys: keys.source,
                options: waiting.command()
            )
            let done: ReconcileReport
            do {
                done = try await opened.reconcile(options)
            } catch {
                bar.finish()
                await opened.close()
                throw error
            }
            bar.finish()
            await opened.close()
            return try ReconcileOutput.print(done, "reconcile", opened, started, report)
        }
    }

    struct Status: TallyCommand {
        static let title = "reconcile status"
        static let configuration = CommandConfiguration(
            abstract: "Show where the newest run stands.",
            discussion: "EXAMPLE\n  tally reconcile status events.db"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let opened = try await EventStore.open(at: store, options: .command(.readOnly))
            guard let run = try await opened.reconciliationStatus() else {
                throw StoreError(
                    .notFound,
                    during: "show the reconciliation",
                    on: store,
                    "there was no run yet",
                    hint: "Run 'tally reconcile \(store)'"
                )
            }
            return try ReconcileOutput.print(run, "reconcile status", opened, started, report)
        }
    }
}

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
            .optional(done.nextAttemptAt.map { RFC3339.string(microseconds: $0) })
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
            let until = done.nextAttemptAt.map {
                " until \(RFC3339.string(microseconds: $0))"
            }
            lines.append("deferred  \(done.deferred): a breaker is open\(until ?? "")")
        }
        lines.append("digest  \(done.decisionsDigest)")
        if done.open > 0 { lines.append("see 'tally conflicts' for what is open") }
        return lines
    }
}

/// A time that a person gives.
enum PointInTime {
    /// Microseconds since 1970 of an RFC 3339 time, or of a time so long ago.
    ///
    /// - parameter option: its name in messages.
    static func parse(_ text: String, option: String = "--since") throws -> Int64 {
        if let microseconds = RFC3339.microseconds(text) { return microseconds }
        guard let duration = try? Durations.parse(text) else {
            throw ValidationError(
                "\(option): '\(text)' is neither an RFC 3339 time nor a duration; "
                    + "write for example 2026-03-01T00:00:00Z or 2h"
            )
        }
        let (seconds, attoseconds) = duration.components
        let ago = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        return StoreOptions().clock() - ago
    }
}
