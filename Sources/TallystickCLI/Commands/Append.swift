import ArgumentParser
import Tallystick
import TallystickCore

struct Append: TallyCommand {
    static let title = "append"
    static let configuration = CommandConfiguration(
        abstract: "Append events to a stream, all of them or none.",
        discussion: """
            Exit 4 when the stream is not as expected, or the store has other content under an event's identity.

            EXAMPLES
              tally append events.db order-42 placed.json --expect none
              tally append events.db order-42 paid.ndjson --expect 0
            """
    )

    @Argument(help: "The store.", completion: .file())
    var store: String
    // Nothing to offer, and a completion all the same: fish counts only arguments that have one.
    @Argument(help: "The stream.", completion: .list([]))
    var stream: String
    @Argument(help: "A file of CloudEvents; - for standard input.", completion: .file())
    var file: String
    @Option(
        help: "What to expect of the stream: any, none, exists, or its last revision.",
        completion: .list(["any", "none", "exists"])
    )
    var expect: String = "any"
    @OptionGroup var waiting: WaitOptions
    @OptionGroup var keys: KeyOptions
    @OptionGroup var report: ReportOptions

    func execute() async throws -> Int32 {
        let started = MonotonicClock.nanoseconds()
        let expectation = try Self.expectation(expect)
        let bytes = try SmallFile.read(file)
        return try await OpenedStore.with(
            store,
            keys: keys.source,
            waiting.command()
        ) { opened in
            let appended = try await opened.append(
                json: bytes,
                to: stream,
                expecting: expectation
            )
            var result = Report("append", on: opened, started: started)
            result.add("stream", .text(stream))
            result.add(
                "events",
                .list(
                    appended.map {
                        .object([
                            ("position", .number($0.position.rawValue)),
                            ("revision", .number($0.revision.rawValue)),
                        ])
                    }
                )
            )
            try result.print(report) {
                appended.map { "position \($0.position)  revision \($0.revision)" }
            }
            return Exit.done
        }
    }

    static func expectation(_ text: String) throws -> AppendExpectation {
        switch text {
        case "any": return .any
        case "none": return .none
        case "exists": return .exists
        default:
            guard let revision = Int64(text), revision >= 0 else {
                throw ValidationError(
                    "--expect: '\(text)' is not any, none, exists or a revision"
                )
            }
            return .revision(Revision(revision))
        }
    }
}
