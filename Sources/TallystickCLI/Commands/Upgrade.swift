import ArgumentParser
import Tallystick
import TallystickCore

struct Upgrade: TallyCommand {
    static let title = "upgrade"
    static let configuration = CommandConfiguration(
        abstract: "Migrate a store to the schema of this release.",
        discussion: "EXAMPLE\n  tally upgrade events.db"
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @OptionGroup var waiting: WaitOptions
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        let (before, after) = try await EventStore.upgrade(at: store, options: waiting.applied())
        return try await OpenedStore.with(store, .readOnly) { opened in
            var result = Report("upgrade", on: opened, started: started)
            result.add("before", .number(before))
            result.add("after", .number(after))
            try result.print(report) {
                [
                    before == after
                        ? "schema \(after) already" : "schema \(before) migrated to \(after)"
                ]
            }
            return Exit.done
        }
    }
}
