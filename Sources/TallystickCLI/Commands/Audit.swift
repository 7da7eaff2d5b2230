import ArgumentParser
import Tallystick
import TallystickCore

struct Audit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read, check and export the trail of decisions.",
        discussion: """
            EXAMPLES
              tally audit events.db
              tally audit list events.db --kind resolution --actor ann@host
              tally audit show events.db 12
              tally audit verify events.db
              tally audit export events.db --output trail.ndjson
            """,
        subcommands: [List.self, Show.self, Verify.self, Replay.self, Export.self],
        defaultSubcommand: List.self
    )

    struct List: TallyCommand {
        static let title = "audit list"
        static let configuration = CommandConfiguration(
            abstract: "List the audit trail, or the rows of it that fit filters.",
            discussion: """
                EXAMPLES
                  tally audit list events.db
                  tally audit list events.db --kind resolution --policy manual \\
                      --since 2026-03-01T00:00:00Z
                  tally audit list events.db --source /payments --event 4711
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var filter: AuditFilterOptions
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            _ = try await Lists.print(
                .audit(try filter.value()),
                of: store,
                rows,
                brief: [
                    "audit_sequence", "recorded_at", "kind", "actor", "summary", "reason?",
                    "position?", "conflict_id?",
                ]
            )
            return Exit.done
        }
    }

    struct Show: TallyCommand {
        static let title = "audit show"
        static let configuration = CommandConfiguration(
            abstract: "Show an audit row with every row of its details, and whether it is proved.",
            discussion: "EXAMPLE\n  tally audit show events.db 12"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The row's audit_sequence.")
        var sequence: Int64
        @OptionGroup var rows: RowOptions

        func execute() async throws -> Int32 {
            let opened = try await EventStore.open(at: store, options: .readOnly)
            let entries = AuditEntries()
            try await opened.audit(sequence: sequence) {
                entries.add($0)
                return true
            }
            guard let entry = entries.first else {
                throw StoreError(
                    .notFound,
                    during: "show the audit row",
                    on: "row \(sequence)",
                    "there is no such row",
                    hint: "See 'tally audit list'"
                )
            }
            switch rows.chosen {
            case .json, .ndjson:
                let file = try OutputFile(path: rows.output)
                try file.write(AuditEntries.json(entry) + [0x0A])
                try file.finish()
            case .table, .csv:
                let writer = try rows.writer()
                try writer.begin(["record", "column", "value"])
                for row in try AuditEntries.rows(entry) { try writer.add(row) }
                try writer.end()
            }
            return entry.isProved ? Exit.done : Exit.integrity
        }
    }

    struct Verify: TallyCommand {
        static let title = "audit verify"
        static let configuration = CommandConfiguration(
            abstract: "Recompute every leaf of the audit trail.",
            discussion: "EXAMPLE\n  tally audit verify events.db"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            var verification = VerifyOptions()
            verification.scope = .audit
            let done = try await EventStore.verify(at: store, verification)
            var result = Report("audit verify", storeID: done.storeID, started: started)
            result.exit = done.isIntact ? Exit.done : Exit.integrity
            result.result = done.isIntact ? "intact" : "differences"
            VerifyOutput.add(done, to: &result)
            try result.print(report) { VerifyOutput.lines(done) }
            return result.exit
        }
    }

    struct Export: TallyCommand {
        static let title = "audit export"
        static let configuration = CommandConfiguration(
            abstract:
                "Write audit rows with all their details and their leaf hashes, one JSON object a line.",
            discussion: """
                Each line has the leaf as the article on the file format describes it, and its hash: SHA-256 of a zero \
                byte and the leaf. The last line has the size and the root of the whole tree. Exit 2 when the tree \
                holds another hash for a row.

                EXAMPLES
                  tally audit export events.db --output trail.ndjson
                  tally audit export events.db --kind resolution \\
                      --since 2026-03-01T00:00:00Z
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var filter: AuditFilterOptions
        @Option(
            help: "Write to this file, which appears when it is complete.",
            completion: .file()
        )
        var output: String?

        func execute() async throws -> Int32 {
            let opened = try await EventStore.open(at: store, options: .readOnly)
            let shared = SharedFile(try OutputFile(path: output))
            let unproved = Counter()
            do {
                let tree = try await opened.audit(try filter.value()) { entry in
                    if !entry.isProved { unproved.add() }
                    try shared.file.write(AuditEntries.json(entry) + [0x0A])
                    return true
                }
                try shared.file.write(AuditEntries.json(tree) + [0x0A])
            } catch {
                shared.file.abandon()
                throw error
            }
            try shared.file.finish()
            guard unproved.value > 0 else { return Exit.done }
            Terminal.note(
                "tally audit export: \(unproved.value) rows do not have the leaf hash in the tree"
            )
            Terminal.note("hint: run 'tally audit verify'")
            return Exit.integrity
        }
    }
}
