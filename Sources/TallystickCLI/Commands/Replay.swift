import ArgumentParser
import Tallystick
import TallystickCore

struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replay events into a projection, and resume.",
        discussion: """
            A projection is a SQL file: a header, setup, and statements for types of events. They see \
            :position :source :id :type :stream :revision :category :origin :subject :time :recorded_at :data. \
            They may use the projection's own tables (called NAME or NAME_…) and deterministic functions; no \
            dates and times, random numbers, transaction control, ATTACH, PRAGMA, triggers or virtual tables. Ten \
            seconds are the limit for one event.

            EXAMPLES
              tally replay events.db service_health.sql
              tally replay events.db service_health.sql --into health.db
              tally replay events.db mailer --exec ./send-mails
              tally replay events.db --to - > events.ndjson
              tally replay status events.db service_health
            """,
        subcommands: [
            Run.self, List.self, Status.self, Parked.self, Retry.self, Drop.self, Rebuild.self,
        ],
        defaultSubcommand: Run.self
    )

    struct List: TallyCommand {
        static let title = "replay list"
        static let configuration = CommandConfiguration(
            abstract: "List replays.",
            discussion: "EXAMPLE\n  tally replay list events.db"
        )
        @Argument(help: "The store.", completion: .file())
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
        @Argument(help: "The store.", completion: .file())
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
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The replay's name.")
        var replay: String
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            let opened = try await EventStore.open(at: store, options: .readOnly)
            let parked = try await opened.parkedEvents(of: replay)
            let writer = try rows.writer()
            try writer.begin([
                "position", "resolution_id", "source", "event_id", "stream", "type", "error",
                "attempts", "parked_at",
            ])
            for event in parked {
                try writer.add([
                    .integer(event.position.rawValue),
                    event.resolutionID.map { .integer($0) } ?? .null, .text(event.source),
                    .text(event.id), .text(event.stream), .text(event.type), .text(event.error),
                    .integer(event.attempts),
                    .text(RFC3339.string(microseconds: event.parkedAt)),
                ])
            }
            try writer.end()
            return Exit.done
        }
    }

    struct Retry: TallyCommand {
        static let title = "replay retry"
        static let configuration = CommandConfiguration(
            abstract: "Apply parked events again, in order.",
            discussion: "EXAMPLE\n  tally replay retry events.db service_health.sql"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The projection file.", completion: .file())
        var projection: String
        @Option(
            help: "The SQLite file that the projection is in, when it is not the store.",
            completion: .file()
        )
        var into: String?
        @OptionGroup var waiting: WaitOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let definition = try SmallFile.read(projection)
            let opened = try await EventStore.open(at: store, options: waiting.applied())
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
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The replay's name.")
        var replay: String
        @OptionGroup var waiting: WaitOptions

        func execute() async throws -> Int32 {
            let opened = try await EventStore.open(at: store, options: waiting.applied())
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
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The projection file.", completion: .file())
        var projection: String
        @Option(
            help: "The SQLite file that the projection is in, when it is not the store.",
            completion: .file()
        )
        var into: String?
        @Option(help: "What to do with an event that cannot be applied: halt, park or skip.")
        var onPoison: Poison = .halt
        @Option(help: "Who runs it.")
        var actor: String?
        @OptionGroup var waiting: WaitOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let definition = try SmallFile.read(projection)
            let opened = try await EventStore.open(at: store, options: waiting.applied())
            var options = ReplayOptions()
            if let into { options.target = .file(into) }
            options.alwaysRebuilds = true
            options.onPoison = PoisonPolicy(rawValue: onPoison.rawValue) ?? .halt
            options.actor = actor ?? CurrentActor.current
            let done = try await opened.replay(projection: definition, options: options)
            await opened.close()
            let exit = done.status == .complete ? Exit.done : Exit.incomplete
            if let reason = done.reason { Terminal.note("tally replay rebuild: halted: \(reason)") }
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
        _ options: ReportOptions,
        command: CommandSink? = nil
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
        result.add(
            "next_attempt_at",
            .optional(done.nextAttemptAt.map { RFC3339.string(microseconds: $0) })
        )
        if let code = command?.lastCode { result.add("command_exit", .number(Int64(code))) }
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
