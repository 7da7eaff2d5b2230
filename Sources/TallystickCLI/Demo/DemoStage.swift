import Glibc
import Tallystick
import TallystickCore

/// Runs commands of tally as a person would, and shows them.
struct DemoStage {
    private let folder: String

    init(_ folder: String) { self.folder = folder }

    func say(_ text: String) throws { try show("\n\(Terminal.emphasised("# " + text))\n") }

    private func show(_ text: String) throws {
        let output = try OutputFile(path: nil)
        try output.write(text)
        try output.flush()
    }

    private func show(command arguments: [String], after note: String = "") throws {
        let words = arguments.map { word in
            let short =
                word.hasPrefix(folder + "/") ? String(word.dropFirst(folder.count + 1)) : word
            return short.contains(" ") ? "\"\(short)\"" : short
        }
        try show("\n$ tally \(words.joined(separator: " "))\(note)\n")
    }

    /// Runs a command and shows it with what it prints.
    ///
    /// - parameter other: an exit code that is an answer too.
    /// - returns: what it printed.
    @discardableResult
    func run(_ arguments: [String], orExit other: Int32 = Exit.done) throws -> String {
        try show(command: arguments)
        let (code, printed) = try DemoProcess.run(arguments + ["-t"])
        try show(printed.replacing(folder + "/", with: ""))
        guard code != Exit.incomplete else {
            throw StoreError(.interrupted, during: "run the demo", "it was stopped")
        }
        guard code == Exit.done || code == other else {
            throw StoreError(
                .bug,
                during: "run the demo",
                on: "tally \(arguments[0])",
                "it exited with \(code)"
            )
        }
        return printed
    }

    /// Starts a replay, and kills it without warning once it has got somewhere.
    func runAndKill(_ arguments: [String], at position: Int64, of store: String) throws {
        try show(command: arguments, after: "      # kill -9")
        let child = try DemoProcess.start(arguments)
        var reached: Int64 = 0
        for _ in 0..<500 where reached < position {
            usleep(20_000)
            reached = try Self.position(store)
            if child.hasEnded { break }
        }
        child.kill()
        try show("killed at position \(try Self.position(store))\n")
    }

    private static func position(_ store: String) throws -> Int64 {
        let (_, line) = try DemoProcess.run(["replay", "list", store, "--nl"], hidesErrors: true)
        guard !line.isEmpty else { return 0 }
        do {
            let status = try JSONDocument(Array(line.utf8))
            guard case .number(let text)? = status.root["position"]?.content else { return 0 }
            return Int64(text) ?? 0
        } catch {
            return 0
        }
    }
}

/// A folder for the demo's files.
final class DemoFolder {
    let path: String
    private let isKept: Bool
    /// Names of the files that `write` made.
    private var written: [String] = []

    init(_ keep: String?) throws(StoreError) {
        isKept = keep != nil
        if let keep {
            path = keep
            try NewFile.checkName(keep, during: "create the folder")
            guard mkdir(keep, 0o700) == 0 else {
                let number = errno
                throw StoreError(
                    .cannotCreate,
                    during: "create the folder",
                    on: keep,
                    NewFile.reason(number, keep),
                    hint: number == EEXIST
                        ? "Name a folder that does not exist" : NewFile.hint(number)
                )
            }
            return
        }
        path = try NewFile.createTemporaryFolder(named: "tally-demo", during: "create a folder")
    }

    /// Makes a file in the folder.
    func write(_ bytes: UnsafeRawBufferPointer, to name: String) throws(StoreError) {
        let operation = "write the demo's files"
        let file = try PendingFile(for: "\(path)/\(name)", permissions: 0o600, during: operation)
        written.append(name)
        try file.write(bytes)
        try file.publish(replacing: false)
    }

    deinit {
        guard !isKept else { return }
        for name in written { unlink("\(path)/\(name)") }
        for name in ["demo.db", "copy.db"] {
            for suffix in ["", "-wal", "-shm", "-journal"] { unlink("\(path)/\(name)\(suffix)") }
        }
        rmdir(path)
    }
}
