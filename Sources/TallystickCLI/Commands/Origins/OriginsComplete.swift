import ArgumentParser
import Tallystick
import TallystickCore

extension Origins {
    struct Complete: TallyCommand {
        static let title = "origins complete"
        static let configuration = CommandConfiguration(
            abstract: "State that an origin has delivered everything of a span of time.",
            discussion: """
                EXAMPLE
                  tally origins complete events.db poll --through 2026-03-02T00:00:00Z \\
                      --from 2026-03-01T00:00:00Z --reason "the export of 1 March is in"
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        // Nothing to offer, and a completion all the same: fish counts only arguments that have one.
        @Argument(help: "The origin's name.", completion: .list([]))
        var origin: String
        @Option(help: "The end of the span, included: RFC 3339, or a duration ago.")
        var through: String
        @Option(help: "Its beginning, included; default: all times before the end.")
        var from: String?
        @Option(help: "Only events of this category are complete.")
        var category: String?
        @Option(help: "Only events of this source are complete.")
        var source: String?
        @OptionGroup var change: ChangeOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let end = try PointInTime.parse(through, option: "--through")
            let beginning = try from.map { try PointInTime.parse($0, option: "--from") }
            let (opened, statement) = try await OpenedStore.with(
                store,
                change.waiting.command()
            ) { opened in
                let statement = try await opened.stateComplete(
                    origin,
                    through: end,
                    from: beginning,
                    category: category,
                    source: source,
                    actor: change.actor,
                    reason: change.reason
                )
                return (opened, statement)
            }
            var result = Report("origins complete", on: opened, started: started)
            result.result = "done"
            result.add("statement", .number(statement))
            result.add("origin", .text(origin))
            result.add("category", category.map { .text($0) } ?? .null)
            result.add("source", source.map { .text($0) } ?? .null)
            result.add("complete_from", beginning.map { .text($0.description) } ?? .null)
            result.add("complete_through", .text(end.description))
            try result.print(report) {
                [
                    "\(origin) is complete \(beginning.map { "from \($0) " } ?? "")through \(end) "
                        + "(statement \(statement))",
                    "'tally reconcile \(ShellWord.quoted(store))' reports what it lacks",
                ]
            }
            return Exit.done
        }
    }
}
