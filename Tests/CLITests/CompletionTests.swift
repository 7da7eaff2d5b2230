import Foundation
import TallystickTestKit
import Testing

@Suite("Completions")
struct CompletionTests {
    private let folder: TemporaryFolder
    private let tally: TallyCommand

    init() throws {
        folder = try TemporaryFolder()
        tally = TallyCommand(in: folder.path)
    }

    /// The names of arguments and options that are paths of files or folders.
    private static let paths: Set = [
        "store", "file", "files", "output", "config", "content", "destination", "projection",
        "into", "signing",
        "key-file", "public-key", "against", "fixtures", "keep", "note",
    ]
    /// Options of these names that are something else.
    private static let others = ["config history --file", "replay --to"]

    private struct Parameter {
        var place: String
        var name: String
        var value: [String: Any]
        var completion: [String: Any]? { value["completionKind"] as? [String: Any] }
    }

    private func parameters() throws -> [Parameter] {
        let dump = tally.run("--experimental-dump-help")
        let object = try JSONSerialization.jsonObject(with: Data(dump.output.utf8))
        let root = try #require((object as? [String: Any])?["command"] as? [String: Any])
        return Self.parameters(of: root, [])
    }

    private static func parameters(of command: [String: Any], _ path: [String]) -> [Parameter] {
        let here = path + [command["commandName"] as? String ?? ""]
        let own = (command["arguments"] as? [[String: Any]] ?? []).map { value in
            let names = value["names"] as? [[String: Any]] ?? []
            let long = names.first { ($0["kind"] as? String) == "long" }?["name"] as? String
            return Parameter(
                place: here.dropFirst().joined(separator: " "),
                name: long ?? value["valueName"] as? String ?? "",
                value: value
            )
        }
        let commands = command["subcommands"] as? [[String: Any]] ?? []
        return own + commands.flatMap { parameters(of: $0, here) }
    }

    @Test(
        "Every argument and option that is a path completes paths; one with fixed values completes these"
    )
    func everyParameter() throws {
        let all = try parameters()
        #expect(all.count > 150)
        for parameter in all where parameter.value["kind"] as? String != "flag" {
            let text = "\(parameter.place) \(parameter.name)"
            if Self.paths.contains(parameter.name) {
                let kinds = Set(parameter.completion?.keys ?? [:].keys)
                #expect(!kinds.isDisjoint(with: ["file", "directory"]), "\(text): \(kinds)")
            }
            if let values = parameter.value["allValues"] as? [String], !values.isEmpty {
                #expect(parameter.completion?["list"] != nil, "\(text)")
            }
        }
    }

    @Test("An argument after which others complete has a completion itself: fish counts only these")
    func placesOfArguments() throws {
        let arguments = try parameters().filter { $0.value["kind"] as? String == "positional" }
        for (_, ofCommand) in Dictionary(grouping: arguments, by: \.place) {
            let completing = ofCommand.lastIndex { $0.completion != nil } ?? 0
            for argument in ofCommand.prefix(completing) {
                #expect(argument.completion != nil, "\(argument.place) \(argument.name)")
            }
        }
    }

    /// What a shell's installed script offers for a command line.
    struct Expectation: CustomTestStringConvertible, Sendable {
        let line: String
        let offered: [String]
        /// What must not be among it.
        var others: [String] = []
        var testDescription: String { line }

        init(_ line: String, _ offered: String..., without others: [String] = []) {
            (self.line, self.offered, self.others) = (line, offered, others)
        }
    }

    private static let expectations = [
        Expectation("tally stats sh", "shop.db", "shelf"),
        Expectation("tally verify sh", "shop.db"),
        Expectation("tally ingest shop.db sh", "shop.db"),
        Expectation("tally conflicts list sh", "shop.db"),
        Expectation("tally backup shop.db sh", "shop.db"),
        Expectation("tally append shop.db orders sh", "shop.db"),
        Expectation("tally replay run shop.db sh", "shop.db"),
        Expectation("tally stats shop.db --output sh", "shop.db"),
        Expectation("tally ingest shop.db a --key-file sh", "shop.db"),
        Expectation("tally rec", "reconcile", without: ["stats"]),
        Expectation("tally replay re", "rebuild", "retry"),
        Expectation(
            "tally stats shop.db --format ",
            "table",
            "json",
            "openmetrics",
            without: ["shop.db"]
        ),
        Expectation("tally breaker set shop.db a forced", "forced_open", without: ["open"]),
        Expectation("tally append shop.db a b --expect ", "any", "none", "exists"),
        Expectation("tally completions ", "bash", "zsh", "fish"),
        // What a command runs where no subcommand is named.
        Expectation("tally replay sh", "shop.db"),
        Expectation("tally replay shop.db sh", "shop.db"),
        Expectation("tally replay shop.db p --on-poison ", "halt", "park", "skip"),
        Expectation("tally replay --json shop.db sh", "shop.db"),
        Expectation("tally reconcile sh", "shop.db"),
        Expectation("tally conflicts sh", "shop.db"),
        Expectation("tally conflicts shop.db --severity ", "high", without: ["shop.db"]),
        Expectation("tally breaker sh", "shop.db"),
        Expectation("tally quarantine sh", "shop.db"),
        Expectation("tally audit sh", "shop.db"),
        Expectation("tally audit shop.db --format ", "csv", "ndjson"),
    ]

    private func check(_ expectation: Expectation, _ offered: [String]) {
        let names = offered.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        let missing = expectation.offered.filter { !names.contains($0) }
        #expect(missing.isEmpty, "\(offered)")
        #expect(!names.contains { expectation.others.contains($0) }, "\(offered)")
    }

    /// Where completions are tried: a folder with a store's file, another folder, and the script of a shell.
    private func install(_ shell: String, as name: String) throws {
        try Data().write(to: URL(filePath: folder.file("shop.db")))
        try FileManager.default.createDirectory(
            atPath: folder.file("shelf"),
            withIntermediateDirectories: false
        )
        let script = tally.run("completions", shell)
        #expect(script.code == 0)
        try Data(script.output.utf8).write(to: URL(filePath: folder.file(name)))
    }

    /// The lines that a shell's program prints.
    private func lines(_ shell: String, _ words: [String]) throws -> [String] {
        let command = TallyCommand(in: folder.path, path: shell)
        let result = command.run(words)
        #expect(result.code == 0, "\(result.errors)")
        // A terminal's lines end with two characters, which Swift takes for one.
        return result.output.split(whereSeparator: \.isNewline).map {
            $0.trimmingCharacters(in: .whitespaces)
        }
    }

    private static func isInstalled(_ shell: String) -> Bool {
        let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
        return folders.contains { access("\($0)/\(shell)", X_OK) == 0 }
    }

    @Test(
        "bash completes paths where a path belongs, and values where there are few",
        arguments: expectations
    )
    func bash(_ expectation: Expectation) throws {
        try install("bash", as: "tally.bash")
        let words = expectation.line.split(separator: " ", omittingEmptySubsequences: false)
        let program = """
            source ./tally.bash
            COMP_WORDS=(\(words.map { "'\($0)'" }.joined(separator: " ")))
            COMP_CWORD=\(words.count - 1)
            COMP_LINE="${COMP_WORDS[*]}"
            COMP_POINT=${#COMP_LINE}
            COMP_TYPE=9
            COMP_KEY=9
            COMPREPLY=()
            function_name=$(complete -p tally | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            "$function_name" tally "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        check(expectation, try lines("bash", ["--norc", "--noprofile", "-c", program]))
    }

    /// Types a command line and a tab in a terminal of its own, and has the shell print what it offers. What it prints is
    /// read up to marks that it prints itself.
    private static let zshProgram = #"""
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'stty -echo; PS1= PS2= RPS1=; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D
        compadd() {
            [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]] && { builtin compadd "$@"; return $? }
            local -a offered
            builtin compadd -O offered "$@"
            print -rl -- "offered "${^offered}
            return $(( ! $#offered ))
        }
        finish() { print -r -- fin""ished; zle kill-buffer }
        zle -N finish
        bindkey "^X" finish
        bindkey "^I" complete-word
        print rea""dy'
        zpty -r shell printed '*ready*'
        zpty -w -n shell "$1"$'\t'$'\x18'
        zpty -r shell printed '*finished*'
        zpty -d shell
        print -r -- "$printed"
        """#

    @Test(
        "zsh completes paths where a path belongs, and values where there are few",
        .enabled(if: isInstalled("zsh"), "zsh is not installed"),
        arguments: expectations
    )
    func zsh(_ expectation: Expectation) throws {
        try install("zsh", as: "_tally")
        let words = ["-f", "-c", Self.zshProgram, "zsh", expectation.line]
        let offered = try lines("zsh", words).compactMap { line in
            line.ranges(of: "offered ").last.map { String(line[$0.upperBound...]) }
        }
        check(expectation, offered)
    }

    @Test(
        "fish completes paths where a path belongs, and values where there are few",
        .enabled(if: isInstalled("fish"), "fish is not installed"),
        arguments: expectations
    )
    func fish(_ expectation: Expectation) throws {
        try install("fish", as: "tally.fish")
        let program = "source tally.fish; complete -C \"$argv[1]\""
        let offered = try lines("fish", ["--no-config", "-c", program, expectation.line])
        check(expectation, offered.map { String($0.prefix { $0 != "\t" }) })
    }
}
