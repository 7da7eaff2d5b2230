import ArgumentParser
import Tallystick
import TallystickCore

extension Replay {
    struct Retry: TallyCommand {
        static let title = "replay retry"
        static let configuration = CommandConfiguration(
            abstract: "Apply parked events again, in order.",
            discussion: "EXAMPLE\n  tally replay retry events.db service_health.sql"
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The projection file.", completion: .file())
        var projection: String
        @Option(
            help: "The SQLite file that the projection is in, when it is not the store.",
            completion: .file()
        )
        var into: String?
        @OptionGroup var waiting: WaitOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let definition = try SmallFile.read(projection)
            return try await OpenedStore.with(store, waiting.applied()) { opened in
                var options = ReplayOptions()
                if let into { options.target = .file(into) }
                let done = try await opened.retryParked(projection: definition, options: options)
                var result = Report("replay retry", on: opened, started: started)
                result.exit = done.parked > 0 ? Exit.incomplete : Exit.done
                result.result = done.parked > 0 ? "halted" : "done"
                result.add("applied", .number(done.applied))
                result.add("parked", .number(done.parked))
                try result.print(report) { ["\(done.applied) applied, \(done.parked) stay parked"] }
                return result.exit
            }
        }
    }
}
