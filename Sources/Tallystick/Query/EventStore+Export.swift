public import TallystickCore
import TallystickSQLite

extension EventStore {
    /// Passes on events as recorded, as CloudEvents (JSON): canonical content with its delivery attributes,
    /// `tallystream` and `tallyrevision`, so that a store that ingests them has the same streams.
    ///
    /// Reads in short transactions: events appended meanwhile may or may not be included.
    ///
    /// - parameter position: only events after this position; the default is all.
    /// - parameter onEvent: called for each event; returns false to end the export.
    public func export(
        after position: Position = Position(0),
        onEvent: @escaping @Sendable ([UInt8]) throws -> Bool
    ) async throws(StoreError) {
        let (path, options) = (path, options)
        let stop = StopFlag()
        try await Self.attempt("export", path) {
            try await withTaskCancellationHandler {
                try await runOnThread {
                    let source = try EventSource(
                        try StoreFile.openForReading(path, options),
                        options.checksummer
                    )
                    try Exporter(source, stop).run(after: position.rawValue, onEvent)
                }
            } onCancel: {
                stop.set()
            }
        }
    }
}

struct Exporter {
    private let source: EventSource
    private let stop: StopFlag

    init(_ source: EventSource, _ stop: StopFlag) {
        self.source = source
        self.stop = stop
    }

    func run(after position: Int64, _ onEvent: ([UInt8]) throws -> Bool) throws {
        let head = try source.head()
        var next = position
        var isDone = false
        while next < head, !isDone {
            if stop.isSet { throw StoreError(.interrupted, during: "export", "it was stopped") }
            // Passed on after the page's transaction has ended: the receiver may be slow.
            var page: [[UInt8]] = []
            var bytes = 0
            source.beginTransaction()
            let limit = EventReadingLimits.pageEvents
            next += Int64(
                try source.forEach(after: next, through: head, limit: limit, watermark: nil) {
                    event,
                    _ in
                    guard let event else { return true }
                    let json = try Self.json(event, event.appendedContent())
                    page.append(json)
                    bytes += json.count
                    return bytes < EventReadingLimits.pageBytes
                }
            )
            for json in page where !isDone { isDone = try !onEvent(json) }
        }
    }

    /// The content with the delivery attributes as further members.
    private static func json(_ event: ReplayedEvent, _ content: [UInt8]) throws -> [UInt8] {
        var json = content
        json.removeLast()
        func add(_ name: String, _ value: [UInt8]) {
            json.append(contentsOf: ",\"\(name)\":".utf8)
            json.append(contentsOf: value)
        }
        if let delivery = event.row.bytesIfPresent(at: EventColumn.deliveryAttributes) {
            let document = try JSONDocument([UInt8](delivery))
            for (name, value) in document.root.object ?? []
            where name != EventAttributes.stream && name != "tallyrevision" {
                add(name, value.canonical)
            }
        }
        add(
            EventAttributes.stream,
            JSONValue(.string(try event.names.name(.streams, of: event.row))).canonical
        )
        add("tallyrevision", Array(String(event.row.int64(at: EventColumn.revision)).utf8))
        json.append(0x7D)
        return try CanonicalJSON.canonicalize(json)
    }
}
