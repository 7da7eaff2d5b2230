import ArgumentParser
import Tallystick
import TallystickCore

extension Audit {
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
}
