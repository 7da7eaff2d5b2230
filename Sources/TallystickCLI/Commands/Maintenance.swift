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
        let opened = try await EventStore.open(at: store, options: .readOnly)
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
                    item.subject + String(repeating: " ", count: max(1, 12 - item.subject.count))
                let level = item.level.rawValue
                return level + String(repeating: " ", count: 9 - level.count) + name + item.finding
            }
        }
        return result.exit
    }
}

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
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        let opened = try await EventStore.open(at: store, options: .readOnly)
        let proved = try await opened.backup(to: destination, verifies: verify)
        var result = Report("backup", on: opened, started: started)
        result.add("destination", .text(destination))
        result.add("verified", .flag(proved != nil))
        if let proved { VerifyOutput.add(proved, to: &result) }
        try result.print(report) {
            ["backed up to \(destination)"]
                + (proved.map { ["the copy equals the store: root \($0.roots.events)"] } ?? [])
        }
        return Exit.done
    }
}

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
        let opened = try await EventStore.open(at: store, options: .readOnly)
        var result = Report("upgrade", on: opened, started: started)
        result.add("before", .number(before))
        result.add("after", .number(after))
        try result.print(report) {
            [before == after ? "schema \(after) already" : "schema \(before) migrated to \(after)"]
        }
        return Exit.done
    }
}

struct Completions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a completion script for a shell.",
        discussion: "EXAMPLE\n  tally completions bash > /etc/bash_completion.d/tally"
    )

    enum Shell: String, CaseIterable, ExpressibleByArgument { case bash, zsh, fish }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() throws {
        let kind: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        UsageError.printOrExit(CompletionScript.text(for: kind))
    }
}
