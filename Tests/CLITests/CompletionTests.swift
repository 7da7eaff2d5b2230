import Foundation
import TallystickTestSupport
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
    private struct Expectation {
        let line: String
        let offered: [String]
        /// What must not be among it.
        let others: [String]

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

    /// Has a shell complete all of the command lines: for each, its program prints `line LINE`, and what it offers
    /// after `offered`.
    private func complete(in shell: String, script: String, _ words: [String]) throws {
        try Data().write(to: URL(filePath: folder.file("shop.db")))
        try FileManager.default.createDirectory(
            atPath: folder.file("shelf"),
            withIntermediateDirectories: false
        )
        let printed = tally.run("completions", shell)
        #expect(printed.code == 0)
        try Data(printed.output.utf8).write(to: URL(filePath: folder.file(script)))
        let command = TallyCommand(in: folder.path, path: shell)
        let result = command.run(words + Self.expectations.map(\.line))
        #expect(result.code == 0, "\(result.errors)")
        var offered: [String: [String]] = [:]
        var line = ""
        // A terminal's lines end with two characters, which Swift takes for one.
        for text in result.output.split(whereSeparator: \.isNewline) {
            if text.hasPrefix("line ") { line = String(text.dropFirst(5)) }
            guard let mark = text.ranges(of: "offered ").last else { continue }
            let name = text[mark.upperBound...].prefix { $0 != "\t" }
            offered[line, default: []].append(String(name.hasSuffix("/") ? name.dropLast() : name))
        }
        for expectation in Self.expectations {
            let names = offered[expectation.line] ?? []
            let missing = expectation.offered.filter { !names.contains($0) }
            let wrong = expectation.others.filter(names.contains)
            #expect(missing.isEmpty && wrong.isEmpty, "\(shell): '\(expectation.line)': \(names)")
        }
    }

    private static func isInstalled(_ shell: String) -> Bool {
        let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
        return folders.contains { access("\($0)/\(shell)", X_OK) == 0 }
    }

    @Test("bash completes paths where a path belongs, and values where there are few")
    func bash() throws {
        let program = #"""
            source ./tally.bash
            function_name=$(complete -p tally | sed 's/.*-F \([^ ]*\).*/\1/')
            for line in "$@"; do
                read -ra COMP_WORDS <<<"${line}"
                [[ "${line}" = *' ' ]] && COMP_WORDS+=('')
                COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                COMP_LINE="${line}" COMP_POINT=${#line} COMP_TYPE=9 COMP_KEY=9
                COMPREPLY=()
                "$function_name" tally "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
                printf 'line %s\n' "${line}"
                printf 'offered %s\n' "${COMPREPLY[@]}"
            done
            """#
        let words = ["--norc", "--noprofile", "-c", program, "bash"]
        try complete(in: "bash", script: "tally.bash", words)
    }

    @Test(
        "zsh completes paths where a path belongs, and values where there are few",
        .enabled(if: isInstalled("zsh"), "zsh is not installed")
    )
    func zsh() throws {
        // Types each command line and a tab in a terminal of its own, and has the shell print what it offers. What it
        // prints is read up to marks that it prints itself.
        let program = #"""
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
            for line in "$@"; do
                zpty -w -n shell "$line"$'\t\x18'
                zpty -r shell printed '*finished*'
                print -r -- "line $line"
                print -r -- "$printed"
            done
            zpty -d shell
            """#
        try complete(in: "zsh", script: "_tally", ["-f", "-c", program, "zsh"])
    }

    @Test(
        "fish completes paths where a path belongs, and values where there are few",
        .enabled(if: isInstalled("fish"), "fish is not installed")
    )
    func fish() throws {
        let program = #"""
            source tally.fish
            for line in $argv
                echo "line $line"
                for offered in (complete -C "$line")
                    echo "offered $offered"
                end
            end
            """#
        try complete(in: "fish", script: "tally.fish", ["--no-config", "-c", program])
    }
}
