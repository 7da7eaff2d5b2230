import ArgumentParser
import Tallystick
import TallystickCore

struct ProveEvent: TallyCommand {
    static let title = "prove event"
    static let configuration = CommandConfiguration(
        commandName: "event",
        abstract: "Prove that an event is in a sealed log.",
        discussion: """
            Prints a C2SP tlog-proof with the event's leaf and content, the path to the root, and the sealed head.

            EXAMPLES
              tally prove event events.db 42 --output 42.tlog-proof
              tally prove event events.db --source /shop --id order-7 \\
                  --note 2026-03-01.note
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Argument(help: "The event's position; without it --source and --id.")
    var position: Int64?
    @Option(help: "The event's source.")
    var source: String?
    @Option(help: "The event's id.")
    var id: String?
    @Option(help: "A sealed head; the newest stored one without.", completion: .file())
    var note: String?
    @Flag(help: "Leave the event's content out: its digest is proved.")
    var withoutContent = false
    @Option(
        help: "Write to this file, which appears when it is complete.",
        completion: .file()
    )
    var output: String?

    func validate() throws {
        guard (position != nil) != (source != nil || id != nil), (source == nil) == (id == nil)
        else {
            throw ValidationError("name the event by its position, or by --source and --id")
        }
    }

    func execute() async throws -> Int32 {
        return try await OpenedStore.with(store, .readOnly) { opened in
            let found: Position?
            if let source, let id {
                found = try await opened.position(ofSource: source, id: id)
            } else {
                found = position.map { Position($0) }
            }
            guard let found else {
                throw StoreError(
                    .notFound,
                    during: "prove the event",
                    on: "event '\(id ?? "")'",
                    "the store has no such event"
                )
            }
            let proof = try await opened.proveEvent(
                at: found,
                in: try note.map { try NoteFile.read($0) },
                showingContent: !withoutContent
            )
            let file = try OutputFile(path: output)
            try file.write(proof.bytes)
            try file.finish()
            return Exit.done
        }
    }
}
