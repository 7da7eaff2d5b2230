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

    /// What bash offers for a command line whose last word is being written.
    private func bash(_ words: [String], setUp: String = "") throws -> [String] {
        let script = tally.run("completions", "bash")
        #expect(script.code == 0)
        try Data(script.output.utf8).write(to: URL(filePath: folder.file("tally.bash")))
        let quoted = words.map { "'\($0)'" }.joined(separator: " ")
        let program = """
            \(setUp)
            source ./tally.bash
            COMP_WORDS=(\(quoted))
            COMP_CWORD=\(words.count - 1)
            COMP_LINE="${COMP_WORDS[*]}"
            COMP_POINT=${#COMP_LINE}
            COMP_TYPE=9
            COMP_KEY=9
            COMPREPLY=()
            function_name=$(complete -p tally | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            "$function_name" tally "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = ["--norc", "--noprofile", "-c", program]
        process.currentDirectoryURL = URL(filePath: folder.path)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
    }

    @Test("In bash, paths are completed where a path belongs, and values where there are few")
    func inBash() throws {
        try Data().write(to: URL(filePath: folder.file("shop.db")))
        try FileManager.default.createDirectory(
            atPath: folder.file("shelf"),
            withIntermediateDirectories: false
        )
        for command in [
            ["stats"], ["verify"], ["ingest", "shop.db"], ["conflicts", "list"],
            ["backup", "shop.db"],
        ] {
            let offered = try bash(["tally"] + command + ["sh"])
            #expect(offered.contains("shop.db"), "\(command): \(offered)")
        }
        let outputs = try bash(["tally", "stats", "shop.db", "--output", "sh"])
        #expect(outputs.contains("shop.db"), "\(outputs)")
        let formats = try bash(["tally", "stats", "shop.db", "--format", ""])
        #expect(formats.contains("json") && !formats.contains("shop.db"), "\(formats)")
        let states = try bash(["tally", "breaker", "set", "shop.db", "websocket", "forced"])
        #expect(states == ["forced_open"], "\(states)")
        let commands = try bash(["tally", "rec"])
        #expect(commands == ["reconcile"], "\(commands)")
    }
}
