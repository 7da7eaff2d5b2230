import ArgumentParser
import Tallystick
import TallystickCore

struct Doctor: TallyCommand {
    static let title = "doctor"
    static let configuration = CommandConfiguration(
        abstract: "Look at everything around a store that can go wrong.",
        discussion: "EXAMPLE\n  tally doctor events.db"
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        let found = try await EventStore.diagnose(at: store)
        return try await OpenedStore.with(store, .readOnly) { opened in
            var result = Report("doctor", on: opened, started: started)
            let hasProblem = found.contains { $0.level == .problem }
            result.exit = hasProblem ? Exit.differences : Exit.done
            result.result = hasProblem ? "problems" : "healthy"
            result.add(
                "findings",
                .list(
                    found.map {
                        .object([
                            ("subject", .text($0.subject)), ("level", .text($0.level.rawValue)),
                            ("finding", .text($0.finding)),
                        ])
                    }
                )
            )
            try result.print(report) {
                found.map { item in
                    let name =
                        item.subject
                        + String(repeating: " ", count: max(1, 12 - item.subject.count))
                    let level = item.level.rawValue
                    return level + String(repeating: " ", count: 9 - level.count) + name
                        + item.finding
                }
            }
            return result.exit
        }
    }
}
