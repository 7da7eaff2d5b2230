import ArgumentParser
import Tallystick
import TallystickCore

struct Read: TallyCommand {
    static let title = "read"
    static let configuration = CommandConfiguration(
        abstract: "Read events: effective ones, or as recorded.",
        discussion: """
            --after and --before take a position, or an RFC 3339 time, which is compared with the event's time.

            EXAMPLES
              tally read events.db --stream order-42
              tally read events.db --type health_check --after 1000 --limit 20
              tally read events.db --backwards --limit 5
              tally read events.db --follow
            """
    )

    @Argument(help: "The store.")
    var store: String
    @Option(help: "Only this stream, in order of its revisions.")
    var stream: String?
    @Option(help: "Only this type.")
    var type: String?
    @Option(help: "Only this category.")
    var category: String?
    @Option(help: "After this position or time.")
    var after: String?
    @Option(help: "Before this position or time.")
    var before: String?
    @Flag(help: "Newest first.")
    var backwards = false
    @Option(help: "At most so many events.")
    var limit: Int64?
    @Flag(help: "Wait for further events, until interrupted.")
    var follow = false
    @Flag(help: "Events as they were recorded, whatever was decided since.")
    var asRecorded = false
    @OptionGroup var rows: RowOptions

    /// What a narrow table shows.
    private static let brief = [
        "position", "time_utc?", "category?", "type", "stream?", "revision?", "state", "data",
    ]

    func execute() async throws -> Int32 {
        var reading = StoreListing.Reading()
        reading.asRecorded = asRecorded
        reading.stream = stream
        reading.type = type
        reading.category = category
        reading.backwards = backwards
        reading.limit = limit
        (reading.afterPosition, reading.afterTime) = try Self.bound(after, "--after")
        (reading.beforePosition, reading.beforeTime) = try Self.bound(before, "--before")
        guard follow else {
            _ = try await Lists.print(.events(reading), of: store, rows, brief: Self.brief)
            return Exit.done
        }
        guard !backwards else {
            throw ValidationError("--follow reads forwards; leave --backwards out")
        }
        try await follow(&reading)
        return Exit.done
    }

    /// Reads, waits and reads on until the task is cancelled.
    private func follow(_ reading: inout StoreListing.Reading) async throws {
        var options = StoreOptions()
        options.access = .readOnly
        let opened = try await EventStore.open(at: store, options: options)
        let shared = SharedRows(try rows.writer(sparing: store, brief: Self.brief))
        let seen = LastPosition(reading.afterPosition ?? 0)
        var isFirst = true
        while !Task.isCancelled {
            let begins = isFirst
            do {
                try await opened.list(
                    .events(reading),
                    onColumns: { if begins { try shared.writer.begin($0) } },
                    onRow: {
                        try shared.writer.add($0)
                        if case .integer(let position)? = $0.first { seen.set(position) }
                        return true
                    }
                )
            } catch {
                guard error.code == .interrupted else { throw error }
                break
            }
            isFirst = false
            try shared.writer.flush()
            reading.afterPosition = seen.value
            do {
                try await Task.sleep(for: .milliseconds(100))
            } catch {
                break
            }
        }
        try shared.writer.end()
    }

    static func bound(_ text: String?, _ option: String) throws -> (position: Int64?, time: String?)
    {
        guard let text else { return (nil, nil) }
        if let position = Int64(text) { return (position, nil) }
        guard RFC3339Instant(text) != nil else {
            throw ValidationError("\(option): '\(text)' is neither a position nor an RFC 3339 time")
        }
        return (nil, text)
    }
}
