import ArgumentParser
import Tallystick
import TallystickCore

struct ProveConsistency: TallyCommand {
    static let title = "prove consistency"
    static let configuration = CommandConfiguration(
        commandName: "consistency",
        abstract: "Prove that nothing sealed earlier was changed until a later head.",
        discussion: """
            EXAMPLE
              tally prove consistency events.db --from 2026-03-01.note \\
                  --output march.proof
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Option(help: "The earlier sealed head.", completion: .file())
    var from: String
    @Option(help: "The later sealed head; the newest stored one without.", completion: .file())
    var to: String?
    @Option(
        help: "Write to this file, which appears when it is complete.",
        completion: .file()
    )
    var output: String?

    func execute() async throws -> Int32 {
        return try await OpenedStore.with(store, .readOnly) { opened in
            let proof = try await opened.proveConsistency(
                from: try NoteFile.read(from),
                to: try to.map { try NoteFile.read($0) }
            )
            let file = try OutputFile(path: output)
            try file.write(proof.bytes)
            try file.finish()
            return Exit.done
        }
    }
}
