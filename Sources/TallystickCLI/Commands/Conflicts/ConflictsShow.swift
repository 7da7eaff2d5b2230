import ArgumentParser
import Tallystick
import TallystickCore

extension Conflicts {
    struct Show: TallyCommand {
        static let title = "conflicts show"
        static let configuration = CommandConfiguration(
            abstract: "Show the candidates of a conflict.",
            discussion: """
                On a terminal: every side's values, place by place, earlier decisions, the policy, and what blocks it. \
                In other formats a row for each candidate; a conflict without candidates, such as one over a silent \
                origin or a gap, is shown itself.

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
            return try await OpenedStore.with(store, .readOnly) { opened in
                guard let candidates = try await opened.checkCandidates(of: conflict) else {
                    throw Conflicts.unknown(conflict)
                }
                if rows.chosen == .table, rows.output == nil {
                    try await Self.printScreen(conflict, opened, store)
                    return Exit.done
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

        private static func printScreen(
            _ conflict: Int64,
            _ opened: EventStore,
            _ path: String
        ) async throws {
            guard let screen = try await ReviewScreen.read(conflict, from: opened) else {
                throw Conflicts.unknown(conflict)
            }
            let output = try OutputFile(path: nil)
            for line in screen.lines(width: ReviewScreen.width) { try output.write(line + "\n") }
            try output.finish()
            guard screen.isOpen, Terminal.outputIsTerminal else { return }
            let words = [path, "--after", String(conflict - 1)].map(ShellWord.quoted)
            Terminal.note("next: tally conflicts review \(words.joined(separator: " "))")
        }
    }
}
