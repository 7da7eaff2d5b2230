import ArgumentParser
import Tallystick
import TallystickCore

extension Audit {
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
            return try await OpenedStore.with(store, .readOnly) { opened in
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
}
