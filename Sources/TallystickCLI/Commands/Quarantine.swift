import ArgumentParser
import Tallystick
import TallystickCore

struct Quarantine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See input that could not become an event, and release it.",
        discussion: """
            EXAMPLES
              tally quarantine events.db
              tally quarantine show events.db 1
              tally quarantine release events.db 1 --reason "map added" --map monitoring
            """,
        subcommands: [List.self, Show.self, Release.self],
        defaultSubcommand: List.self
    )

    struct List: TallyCommand {
        static let title = "quarantine list"
        static let configuration = CommandConfiguration(
            abstract: "List quarantined inputs.",
            discussion: "EXAMPLE\n  tally quarantine list events.db"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            _ = try await Lists.print(
                .quarantine,
                of: store,
                rows,
                brief: ["quarantine_id", "state?", "origin", "path?", "line", "code", "message"]
            )
            return Exit.done
        }
    }

    struct Show: TallyCommand {
        static let title = "quarantine show"
        static let configuration = CommandConfiguration(
            abstract: "Show a quarantined input as it was received.",
            discussion: "EXAMPLE\n  tally quarantine show events.db 1"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The input's id.")
        var id: Int64
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            guard try await Lists.print(.quarantined(id), of: store, rows) > 0 else {
                throw StoreError(
                    .notFound,
                    during: "show the input",
                    on: "input \(id)",
                    "there is no such input",
                    hint: "See 'tally quarantine list'"
                )
            }
            return Exit.done
        }
    }

    struct Release: TallyCommand {
        static let title = "quarantine release"
        static let configuration = CommandConfiguration(
            abstract: "Record a quarantined input after all.",
            discussion:
                "EXAMPLE\n  tally quarantine release events.db 1 --reason \"map added\" --map monitoring"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The input's id.")
        var id: Int64
        @Option(
            help: "Adapt other JSON objects: monitoring, or attribute=member,…",
            completion: .file()
        )
        var map: String?
        @OptionGroup var change: ChangeOptions
        @OptionGroup var keys: KeyOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let mapping = try map.map { try Mappings.parse($0) }
            let (opened, outcome) = try await OpenedStore.with(
                store,
                keys: keys.source,
                change.waiting.command()
            ) { opened in
                let outcome = try await opened.releaseQuarantined(
                    id,
                    actor: change.actor,
                    reason: change.reason,
                    mapping: mapping
                )
                return (opened, outcome)
            }
            var result = Report("quarantine release", on: opened, started: started)
            result.add("quarantine_id", .number(id))
            result.add("outcome", .text(outcome.rawValue))
            try result.print(report) { ["input \(id) released: \(outcome.rawValue)"] }
            return Exit.done
        }
    }
}
