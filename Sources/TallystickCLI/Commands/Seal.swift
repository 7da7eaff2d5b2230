import ArgumentParser
import Tallystick
import TallystickCore

struct Seal: TallyCommand {
    static let title = "seal"
    static let configuration = CommandConfiguration(
        abstract: "Sign the head of the three logs, as a note to be kept elsewhere.",
        discussion: """
            Prints a C2SP checkpoint: a signed note with size and root of each log. Whoever holds it can tell later \
            whether the store was rolled back, cut, or given another history since. \
            --key-file may be given twice: the signing key, and a key ring that vouches for the stored head.

            EXAMPLES
              tally seal events.db --key-file signer.key
              tally seal events.db --key-file signer.key --output 2026-03-01.note
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Option(
        name: .customLong("key-file"),
        help: "The signing key's file; given again, the key ring's.",
        completion: .file()
    )
    var keyFiles: [String] = []
    @Option(
        name: .customLong("key-fd"),
        help: "An open descriptor of the signing key's file."
    )
    var keyDescriptor: Int32?
    @Option(
        help: "Write to this file, which appears when it is complete.",
        completion: .file()
    )
    var output: String?
    @Option(help: "Who does it, for the audit trail.")
    var actor: String?
    @OptionGroup var waiting: WaitOptions

    func validate() throws {
        guard !keyFiles.isEmpty || keyDescriptor != nil else {
            throw ValidationError("--key-file is missing: name the signing key's file")
        }
        guard keyFiles.count <= (keyDescriptor == nil ? 2 : 1) else {
            throw ValidationError("--key-file: there is one signing key, and one key ring")
        }
    }

    func execute() async throws -> Int32 {
        let signer =
            try keyDescriptor.map { try NoteSigner.load(fromDescriptor: $0) }
            ?? NoteSigner.load(from: keyFiles[0])
        let ring = keyDescriptor == nil ? keyFiles.dropFirst().first : keyFiles.first
        let sealed = try await OpenedStore.with(
            store,
            keys: KeyOptions.source(ring),
            waiting.command()
        ) { opened in
            try await opened.seal(with: signer, actor: actor ?? CurrentActor.current)
        }
        let file = try OutputFile(path: output)
        try file.write(sealed.note.bytes)
        try file.finish()
        Terminal.note(
            "sealed \(sealed.head.events.size) events; verify with --public-key \(signer.verifier)"
        )
        return Exit.done
    }
}
