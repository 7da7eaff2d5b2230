import ArgumentParser
import Tallystick
import TallystickCore

struct KeysReseal: TallyCommand {
    static let title = "keys reseal"
    static let configuration = CommandConfiguration(
        commandName: "reseal",
        abstract:
            "Make HMACs by the active key where a category asks for one and the event has none by it.",
        discussion: """
            For events from before the first key, or from a retired key's time. What was recorded stays; the newest \
            checksum counts. Every event is verified before. Run it again to go on after an interruption.

            EXAMPLE
              tally keys reseal events.db --key-file ring.json \\
                  --reason "events from before the key"
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @OptionGroup var keys: KeyOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        let bar = progress.bar(unit: "events")
        let (opened, done) = try await OpenedStore.with(
            store,
            keys: keys.source,
            change.waiting.command()
        ) { opened in
            defer { bar.finish() }
            let done = try await opened.reseal(actor: change.actor, reason: change.reason) {
                bar.update($0.events)
            }
            return (opened, done)
        }
        var result = Report(Self.title, on: opened, started: started)
        result.exit = done.isInterrupted ? Exit.incomplete : Exit.done
        result.result = done.isInterrupted ? "interrupted" : "done"
        result.add("key_id", .text(done.keyID))
        result.add("events", .number(done.events))
        result.add("sealed", .number(done.sealed))
        try result.print(report) {
            ["\(done.sealed) of \(done.events) events sealed by key '\(done.keyID)'"]
                + (done.isInterrupted ? ["interrupted; run the same command again to go on"] : [])
        }
        return result.exit
    }
}
