import ArgumentParser
import Tallystick
import TallystickCore

extension Replay {
    struct Rebuild: TallyCommand {
        static let title = "replay rebuild"
        static let configuration = CommandConfiguration(
            abstract: "Replay from the first event and swap the tables in one transaction.",
            discussion: "EXAMPLE\n  tally replay rebuild events.db service_health.sql"
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
        @Option(help: "What to do with an event that cannot be applied: halt, park or skip.")
        var onPoison: Poison = .halt
        @Option(help: "Who runs it.")
        var actor: String?
        @OptionGroup var waiting: WaitOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let definition = try SmallFile.read(projection)
            return try await OpenedStore.with(store, waiting.applied()) { opened in
                var options = ReplayOptions()
                if let into { options.target = .file(into) }
                options.alwaysRebuilds = true
                options.onPoison = PoisonPolicy(rawValue: onPoison.rawValue) ?? .halt
                options.actor = actor ?? CurrentActor.current
                let done = try await opened.replay(projection: definition, options: options)
                let exit = done.status == .complete ? Exit.done : Exit.incomplete
                if let reason = done.reason {
                    Terminal.note("tally replay rebuild: halted: \(reason)")
                }
                try ReplayReport.print(done, opened, exit, started, report)
                return exit
            }
        }
    }
}
