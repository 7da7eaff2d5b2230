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

    @Argument(help: "The store.", completion: .file())
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
    @Option(parsing: .unconditional, help: "At most so many events.")
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

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit must be a positive number") }
    }

    func execute() async throws -> Int32 {
        var reading = EventReading()
        reading.asRecorded = asRecorded
        reading.stream = stream
        reading.type = type
        reading.category = category
        reading.backwards = backwards
        reading.limit = limit
        (reading.after, reading.afterTime) = try Self.bound(after, "--after")
        (reading.before, reading.beforeTime) = try Self.bound(before, "--before")
        guard !follow || !backwards else {
            throw ValidationError("--follow reads forwards; leave --backwards out")
        }
        return try await OpenedStore.with(store, .readOnly) { opened in
            let writer = try rows.writer(brief: Self.brief)
            do {
                try writer.begin(EventColumns.names(asRecorded: asRecorded))
                let last = try await print(opened.events(reading), to: writer)
                if follow { try await follow(reading, since: last, opened, writer) }
            } catch {
                guard follow, (error as? StoreError)?.code == .interrupted else {
                    writer.abandon()
                    throw error
                }
            }
            try writer.end()
            return Exit.done
        }
    }

    /// How far printing came.
    private struct Printed {
        var count: Int64 = 0
        var last: Position?
    }

    /// - parameter isLive: whether each event is to be seen at once.
    private func print(
        _ events: EventSequence,
        to writer: RowWriter,
        isLive: Bool = false
    ) async throws -> Printed {
        var printed = Printed()
        for try await event in events {
            try writer.add(EventColumns.row(event, asRecorded: asRecorded))
            if isLive { try writer.flush() }
            printed.count += 1
            printed.last = event.position
        }
        return printed
    }

    /// Waits for what comes after the events printed so far, until the task is cancelled.
    private func follow(
        _ reading: EventReading,
        since printed: Printed,
        _ store: EventStore,
        _ writer: RowWriter
    ) async throws {
        try writer.flush()
        var reading = reading
        reading.follows = true
        if let last = printed.last { reading.after = .position(last) }
        reading.limit = reading.limit.map { $0 - printed.count }
        _ = try await print(store.events(reading), to: writer, isLive: true)
    }

    private static func bound(
        _ text: String?,
        _ option: String
    ) throws -> (place: EventReading.Place?, time: String?) {
        guard let text else { return (nil, nil) }
        if let position = Int64(text) { return (.position(Position(position)), nil) }
        guard RFC3339Instant(text) != nil else {
            throw ValidationError("\(option): '\(text)' is neither a position nor an RFC 3339 time")
        }
        return (nil, text)
    }
}

/// Events as rows, with the columns of the views `effective_events` and `event_log`.
private enum EventColumns {
    static func names(asRecorded: Bool) -> [String] {
        let identity = [
            "source", "event_id", "stream", "revision", "type", "category", "origin", "subject",
            "time", "time_utc", "recorded_at", "data_content_type", "data", "attributes",
            "checksum_algorithm",
        ]
        return asRecorded
            ? ["position"] + identity + ["checksum_key_id", "checksum", "copies", "conflict_id"]
            : ["position", "state"] + identity + ["checksum", "resolution_id"]
    }

    static func row(_ event: StoredEvent, asRecorded: Bool) -> [SQLValue] {
        func text(_ text: String?) -> SQLValue { text.map { .text($0) } ?? .null }
        func integer(_ number: Int64?) -> SQLValue { number.map { .integer($0) } ?? .null }
        let identity: [SQLValue] = [
            .text(event.source), .text(event.id), .text(event.stream),
            .integer(event.revision.rawValue), .text(event.type), .text(event.category),
            .text(event.origin), text(event.subject), text(event.time),
            text(event.time.flatMap(milliseconds)),
            .text(event.recordedAt.description), text(event.dataContentType),
            event.sqlData, .text(event.attributes ?? "{}"), .text(event.checksumAlgorithm),
        ]
        let position = SQLValue.integer(event.position.rawValue)
        return asRecorded
            ? [position] + identity + [
                text(event.checksumKeyID), .text(event.checksum), integer(event.copies),
                integer(event.conflictID),
            ]
            : [position, .text(event.state.rawValue)] + identity + [
                .text(event.checksum), integer(event.resolutionID),
            ]
    }

    /// A time in UTC, to the millisecond as the views show it.
    private static func milliseconds(_ time: String) -> String? {
        guard let microseconds = RFC3339.microseconds(time) else { return nil }
        return String(RFC3339.string(microseconds: microseconds).dropLast(4)) + "Z"
    }
}
