import ArgumentParser
import Tallystick
import TallystickCore

extension Audit {
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
            return try await OpenedStore.with(store, .readOnly) { opened in
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
    }
}
