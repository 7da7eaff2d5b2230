import ArgumentParser
import Tallystick
import TallystickCore

extension Origins {
    struct Withdraw: TallyCommand {
        static let title = "origins withdraw"
        static let configuration = CommandConfiguration(
            abstract: "Withdraw a statement that an origin is complete.",
            discussion: """
                Conflicts that the statement opened stay open.

                EXAMPLE
                  tally origins withdraw events.db 12 --reason "the export was cut short"
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The number of the statement, from 'tally origins list'.")
        var statement: Int64
        @OptionGroup var change: ChangeOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let opened = try await OpenedStore.with(store, change.waiting.command()) { opened in
                try await opened.withdrawCoverage(
                    statement,
                    actor: change.actor,
                    reason: change.reason
                )
                return opened
            }
            var result = Report("origins withdraw", on: opened, started: started)
            result.result = "done"
            result.add("statement", .number(statement))
            try result.print(report) { ["statement \(statement) no longer counts"] }
            return Exit.done
        }
    }
}
