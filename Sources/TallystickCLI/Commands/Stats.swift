import ArgumentParser
import Tallystick
import TallystickCore

struct Stats: TallyCommand {
    static let title = "stats"
    static let configuration = CommandConfiguration(
        abstract: "Count what a store holds.",
        discussion: """
            EXAMPLES
              tally stats events.db
              tally stats events.db --json
            """
    )

    @Argument(help: "The store.")
    var store: String
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let started = Clock.nanoseconds()
        let opened = try await EventStore.open(at: store, options: .command(.readOnly))
        let stats = try await opened.statistics()
        var result = Report("stats", on: opened, started: started)
        for group in stats.groups {
            result.add(group.name, .object(group.counts.map { ($0.name, .number($0.count)) }))
        }
        try result.print(report) {
            var lines = ["store \(opened.storeID)"]
            for group in stats.groups where !group.counts.isEmpty {
                lines.append("")
                lines.append(group.name)
                let width = group.counts.map(\.name.count).max() ?? 0
                for (name, count) in group.counts {
                    let number = String(count)
                    lines.append(
                        "  " + name + String(repeating: " ", count: width - name.count + 2)
                            + String(repeating: " ", count: max(0, 10 - number.count)) + number
                    )
                }
            }
            return lines
        }
        return Exit.done
    }
}
