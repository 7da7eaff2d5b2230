import ArgumentParser
import Tallystick
import TallystickCore

struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replay events into a projection, and resume.",
        discussion: """
            A projection is a SQL file: a header, setup, and statements for types of events. They see
            :position :source :id :type :stream :revision :category :origin :subject :time :recorded_at :data.
            They may use the projection's own tables (called NAME or NAME_…) and deterministic functions; no
            transaction control, ATTACH, PRAGMA, triggers or virtual tables.

            EXAMPLES
              tally replay events.db service_health.sql
              tally replay events.db service_health.sql --into health.db
              tally replay status events.db service_health
            """,
        subcommands: [
            Run.self, List.self, Status.self, Parked.self, Retry.self, Drop.self, Rebuild.self,
        ],
        defaultSubcommand: Run.self
    )

    struct Run: TallyCommand {
        static let title = "replay"
        static let configuration = CommandConfiguration(
            abstract: "Replay from the checkpoint to the head.",
            discussion: "EXAMPLE\n  tally replay run events.db service_health.sql --batch 5000"
        )
        @Argument(help: "The store.")
        var store: String
        @Argument(help: "The projection file.")
        var projection: String
        @Option(help: "Project into this SQLite file instead of the store.")
        var into: String?
        @Option(help: "Events a transaction.")
        var batch: Int = 10_000
        @Option(help: "Stop after this position.")
        var until: Int64?
        @Option(help: "What to do with an event that cannot be applied: halt, park or skip.")
        var onPoison: Poison = .halt
        @Flag(help: "Start again where the checkpoint does not fit the store's history.")
        var rebuild = false
        @Option(help: "Who runs it.")
        var actor: String?
        @OptionGroup var keys: KeyOptions
        @OptionGroup var progress: ProgressOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            guard batch > 0 else { throw ValidationError("--batch must be at least 1") }
            let started = Clock.nanoseconds()
            let definition = try SmallFile.read(projection)
            let opened = try await EventStore.open(
                at: store,
                keys: keys.source,
                options: .command()
            )
            var options = ReplayOptions()
            if let into { options.target = .file(into) }
            options.batch = batch
            options.until = until.map { Position($0) }
            options.onPoison = PoisonPolicy(rawValue: onPoison.rawValue) ?? .halt
            options.rebuild = rebuild
            options.actor = actor ?? Actor.current
            let bar = progress.bar(unit: "events")
            options.onProgress = { bar.update($0, of: $1) }
            let done: ReplayOutcome
            do {
                done = try await opened.replay(projection: definition, options: options)
            } catch {
                bar.finish()
                await opened.close()
                throw error
            }
            bar.finish()
            await opened.close()
            let exit = done.status == .complete ? Exit.done : Exit.incomplete
            if let reason = done.reason { Terminal.note("tally replay: halted: \(reason)") }
            if done.status == .paused {
                Terminal.note("tally replay: stopped; run the same command to go on")
            }
            try ReplayReport.print(done, opened, exit, started, report)
            return exit
        }
    }

    struct List: TallyCommand {
        static let title = "replay list"
        static let configuration = CommandConfiguration(
            abstract: "List replays.",
            discussion: "EXAMPLE\n  tally replay list events.db"
        )
        @Argument(help: "The store.")
        var store: String
        @OptionGroup var rows: RowOptions

        /// What a narrow table shows.
        private static let brief = [
            "replay", "projection_version?", "target?", "status", "position", "head", "behind?",
            "parked",
            "last_error",
        ]

        func execute() async throws -> Int32 {
            _ = try await Lists.print(.replays, of: store, rows, brief: Self.brief)
            return Exit.done
        }
    }

    struct Status: TallyCommand {
        static let title = "replay status"
        static let configuration = CommandConfiguration(
            abstract: "Show where a replay stands.",
            discussion: "EXAMPLE\n  tally replay status events.db service_health"
        )
        @Argument(help: "The store.")
        var store: String
        @Argument(help: "The replay's name.")
        var replay: String
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            guard try await Lists.print(.replay(replay), of: store, rows) > 0 else {
                throw StoreError(
                    .notFound,
                    during: "show the replay",
                    on: "replay '\(replay)'",
                    "there is no such replay",
                    hint: "See 'tally replay list'"
                )
            }
            return Exit.done
        }
    }

    struct Parked: TallyCommand {
        static let title = "replay parked"
        static let configuration = CommandConfiguration(
            abstract: "List events that a replay set aside.",
            discussion: "EXAMPLE\n  tally replay parked events.db service_health"
        )
        @Argument(help: "The store.")
        var store: String
        @Argument(help: "The replay's name.")
        var replay: String
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            _ = try await Lists.print(.parked(replay), of: store, rows)
            return Exit.done
        }
    }

    struct Retry: TallyCommand {
        static let title = "replay retry"
        static let configuration = CommandConfiguration(
            abstract: "Apply parked events again, in order.",
            discussion: "EXAMPLE\n  tally replay retry events.db service_health.sql"
        )
        @Argument(help: "The store.")
        var store: String
        @Argument(help: "The projection file.")
        var projection: String
        @Option(help: "The SQLite file that the projection is in, when it is not the store.")
        var into: String?
        @OptionGroup var keys: KeyOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = Clock.nanoseconds()
            let definition = try SmallFile.read(projection)
            let opened = try await EventStore.open(
                at: store,
                keys: keys.source,
                options: .command()
            )
            var options = ReplayOptions()
            if let into { options.target = .file(into) }
            let done = try await opened.retryParked(projection: definition, options: options)
            await opened.close()
            var result = Report("replay retry", on: opened, started: started)
            result.exit = done.parked > 0 ? Exit.incomplete : Exit.done
            result.result = done.parked > 0 ? "halted" : "done"
            result.add("applied", .number(done.applied))
            result.add("parked", .number(done.parked))
            try result.print(report) { ["\(done.applied) applied, \(done.parked) stay parked"] }
            return result.exit
        }
    }

    struct Drop: TallyCommand {
        static let title = "replay drop"
        static let configuration = CommandConfiguration(
            abstract: "Remove a replay with its tables and checkpoint.",
            discussion: "EXAMPLE\n  tally replay drop events.db service_health"
        )
        @Argument(help: "The store.")
        var store: String
        @Argument(help: "The replay's name.")
        var replay: String

        func execute() async throws -> Int32 {
            let opened = try await EventStore.open(at: store, options: .command())
            try await opened.dropReplay(replay)
            await opened.close()
            return Exit.done
        }
    }

    struct Rebuild: TallyCommand {
        static let title = "replay rebuild"
        static let configuration = CommandConfiguration(
            abstract: "Replay from the first event and swap the tables in one transaction.",
            discussion: "EXAMPLE\n  tally replay rebuild events.db service_health.sql"
        )
        @Argument(help: "The store.")
        var store: String
        @Argument(help: "The projection file.")
        var projection: String
        @Option(help: "The SQLite file that the projection is in, when it is not the store.")
        var into: String?
        @OptionGroup var keys: KeyOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = Clock.nanoseconds()
            let definition = try SmallFile.read(projection)
            let opened = try await EventStore.open(
                at: store,
                keys: keys.source,
                options: .command()
            )
            var options = ReplayOptions()
            if let into { options.target = .file(into) }
            options.alwaysRebuilds = true
            let done = try await opened.replay(projection: definition, options: options)
            await opened.close()
            let exit = done.status == .complete ? Exit.done : Exit.incomplete
            try ReplayReport.print(done, opened, exit, started, report)
            return exit
        }
    }
}

/// The words of `--on-poison`.
enum Poison: String, CaseIterable, ExpressibleByArgument {
    case halt, park, skip
}

enum ReplayReport {
    static func print(
        _ done: ReplayOutcome,
        _ store: EventStore,
        _ exit: Int32,
        _ started: UInt64,
        _ options: ReportOptions
    ) throws {
        var result = Report("replay", on: store, started: started)
        result.exit = exit
        result.result = done.status.rawValue
        result.add("replay", .text(done.replay))
        result.add("position", .number(done.position))
        result.add("head", .number(done.head))
        result.add("consumed", .number(done.consumed))
        result.add("applied", .number(done.applied))
        result.add("parked", .number(done.parked))
        result.add("skipped", .number(done.skipped))
        result.add("resolution_watermark", .number(done.resolutionWatermark))
        result.add("digest", .text(done.digest))
        result.add("applied_digest", .text(done.appliedDigest))
        result.add("root", .text(done.root))
        result.add("rebuilt", .flag(done.rebuilt))
        result.add("reason", .optional(done.reason))
        try result.print(options) {
            [
                "\(done.replay)  \(done.status.rawValue) at position \(done.position) of \(done.head)",
                "consumed \(done.consumed), applied \(done.applied), parked \(done.parked), skipped \(done.skipped)"
                    + (done.rebuilt ? ", rebuilt" : ""),
                "digest          \(done.digest)",
                "applied digest  \(done.appliedDigest)",
            ]
        }
    }
}
