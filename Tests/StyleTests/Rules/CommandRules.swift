/// How the command line's sources are laid out, and how commands open stores.
enum CommandRules {
    private static let folder = "Sources/TallystickCLI"

    /// A file has one command, so that a newcomer finds each by its name.
    static func perFile(in tree: SourceTree) -> [Violation] {
        var violations: [Violation] = []
        for file in tree.swift(under: folder) {
            let commands = file.text.matches(
                of: /(?m)^ *struct (\w+): (?:TallyCommand|AsyncParsableCommand)\b/
            )
            for command in commands.dropFirst() {
                violations.append(
                    Violation(
                        path: file.path,
                        line: line(of: command.range.lowerBound, in: file.text),
                        subject: String(command.1),
                        problem: "a file has one command"
                    )
                )
            }
        }
        return violations
    }

    /// A command opens a store by `OpenedStore.with` only, which closes it whatever is thrown.
    static func openings(in tree: SourceTree) -> [Violation] {
        var violations: [Violation] = []
        let opener = folder + "/Output/OpenedStore.swift"
        for file in tree.swift(under: folder) where file.path != opener {
            for opening in file.text.matches(of: /\bEventStore\.open\b/) {
                violations.append(
                    Violation(
                        path: file.path,
                        line: line(of: opening.range.lowerBound, in: file.text),
                        subject: "EventStore.open",
                        problem: "commands open stores by OpenedStore.with"
                    )
                )
            }
        }
        return violations
    }

    private static func line(of place: String.Index, in text: String) -> Int {
        text[..<place].count { $0 == "\n" } + 1
    }
}
