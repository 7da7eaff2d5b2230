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
                  tally reconcile run events.db --follow --interval 5m
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
        @Flag(
            help:
                "Run again and again until SIGTERM or SIGINT; report runs that found or decided something."
        )
        var follow = false
        @Option(
            help: "With --follow: the time between two runs, for example 30s or 5m; default: 1m."
        )
        var interval: String?
        @Option(help: "Who runs it.")
        var actor: String?
        @Option(help: "Why.")
        var reason: String?
        @OptionGroup var waiting: WaitOptions
        @OptionGroup var keys: KeyOptions
        @OptionGroup var progress: ProgressOptions
        @OptionGroup var report: ReportOptions

        func validate() throws {
            if interval != nil, !follow { throw ValidationError("--interval is for --follow") }
            if follow, dryRun { throw ValidationError("--follow and --dry-run exclude each other") }
            if follow, report.output != nil {
                throw ValidationError(
                    "--output is for one report; with --follow, redirect the output"
                )
            }
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
            let pause = try Durations.parse(interval ?? "1m")
            return try await OpenedStore.with(
                store,
                keys: keys.source,
                waiting.command()
            ) { opened in
                defer { bar.finish() }
                if follow { return try await run(opened, options, every: pause, bar) }
                let done = try await opened.reconcile(options)
                bar.finish()
                return try ReconcileOutput.print(done, "reconcile", opened, started, report)
            }
        }

        /// Runs until the task is cancelled. What may succeed later, such as a store that another process writes to, is
        /// tried again in the next run.
        private func run(
            _ opened: EventStore,
            _ options: ReconcileOptions,
            every pause: Duration,
            _ bar: ProgressBar
        ) async throws -> Int32 {
            while !Task.isCancelled {
                let started = MonotonicClock.nanoseconds()
                do {
                    let done = try await opened.reconcile(options)
                    bar.finish()
                    if done.state != .completed || done.found + done.resolved > 0 {
                        _ = try ReconcileOutput.print(done, "reconcile", opened, started, report)
                    }
                } catch let error as StoreError where error.isRetryable {
                    Terminal.note("tally reconcile: \(error); the next run tries again")
                }
                // A cancelled sleep ends the loop.
                try? await Task.sleep(for: pause)
            }
            return Exit.done
        }
    }
}
