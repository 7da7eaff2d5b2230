import ArgumentParser
import Glibc
import Tallystick

/// What the parser of arguments has to say, in the words of the other messages.
enum UsageError {
    /// Prints help, a version or a complaint, and ends the program.
    static func exit(_ error: any Error) -> Never {
        let code = Tally.exitCode(for: error)
        let text = Tally.fullMessage(for: error)
        if code.isSuccess {
            if !text.isEmpty { printOrExit(text) }
        } else if !(error is ExitCode) {
            complain(text)
        }
        Glibc.exit(code.rawValue)
    }

    /// Prints text on standard output; ends the program where nobody can take it.
    static func printOrExit(_ text: String) {
        do throws(StoreError) {
            let output = try OutputFile(path: nil)
            try output.write(text + "\n")
            try output.flush()
        } catch {
            Terminal.report(error, command: "")
            Glibc.exit(Exit.code(for: error))
        }
    }

    /// The parser's text: `Error: …`, perhaps `Help: …`, `Usage: …`, `See 'tally …' for more information.`
    private static func complain(_ text: String) {
        var message: [String] = []
        var usage = ""
        var help = "tally --help"
        for line in text.split(separator: "\n").map(String.init) {
            if let rest = after("Usage: ", in: line) {
                usage = rest
            } else if let rest = after("  See '", in: line) {
                help = String(rest.prefix { $0 != "'" })
            } else if after("Help:", in: line) == nil {
                message.append(after("Error: ", in: line) ?? line)
            }
        }
        let command = help.replacing(" --help", with: "")
        let word = unknownCommand(message.first ?? "")
        note(command, word.map { "there is no command '\($0)'" } ?? message.joined(separator: "\n"))
        if let word {
            let near = nearest(to: word).map { "did you mean 'tally \($0)'? " } ?? ""
            Terminal.note("hint: \(near)see 'tally --help'")
        } else {
            if !usage.isEmpty, command != "tally" { Terminal.note("usage: \(usage)") }
            Terminal.note("hint: see '\(help)'")
        }
    }

    private static func note(_ command: String, _ message: String) {
        Terminal.note("\(command): \(message.prefix(1).lowercased())\(message.dropFirst())")
    }

    private static func after(_ prefix: String, in line: String) -> String? {
        line.hasPrefix(prefix) ? String(line.dropFirst(prefix.count)) : nil
    }

    /// The first word, where it is no command.
    private static func unknownCommand(_ message: String) -> String? {
        guard message.contains("nexpected argument"),
            let word = CommandLine.arguments.dropFirst().first,
            !word.hasPrefix("-"), !names.contains(word)
        else { return nil }
        return word
    }

    private static var names: [String] {
        Tally.configuration.subcommands.map { $0._commandName } + ["help"]
    }

    private static func nearest(to word: String) -> String? {
        let distances = names.map { (name: $0, distance: distance(word, $0)) }
        guard let best = distances.min(by: { $0.distance < $1.distance }), best.distance <= 2 else {
            return names.first { $0.hasPrefix(word) }
        }
        return best.name
    }

    /// Levenshtein's.
    private static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        guard a.count < 64 else { return .max }
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (x == y ? 0 : 1))
                (diagonal, row[j + 1]) = (row[j + 1], next)
            }
        }
        return row[b.count]
    }
}

/// The three streams that every program has.
enum StandardStreams {
    /// Opens `/dev/null` for those that the caller closed, so that no file of ours takes their place: not for what
    /// the stream is for, so that reading input that is not there, and writing results that nobody gets, fails.
    static func complete() {
        // What goes to standard error can be told nowhere else.
        for (descriptor, mode) in [(0, O_WRONLY), (1, O_RDONLY), (2, O_RDWR)]
        where fcntl(Int32(descriptor), F_GETFD) < 0 {
            guard open("/dev/null", mode) >= 0 else { return }
        }
    }
}
