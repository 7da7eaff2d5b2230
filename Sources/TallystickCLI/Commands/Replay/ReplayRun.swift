import ArgumentParser
import Tallystick
import TallystickCore

extension Replay {
    struct Run: TallyCommand {
        static let title = "replay"
        static let configuration = CommandConfiguration(
            abstract: "Replay from the checkpoint to the head.",
            discussion: """
                PROJECTION is a SQL file; with --exec, a name for the checkpoint.

                --exec runs the command for each batch, with one JSON object a line on its standard input: kind (event \
                or correction), position, stream, revision, category, origin, recorded_at and event (a CloudEvent); a \
                correction also has resolution_id, decision and previous. Exit 0 takes the batch. A batch may come again: \
                positions tell what was seen.

                --to - writes the same lines to standard output and keeps no checkpoint. Its last line on standard \
                error says where to go on: "tally replay: continue with --after POSITION", or POSITION:RESOLUTION.

                EXAMPLES
                  tally replay run events.db service_health.sql --batch 5000
                  tally replay run events.db mailer --exec ./send-mails --follow
                  tally replay run events.db --to - --after 1000
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(
            help: "The projection file; with --exec, the replay's name; with --to, none.",
            completion: .file()
        )
        var projection: String?
        @Option(help: "Project into this SQLite file instead of the store.", completion: .file())
        var into: String?
        @Option(help: "Hand batches to this shell command.")
        var exec: String?
        @Option(help: "Write events to standard output (-), and keep no checkpoint.")
        var to: String?
        @Option(help: "With --to: start after this POSITION, or POSITION:RESOLUTION.")
        var after: String?
        @Flag(help: "At the head wait for more, until interrupted.")
        var follow = false
        @Option(help: "Events a transaction or batch, 1 to 10000.")
        var batch: Int = 10_000
        @Option(help: "Stop after this position.")
        var until: Int64?
        @Option(help: "What to do with an event that cannot be applied: halt, park or skip.")
        var onPoison: Poison = .halt
        @Flag(help: "Start again where the checkpoint does not fit the store's history.")
        var rebuild = false
        @Flag(
            help:
                "First read everything that was consumed again, and compare it with the checkpoint."
        )
        var verifyHistory = false
        @Option(help: "Who runs it.")
        var actor: String?
        @OptionGroup var waiting: WaitOptions
        @OptionGroup var progress: ProgressOptions
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard (1...10_000).contains(batch) else {
                throw ValidationError("--batch must be from 1 to 10000")
            }
            if let to, to != "-" {
                throw ValidationError("--to takes -; to project into a SQLite file use --into")
            }
            let targets = [into, exec, to].compactMap { $0 }
            guard targets.count <= 1 else {
                throw ValidationError("--into, --exec and --to exclude each other; give one")
            }
            if to == nil {
                guard projection != nil else {
                    throw ValidationError("name a projection file, or with --exec a replay")
                }
                if after != nil { throw ValidationError("--after goes with --to; others resume") }
            } else if projection != nil {
                throw ValidationError("--to - keeps no checkpoint and takes no projection")
            }
            if exec != nil || to != nil, onPoison != .halt || verifyHistory {
                throw ValidationError("--on-poison and --verify-history are for projections")
            }
            if let after, ReplayCursor(after) == nil {
                throw ValidationError(
                    "--after: '\(after)' is neither POSITION nor POSITION:RESOLUTION"
                )
            }
        }

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let bar = progress.bar(unit: "events")
            var options = ReplayOptions()
            if let into { options.target = .file(into) }
            options.batch = batch
            options.until = until.map { Position($0) }
            options.onPoison = PoisonPolicy(rawValue: onPoison.rawValue) ?? .halt
            options.rebuild = rebuild
            options.verifiesHistory = verifyHistory
            options.actor = actor ?? CurrentActor.current
            options.onProgress = { bar.update($0.done, of: $0.total) }
            if to != nil { return try await stream(options, bar) }
            let command = exec.map { CommandSink($0) }
            let work = try command == nil ? SmallFile.read(projection ?? "") : []
            return try await OpenedStore.with(store, waiting.applied()) { opened in
                let done: ReplayOutcome
                do {
                    done = try await run(opened, options, work, command)
                } catch {
                    bar.finish()
                    throw error
                }
                bar.finish()
                let exit = exitCode(done)
                if let reason = done.reason { Terminal.note("tally replay: halted: \(reason)") }
                if done.status == .paused, !follow {
                    Terminal.note("tally replay: stopped; run the same command to go on")
                }
                try ReplayReport.print(done, opened, exit, started, report, command: command)
                return exit
            }
        }

        private func run(
            _ opened: EventStore,
            _ options: ReplayOptions,
            _ definition: [UInt8],
            _ command: CommandSink?
        ) async throws -> ReplayOutcome {
            if let command {
                let name = projection ?? ""
                return try await follow
                    ? opened.follow(into: command, named: name, options: options)
                    : opened.replay(into: command, named: name, options: options)
            }
            return try await follow
                ? opened.follow(projection: definition, options: options)
                : opened.replay(projection: definition, options: options)
        }

        private func exitCode(_ done: ReplayOutcome) -> Int32 {
            switch done.status {
            case .complete: Exit.done
            case .halted: Exit.incomplete
            case .paused: follow ? Exit.done : Exit.incomplete
            }
        }

        /// Writes the log to standard output, and at the end says where to go on.
        private func stream(_ options: ReplayOptions, _ bar: ProgressBar) async throws -> Int32 {
            return try await OpenedStore.with(store, .readOnly) { opened in
                let sink = LineSink(try OutputFile(path: nil), isLive: follow)
                let start = after.flatMap { ReplayCursor($0) } ?? ReplayCursor()
                let end: ReplayCursor
                do {
                    end = try await opened.replay(
                        into: sink,
                        after: start,
                        options: options,
                        follows: follow
                    )
                    try sink.finish()
                    bar.finish()
                    if let hold = end.hold { Terminal.note("tally replay: halted: \(hold)") }
                    Terminal.note("tally replay: continue with --after \(end)")
                } catch {
                    try sink.finish()
                    bar.finish()
                    Terminal.note("tally replay: continue with --after \(sink.last ?? start)")
                    throw error
                }
                if follow { return Exit.done }
                return end.hold != nil || Task.isCancelled ? Exit.incomplete : Exit.done
            }
        }
    }
}

/// Writes what a replay hands on as NDJSON.
///
/// Unchecked Sendable: the replay's thread alone uses the file while it runs, the command only afterwards.
private final class LineSink: ReplaySink, @unchecked Sendable {
    private let file: OutputFile
    private let isLive: Bool
    /// The place of the item written last.
    private(set) var last: ReplayCursor?

    init(_ file: OutputFile, isLive: Bool) {
        self.file = file
        self.isLive = isLive
    }

    func take(_ batch: [ReplayItem]) throws {
        var lines: [UInt8] = []
        for item in batch {
            lines.removeAll(keepingCapacity: true)
            item.writeJSON(to: &lines)
            lines.append(0x0A)
            try file.write(lines)
            // A correction concerns an earlier event; the place in the log is still the same.
            if case .event(let event) = item { last = ReplayCursor(after: event.position) }
        }
        if isLive { try file.flush() }
    }

    func finish() throws { try file.finish() }
}
