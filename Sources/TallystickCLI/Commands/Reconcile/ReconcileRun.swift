import ArgumentParser
import Tallystick
import TallystickCore

extension Reconcile {
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
            options.onProgress = { bar.update($0.done, of: $0.total) }
            return try await OpenedStore.with(
                store,
                keys: keys.source,
                waiting.command()
            ) { opened in
                defer { bar.finish() }
                let done = try await opened.reconcile(options)
                bar.finish()
                return try ReconcileOutput.print(done, "reconcile", opened, started, report)
            }
        }
    }
}
