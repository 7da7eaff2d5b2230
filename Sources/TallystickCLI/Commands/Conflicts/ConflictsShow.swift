import ArgumentParser
import Tallystick
import TallystickCore

extension Conflicts {
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
            return try await OpenedStore.with(store, .readOnly) { opened in
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
    }
}
