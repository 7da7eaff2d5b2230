import ArgumentParser
import Tallystick
import TallystickCore

extension Audit {
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
}
