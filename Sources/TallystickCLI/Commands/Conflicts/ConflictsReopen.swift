import ArgumentParser
import Tallystick
import TallystickCore

extension Conflicts {
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
}
