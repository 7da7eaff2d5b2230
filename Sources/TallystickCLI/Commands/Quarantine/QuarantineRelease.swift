import ArgumentParser
import Tallystick
import TallystickCore

extension Quarantine {
    struct Release: TallyCommand {
        static let title = "quarantine release"
        static let configuration = CommandConfiguration(
            abstract: "Record a quarantined input after all.",
            discussion:
                "EXAMPLE\n  tally quarantine release events.db 1 --reason \"map added\" --map monitoring"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The input's id.")
        var id: Int64
        @Option(
            help: "Adapt other JSON objects: monitoring, or attribute=member,…",
            completion: .file()
        )
        var map: String?
        @OptionGroup var change: ChangeOptions
        @OptionGroup var keys: KeyOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let mapping = try map.map { try Mappings.parse($0) }
            let (opened, outcome) = try await OpenedStore.with(
                store,
                keys: keys.source,
                change.waiting.command()
            ) { opened in
                let outcome = try await opened.releaseQuarantined(
                    id,
                    actor: change.actor,
                    reason: change.reason,
                    mapping: mapping
                )
                return (opened, outcome)
            }
            var result = Report("quarantine release", on: opened, started: started)
            result.add("quarantine_id", .number(id))
            result.add("outcome", .text(outcome.rawValue))
            try result.print(report) { ["input \(id) released: \(outcome.rawValue)"] }
            return Exit.done
        }
    }
}
