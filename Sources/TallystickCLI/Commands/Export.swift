import ArgumentParser
import Tallystick
import TallystickCore

struct Export: TallyCommand {
    static let title = "export"
    static let configuration = CommandConfiguration(
        abstract: "Write events as CloudEvents, as recorded.",
        discussion: """
            What it writes can be ingested into another store: same content, same streams.

            EXAMPLES
              tally export events.db --output events.ndjson
              tally export events.db --batch > events.json
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    @Option(help: "After this position.")
    var after: Int64 = 0
    @Flag(help: "One JSON array instead of a line an event.")
    var batch = false
    @OptionGroup var keys: KeyOptions
    @Option(help: "Write to this file instead of standard output.", completion: .file())
    var output: String?
    @Option(help: "Who does it, for the audit trail.")
    var actor: String?

    func execute() async throws -> Int32 {
        let (events, isInUse) = try await OpenedStore.with(store, keys: keys.source, .readOnly) {
            opened in
            let shared = SharedFile(try OutputFile(path: output))
            let isArray = batch
            let count = Counter()
            do {
                if isArray { try shared.file.write("[") }
                try await opened.export(after: Position(after)) { event in
                    if isArray { try shared.file.write(count.value == 0 ? "\n" : ",\n") }
                    try shared.file.writeJSON(event)
                    if !isArray { try shared.file.write("\n") }
                    count.add()
                    return true
                }
                if isArray { try shared.file.write("\n]\n") }
            } catch {
                shared.file.abandon()
                throw error
            }
            try shared.file.finish()
            return (count.value, try await opened.hasWriteAheadLog())
        }
        await OpenedStore.leaveRow(
            about: .export(path: output, after: after, events: events),
            in: store,
            isInUse: isInUse,
            actor: actor
        )
        return Exit.done
    }
}

/// A file that one other thread writes.
///
/// Unchecked Sendable: the export's thread alone writes while it runs, the command only before and after.
final class SharedFile: @unchecked Sendable {
    let file: OutputFile
    init(_ file: OutputFile) { self.file = file }
}
