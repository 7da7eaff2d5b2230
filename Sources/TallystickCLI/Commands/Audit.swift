import ArgumentParser
import Tallystick

struct Audit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read and check the trail of decisions.",
        discussion: """
            EXAMPLES
              tally audit events.db
              tally audit show events.db 12
              tally audit verify events.db
            """,
        subcommands: [List.self, Show.self, Verify.self, Replay.self],
        defaultSubcommand: List.self
    )

    struct List: TallyCommand {
        static let title = "audit list"
        static let configuration = CommandConfiguration(
            abstract: "List the audit trail.",
            discussion: "EXAMPLE\n  tally audit list events.db"
        )
        @Argument(help: "The store.")
        var store: String
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            _ = try await Lists.print(
                .audit,
                of: store,
                rows,
                brief: [
                    "audit_sequence", "recorded_at", "kind", "actor", "reason?", "position",
                    "conflict_id?",
                ]
            )
            return Exit.done
        }
    }

    struct Show: TallyCommand {
        static let title = "audit show"
        static let configuration = CommandConfiguration(
            abstract: "Show an audit row with its details.",
            discussion: "EXAMPLE\n  tally audit show events.db 12"
        )
        @Argument(help: "The store.")
        var store: String
        @Argument(help: "The row's audit_sequence.")
        var sequence: Int64
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            guard try await Lists.print(.auditRow(sequence), of: store, rows) > 0 else {
                throw StoreError(
                    .notFound,
                    during: "show the audit row",
                    on: "row \(sequence)",
                    "there is no such row",
                    hint: "See 'tally audit list'"
                )
            }
            return Exit.done
        }
    }

    struct Verify: TallyCommand {
        static let title = "audit verify"
        static let configuration = CommandConfiguration(
            abstract: "Recompute every leaf of the audit trail.",
            discussion: "EXAMPLE\n  tally audit verify events.db"
        )
        @Argument(help: "The store.")
        var store: String
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = Clock.nanoseconds()
            var options = StoreOptions()
            options.access = .readOnly
            let opened = try await EventStore.open(at: store, options: options)
            var verification = VerifyOptions()
            verification.scope = .audit
            let done = try await opened.verify(verification)
            var result = Report("audit verify", on: opened, started: started)
            result.exit = done.isIntact ? Exit.done : Exit.integrity
            result.result = done.isIntact ? "intact" : "differences"
            VerifyOutput.add(done, to: &result)
            try result.print(report) { VerifyOutput.lines(done) }
            return result.exit
        }
    }
}
