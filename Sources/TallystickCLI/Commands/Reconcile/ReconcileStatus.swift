import ArgumentParser
import Tallystick
import TallystickCore

extension Reconcile {
    struct Status: TallyCommand {
        static let title = "reconcile status"
        static let configuration = CommandConfiguration(
            abstract: "Show where the newest run stands.",
            discussion: "EXAMPLE\n  tally reconcile status events.db"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            return try await OpenedStore.with(store, .command(.readOnly)) { opened in
                guard let run = try await opened.reconciliationStatus() else {
                    throw StoreError(
                        .notFound,
                        during: "show the reconciliation",
                        on: store,
                        "there was no run yet",
                        hint: "Run 'tally reconcile \(store)'"
                    )
                }
                return try ReconcileOutput.print(run, "reconcile status", opened, started, report)
            }
        }
    }
}
