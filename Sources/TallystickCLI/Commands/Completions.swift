import ArgumentParser
import Tallystick
import TallystickCore

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
