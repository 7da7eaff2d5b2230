public import TallystickCore
import TallystickSQLite

/// What an append expects of its stream.
public enum AppendExpectation: Sendable, Equatable {
    /// Nothing.
    case any
    /// That the stream does not exist.
    case none
    /// That the stream exists.
    case exists
    /// That this is the stream's last revision.
    case revision(Revision)
}

/// Where an event stands.
public struct AppendedEvent: Sendable, Equatable {
    /// Its place in the log of all events, from 1.
    public var position: Position
    /// Its place in its stream, from 0.
    public var revision: Revision
}

/// Appends events to a stream: all of them, or nothing.
final class Appender {
    /// The origin of events that a program appends itself.
    static let origin = "local"

    private let store: StoreWriter
    private let batches: BatchWriter
    private var decoder: EventDecoder
    private var batch = EventBatch()
    private let find: Statement
    private let findStream: DictionaryRows
    private let lastRevision: Statement
    private var json: [UInt8] = []
    private var configuration: IngestConfiguration

    init(_ store: StoreWriter, configuration: IngestConfiguration, helper: HelperThread) throws {
        self.store = store
        batches = try BatchWriter(
            store,
            origin: Self.origin,
            actor: Self.origin,
            configuration: configuration,
            helper: helper
        )
        self.configuration = configuration
        decoder = EventDecoder(Self.decoderSettings(configuration))
        find = try store.connection.prepare(
            """
            SELECT i.position, e.revision, n.name = ?3
            FROM sources AS s
            JOIN event_identities AS i
                ON i.segment IN (SELECT segment FROM identity_segments)
                AND i.event_id = ?2 AND i.source_id = s.source_id
            JOIN events AS e ON e.position = i.position
            JOIN streams AS n ON n.stream_id = e.stream_id
            WHERE s.name = ?1
            """
        )
        findStream = try DictionaryRows(.streams, in: store.connection)
        lastRevision = try store.connection.prepare(
            "SELECT max(revision) FROM stream_revisions WHERE stream_id = ?1"
        )
    }

    func append(
        _ events: [Event],
        to stream: String,
        expecting expectation: AppendExpectation
    ) throws -> [AppendedEvent] {
        try validate(stream)
        try decode(events, to: stream)
        return try store.transaction("append") {
            if let current = store.configuration, current.version != configuration.version {
                configuration = current
                decoder.use(Self.decoderSettings(current))
                try decode(events, to: stream)
            }
            var known: [Int: AppendedEvent] = [:]
            for index in events.indices {
                if let found = try findKnown(events[index], index, stream) {
                    known[index] = found
                }
            }
            if known.count == events.count { return events.indices.compactMap { known[$0] } }
            try check(expectation, stream)
            if !known.isEmpty {
                try decode(
                    events.indices.filter { known[$0] == nil }.map { events[$0] },
                    to: stream
                )
            }
            let recorded = try batches.recordNew(PreparedBatch(batch, configuration))
            var next = recorded.makeIterator()
            return try events.indices.map { index in
                guard let appended = known[index] ?? next.next() else {
                    throw StoreError(.bug, during: "append", on: stream, "an event has no position")
                }
                return appended
            }
        }
    }

    private static func decoderSettings(
        _ configuration: IngestConfiguration
    ) -> EventDecoderSettings {
        var settings = configuration.decoderSettings()
        // A program may name what it appends as it likes.
        settings.origins = []
        return settings
    }

    private func validate(_ stream: String) throws {
        guard !stream.isEmpty, stream.utf8.count <= EventLimits.streamNameBytes,
            !stream.utf8.contains(0)
        else {
            throw StoreError(
                .invalidArgument,
                during: "append",
                on: "stream",
                "a stream's name has 1 to \(EventLimits.streamNameBytes) bytes and no NUL"
            )
        }
    }

    private func decode(_ events: [Event], to stream: String) throws {
        decoder.begin(&batch)
        defer { batches.acceptNames(of: batch) }
        for (index, event) in events.enumerated() {
            json.removeAll(keepingCapacity: true)
            event.writeJSON(to: &json)
            let place = RecordPlace(line: Int64(index + 1), column: 1, byte: 0)
            _ = json.withUnsafeBytes {
                decoder.decode($0, at: place, stream: stream, into: &batch)
            }
            if let rejected = batch.rejected.first {
                throw StoreError(
                    .badInput,
                    during: "append",
                    on: "event \(index + 1) of \(events.count)",
                    "\(rejected.message) (\(rejected.code))"
                )
            }
        }
    }

    /// Where an event stands already, if the store has it.
    ///
    /// - throws: `contentDiffers` where the store has other content under the event's identity, or has it
    ///   in another stream.
    private func findKnown(
        _ event: Event,
        _ index: Int,
        _ stream: String
    ) throws -> AppendedEvent? {
        try find.bindText(event.source, at: 1)
        try find.bindText(event.id, at: 2)
        try find.bindText(stream, at: 3)
        let found = try find.first { row in
            (
                position: row.int64(at: 0), revision: row.int64(at: 1),
                isInStream: row.int64(at: 2) != 0
            )
        }
        let decoded = batch.events[index]
        guard let found else {
            if decoded.duplicateOf >= 0 {
                throw StoreError(
                    .invalidArgument,
                    during: "append",
                    on: "event \(index + 1)",
                    "an event with the same source and id comes earlier in this append"
                )
            }
            return nil
        }
        let isSame = try store.reader.withRow(at: found.position) { row in
            guard try store.reader.readContent(row) else { return false }
            return batch.arena.withUnsafeBytes { arena in
                store.reader.contentBytes.isEqual(to: arena.slice(decoded.content))
            }
        }
        guard isSame == true, found.isInStream else {
            throw StoreError(
                .contentDiffers,
                during: "append",
                on: "position \(found.position)",
                isSame == true
                    ? "the event is in another stream than '\(stream)'"
                    : "the store has other content under the same source and id",
                hint:
                    "Nothing was written. Give the event another id, or record the copy with 'tally ingest'"
            )
        }
        return AppendedEvent(position: Position(found.position), revision: Revision(found.revision))
    }

    private func check(_ expectation: AppendExpectation, _ stream: String) throws {
        if expectation == .any { return }
        var last: Int64?
        let streamID = try Array(stream.utf8).withUnsafeBytesTyped {
            bytes throws(SQLiteError) in try findStream.id(of: bytes)
        }
        if let streamID {
            try lastRevision.bind(streamID, at: 1)
            last = try lastRevision.optionalInt64()
        }
        let holds =
            switch expectation {
            case .any: true
            case .none: last == nil
            case .exists: last != nil
            case .revision(let revision): last == revision.rawValue
            }
        if holds { return }
        let actual = last.map { "its last revision is \($0)" } ?? "it does not exist"
        throw StoreError(
            .expectationFailed,
            during: "append",
            on: "stream '\(stream)'",
            "the stream is not as expected: \(actual)",
            hint: "Read the stream and decide again; nothing was written"
        )
    }
}
