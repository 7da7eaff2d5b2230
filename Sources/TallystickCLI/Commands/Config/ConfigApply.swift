import ArgumentParser
import Tallystick
import TallystickCore

extension Config {
    struct Apply: TallyCommand {
        static let title = "config apply"
        static let configuration = CommandConfiguration(
            abstract: "Apply a settings file as a new version, with an actor and a reason.",
            discussion: """
                The file says what changes; everything else stays. With --replace it is all there is. Settings that \
                change nothing add no version.

                EXAMPLES
                  tally config apply events.db settings.json \\
                      --reason "the new feed counts less"
                  tally config apply events.db whole.json --replace \\
                      --reason "back to the agreed ones"
                """
        )
        @Argument(help: "The store.", completion: .file())
        var store: String
        @Argument(help: "The settings file; - for standard input.", completion: .file())
        var file: String
        @Flag(help: "The file is all there is.")
        var replace = false
        @OptionGroup var change: ChangeOptions
        @OptionGroup var report: ReportOptions

        func execute() async throws -> Int32 {
            let started = MonotonicClock.nanoseconds()
            let bytes = try SmallFile.read(file)
            let (opened, applied) = try await OpenedStore.with(store, change.waiting.command()) {
                opened in
                let applied = try await SettingsFile.naming(file) {
                    try await opened.apply(
                        settings: bytes,
                        replacing: replace,
                        actor: change.actor,
                        reason: change.reason
                    )
                }
                return (opened, applied)
            }
            var result = Report("config apply", on: opened, started: started)
            result.result = applied.changes.isEmpty ? "unchanged" : "done"
            result.add("version", .number(applied.version))
            result.add("changes", .list(applied.changes.map(SettingsChange.json)))
            try result.print(report) {
                applied.changes.isEmpty
                    ? ["nothing changes: version \(applied.version) stays in force"]
                    : ["version \(applied.version) is in force"]
                        + applied.changes.map(SettingsChange.line)
            }
            return Exit.done
        }
    }
}
