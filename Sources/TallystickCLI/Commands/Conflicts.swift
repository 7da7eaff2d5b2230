import ArgumentParser
import Tallystick
import TallystickCore

struct Conflicts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See where copies disagree, and decide.",
        discussion: """
            EXAMPLES
              tally conflicts events.db
              tally conflicts diff events.db 1
              tally conflicts resolve events.db 1 --take websocket \\
                  --reason "the feed of record"
            """,
        subcommands: [List.self, Show.self, Diff.self, Resolve.self, Reopen.self],
        defaultSubcommand: List.self
    )

    struct List: TallyCommand {
        static let title = "conflicts list"
        static let configuration = CommandConfiguration(
            abstract: "List open conflicts.",
            discussion: """
                EXAMPLES
                  tally conflicts list events.db --check
                  tally conflicts list events.db --kind payload_differs --origin realtime
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Flag(help: "List resolved conflicts too.")
        var all = false
        @Flag(help: "Exit 1 when a conflict is listed.")
        var check = false
        @OptionGroup var filter: ConflictFilterOptions
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            var filter = try filter.value()
            filter.includesResolved = all
            let count = try await Lists.print(
                .conflicts(filter),
                of: store,
                rows,
                brief: [
                    "conflict_id", "state", "kind", "severity", "category?", "position?", "type?",
                    "origins?",
                    "differs_in",
                ]
            )
            return check && count > 0 ? Exit.differences : Exit.done
        }
    }

    struct Show: TallyCommand {
        static let title = "conflicts show"
        static let configuration = CommandConfiguration(
            abstract: "Show the candidates of a conflict.",
            discussion: """
                A conflict without candidates, such as one over a silent origin or a gap, is shown itself.

                EXAMPLE
                  tally conflicts show events.db 1
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The conflict's id.")
        var conflict: Int64
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            let opened = try await EventStore.open(at: store, options: .readOnly)
            guard let candidates = try await opened.checkCandidates(of: conflict) else {
                throw Conflicts.unknown(conflict)
            }
            let hasCandidates = candidates > 0
            _ = try await Lists.print(
                hasCandidates ? .candidates(of: conflict) : .conflict(conflict),
                of: store,
                rows,
                brief: hasCandidates
                    ? [
                        "candidate", "origin", "missing_origin?", "copy_id?", "content_sha256?",
                        "differs_in",
                    ]
                    : [
                        "conflict_id", "state", "kind", "position?", "source?", "event_id?",
                        "origin?", "since?", "first?", "last?", "next_position?",
                        "other_position?",
                    ]
            )
            return Exit.done
        }
    }

    struct Reopen: TallyCommand {
        static let title = "conflicts reopen"
        static let configuration = CommandConfiguration(
            abstract: "Open a resolved conflict again, for a person to decide.",
            discussion: """
                The event counts as the newest resolution says until the next one takes its place.

                EXAMPLE
                  tally conflicts reopen events.db 1 --reason "the feed of record was wrong"
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The conflict's id.")
        var conflict: Int64
        @OptionGroup var change: ChangeOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let opened = try await OpenedStore.with(store, change.waiting.command()) { opened in
                try await opened.reopen(
                    conflict: conflict,
                    actor: change.actor,
                    reason: change.reason
                )
                return opened
            }
            var result = Report("conflicts reopen", on: opened, started: started)
            result.add("conflict_id", .number(conflict))
            try result.print(report) { ["conflict \(conflict) is open again"] }
            return Exit.done
        }
    }

    static func unknown(_ conflict: Int64) -> StoreError {
        StoreError(
            .notFound,
            during: "show the conflict",
            on: "conflict \(conflict)",
            "there is no such conflict",
            hint: "See 'tally conflicts list --all'"
        )
    }
}
