import ArgumentParser
import Glibc
import Tallystick

@testable import TallystickCLI
@testable import TallystickCrashWorker

/// Runs commands of `tally` in this process, in its current folder. Their output goes to a file.
///
/// Needs a process of its own, because it takes over descriptors 1 and 2 and the current folder.
final class InProcessCommand {
    private let output: Int32

    /// - parameter file: the new destination of standard output and standard error.
    init?(printingTo file: String) {
        output = open(file, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o600)
        guard output >= 0, dup2(output, 1) == 1, dup2(output, 2) == 2 else { return nil }
    }

    /// The output of the last command.
    var printed: String {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = pread(output, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    /// - returns: the exit code.
    func tally(_ arguments: [String]) async -> Int32 {
        ftruncate(output, 0)
        do {
            var command = try Tally.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return 0
        } catch let code as ExitCode {
            return code.rawValue
        } catch {
            print(Tally.fullMessage(for: error))
            return Tally.exitCode(for: error).rawValue
        }
    }

    /// Appends like the crash worker; see there.
    func commit(_ store: String, _ writer: String, count: Int, frames: Int32) async -> Int32 {
        ftruncate(output, 0)
        return await CrashWorker.commit(store, writer, count: count, frames: frames)
    }

    /// The content digest of a store.
    static func contentDigest(of store: String) async throws -> String {
        let opened = try await EventStore.open(at: store, options: .readOnly)
        let digest = try await opened.contentDigest()
        await opened.close()
        return digest.sha256.hex
    }
}
