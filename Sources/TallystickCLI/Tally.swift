import ArgumentParser
import CTallystickCLI
import Glibc
import Tallystick

/// The process: its first thread waits for signals, and every other one has them blocked.
@main
enum TallyMain {
    static func main() {
        StandardStreams.complete()
        // A closed pipe is an answer, not a signal to die by.
        signal(SIGPIPE, SIG_IGN)
        // Nor is a limit on the size of files: the write fails, and is reported.
        signal(SIGXFSZ, SIG_IGN)
        // Before any other thread exists, which would take the signals with it.
        Signals.block()
        startExecutor()
        // Detached: this function is isolated to the main actor, whose thread waits for signals.
        let task = Task.detached {
            await Tally.parseAndRun()
            exit(Exit.done)
        }
        Signals.wait {
            StopRequest.make()
            task.cancel()
        }
    }

    private static func startExecutor() {
        let result = tally_start_executor()
        guard result != 0 else { return }
        let reason = String(cString: strerror(result))
        Terminal.note(
            "tally: start a thread: the operating system refuses another thread: \(reason) [input_output]"
        )
        Terminal.note(
            "hint: let the process have more threads ('ulimit -u') and memory, or run fewer processes"
        )
        exit(Exit.inputOutput)
    }
}

struct Tally: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tally",
        abstract: "A verifiable event store in one SQLite file.",
        discussion: """
            Store events durably, replay them and resume, see where copies disagree, and prove it later.

            EXAMPLES
              tally init events.db
              tally ingest events.db batch.ndjson --origin websocket
              tally stats events.db
              tally verify events.db
            """,
        version: Release.version,
        subcommands: [
            Init.self, Ingest.self, Append.self, Read.self, Export.self, Verify.self, Replay.self,
            Conflicts.self, Reconcile.self, Origins.self, Breaker.self, Quarantine.self, Audit.self,
            Config.self, Query.self, Stats.self, Compare.self, Doctor.self, Keys.self, Seal.self,
            Prove.self,
            Backup.self, Upgrade.self, Demo.self, Completions.self,
        ]
    )

    static func parseAndRun() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            UsageError.exit(error)
        }
    }
}

/// The release.
enum Release {
    static let version = "0.1.0"
}

/// A command: what every one of them shares.
protocol TallyCommand: AsyncParsableCommand {
    /// The name in messages.
    static var title: String { get }
    /// Does the work and returns the exit code.
    func execute() async throws -> Int32
}

extension TallyCommand {
    func run() async throws {
        var code: Int32
        do {
            try OutputGuard.checkCommandLine()
            code = try await execute()
        } catch let error as StoreError {
            Terminal.report(error, command: Self.title)
            code = Exit.code(for: error)
        } catch let error as ExitCode {
            throw error
        } catch let error as ValidationError {
            Terminal.note("tally \(Self.title): \(error.message)")
            Terminal.note("hint: see 'tally \(Self.title) --help'")
            code = Exit.usage
        } catch {
            Terminal.note("tally \(Self.title): a bug in Tallystick: \(error)")
            code = Exit.bug
        }
        if code != Exit.done { throw ExitCode(code) }
    }
}

/// Whether the process was asked to end, for threads that do not see that their task was cancelled.
enum StopRequest {
    private static let flag = StopFlag()

    static var isMade: Bool { flag.isSet }
    static func make() { flag.set() }
}

/// SIGINT and SIGTERM as cancellation: what is being written is finished, then the command ends.
private enum Signals {
    private static var all: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        return signals
    }

    /// Blocks the signals on this thread and on those that it starts.
    static func block() {
        var signals = all
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Waits for signals until the process ends.
    static func wait(onSignal: () -> Void) -> Never {
        var signals = all
        var received: Int32 = 0
        var count = 0
        while true {
            guard sigwait(&signals, &received) == 0 else { continue }
            count += 1
            // Who asks three times does not want to wait for the transaction.
            if count == 3 { _exit(Exit.incomplete) }
            onSignal()
        }
    }
}
