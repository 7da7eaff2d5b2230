import ArgumentParser
import Tallystick
import TallystickCore

struct Backup: TallyCommand {
    static let title = "backup"
    static let configuration = CommandConfiguration(
        abstract: "Copy a store to a new file while others use it.",
        discussion: """
            A copy is restored by putting it in the store's place while nobody has the store open, without the \
            files -wal and -shm beside it. The next command that writes gives it a write-ahead log again.

            EXAMPLES
              tally backup events.db events-2026-03-01.db
              tally backup events.db events-2026-03-01.db --verify
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Argument(help: "The new file.", completion: .file())
    var destination: String
    @Flag(help: "Read the copy back and prove that it equals the store.")
    var verify = false
    @Option(help: "Who does it, for the audit trail.")
    var actor: String?
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        let isInUse = try await OpenedStore.with(store, .readOnly) { opened in
            let proved = try await opened.backup(to: destination, verifies: verify)
            var result = Report("backup", on: opened, started: started)
            result.add("destination", .text(destination))
            result.add("verified", .flag(proved != nil))
            if let proved { VerifyOutput.add(proved, to: &result) }
            try result.print(report) {
                ["backed up to \(destination)"]
                    + (proved.map { ["the copy equals the store: root \($0.roots.events)"] } ?? [])
            }
            return try await opened.hasWriteAheadLog()
        }
        await OpenedStore.leaveRow(
            about: .backup(path: destination, isVerified: verify),
            in: store,
            isInUse: isInUse,
            actor: actor
        )
        return Exit.done
    }
}
