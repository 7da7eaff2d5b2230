public import Glibc
import TallystickTestKit

/// Waits for what another task or process brings about.
///
/// A test's verdict must not depend on time or load. The limit only ends a test that would hang for ever: it is many
/// times what the slowest machine takes.
public enum Waiting {
    /// The longest time that anything is waited for.
    public static let watchdog = Duration.seconds(600)
    /// The words that put a command under the same watchdog.
    public static let command = ["timeout", "-k", "5", "600"]
    private static let pollMicroseconds: UInt32 = 10_000

    /// Waits until a condition holds; false where it never did.
    public static func until(_ condition: () throws -> Bool) rethrows -> Bool {
        let end = ContinuousClock.now + watchdog
        while try !condition() {
            guard ContinuousClock.now < end else { return false }
            usleep(pollMicroseconds)
        }
        return true
    }

    /// Waits until a condition holds; false where it never did.
    public static func until(_ condition: () async throws -> Bool) async throws -> Bool {
        let end = ContinuousClock.now + watchdog
        while try await !condition() {
            guard ContinuousClock.now < end else { return false }
            try await Task.sleep(for: .microseconds(pollMicroseconds))
        }
        return true
    }

    /// Waits until a process has become a program that handles a signal itself, by a handler or by a thread that waits
    /// for it; false where the process ended, or never did.
    ///
    /// - parameter program: the file name of the program: what starts it may block the signal too.
    public static func until(
        _ process: pid_t,
        of program: String = "tally",
        handles signal: Int32
    ) -> Bool {
        var isOver = false
        let handles = until {
            let tasks = "/proc/\(process)/task"
            let threads = FolderTree.names(in: tasks).map { name in
                TallyCommand.text("\(tasks)/\(name)/status").split(separator: "\n")
            }
            isOver =
                threads.isEmpty
                || threads.contains { $0.contains { $0.hasPrefix("State:\tZ") } }
            // A thread that waits for signals takes those that all others block.
            return isOver
                || threads.contains { lines in
                    lines.contains("Name:\t\(program)")
                        && ["SigCgt:", "SigBlk:"].contains { holds(signal, $0, lines) }
                }
        }
        return handles && !isOver
    }

    private static func holds(_ signal: Int32, _ field: String, _ lines: [Substring]) -> Bool {
        guard let line = lines.first(where: { $0.hasPrefix(field) }),
            let mask = UInt64(line.dropFirst(field.count).filter { !$0.isWhitespace }, radix: 16)
        else { return false }
        return mask >> UInt64(signal - 1) & 1 == 1
    }
}
