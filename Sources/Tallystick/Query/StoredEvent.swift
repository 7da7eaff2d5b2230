public import TallystickCore
import TallystickSQLite

/// An event as the store serves it, after its content was compared with its checksum, its proof, and the
/// decision over it.
public struct StoredEvent: Sendable, Equatable {
    /// What stands behind the content.
    public enum State: String, Sendable {
        /// The event as appended; nobody disagrees.
        case recorded
        /// The event as appended, while a conflict over it is open.
        case disputed
        /// What one origin delivered, by a resolution.
        case resolved
        /// What a resolution put together.
        case merged
    }

    /// Its place in the log of all events, from 1.
    public var position: Position
    /// The stream to which it was appended.
    public var stream: String
    /// Its place in its stream, from 0.
    public var revision: Revision
    /// The category under which it was classified when it was recorded.
    public var category: String
    /// The delivery path of the first copy.
    public var origin: String
    /// When the first copy was recorded: microseconds since 1970-01-01T00:00:00Z.
    public var recordedAt: Int64
    /// The id that its producer gave it; unique within its source.
    public var id: String
    /// Its producer (CloudEvents `source`).
    public var source: String
    /// Its type (CloudEvents `type`).
    public var type: String
    /// What it is about (CloudEvents `subject`); nil when none was given.
    public var subject: String?
    /// RFC 3339, as it was given.
    public var time: String?
    /// The media type of the data (CloudEvents `datacontenttype`); nil when none was given.
    public var dataContentType: String?
    /// All other context attributes as a canonical JSON object; nil when there are none.
    public var attributes: String?
    /// The event's payload; nil when it has none.
    public var data: EventData?
    /// The event in canonical form: a CloudEvent (JSON) without delivery attributes.
    public var content: [UInt8]
    /// Whether the content is the event as appended, and if not, where it comes from.
    public var state: State
    /// The resolution that says what the content is; nil for the event as appended.
    public var resolutionID: Int64?
    /// `crc32`, `sha256` or `hmac-sha256`.
    public var checksumAlgorithm: String
    /// The key of an HMAC; nil for other checksums.
    public var checksumKeyID: String?
    /// Of the content, in lower-case hexadecimal.
    public var checksum: String
    /// How many deliveries of the event are kept, the first included; nil in a replay, where it would
    /// depend on the moment.
    public var copies: Int64?
    /// The newest conflict over the event; nil for none, and in a replay.
    public var conflictID: Int64?
}

extension StoredEvent {
    /// The data as a value of SQL: JSON as text, binary data as a blob, NULL for none.
    public var sqlData: SQLValue {
        switch data {
        case .json(let bytes): .text(String(decoding: bytes, as: UTF8.self))
        case .binary(let bytes): .blob(bytes)
        case nil: .null
        }
    }

    init(_ event: ReplayedEvent) throws {
        let row = event.row
        let names = try event.names.names(row)
        position = Position(event.position)
        stream = names.stream
        revision = Revision(row.int64(at: EventColumn.revision))
        category = names.category
        origin = names.origin
        recordedAt = row.int64(at: EventColumn.recordedAt)
        id = row.text(at: EventColumn.id)
        source = names.source
        state = .recorded
        checksumAlgorithm = row.text(at: EventColumn.checksumAlgorithm)
        checksumKeyID = row.textIfPresent(at: EventColumn.checksumKeyID)
        checksum = Hex.string(row.bytes(at: EventColumn.checksum))
        if let fields = event.replacement {
            type = fields.type
            subject = fields.subject
            time = fields.time
            dataContentType = fields.dataContentType
            attributes = fields.attributes
            data = EventData(fields.data)
        } else {
            type = names.type
            subject = row.textIfPresent(at: EventColumn.subject)
            time = row.textIfPresent(at: EventColumn.time)
            dataContentType = row.textIfPresent(at: EventColumn.dataContentType)
            attributes = row.textIfPresent(at: EventColumn.attributes)
            data = EventData(row.value(at: EventColumn.data))
        }
        self.content = try event.resolution?.content ?? event.appendedContent()
        guard let resolution = event.resolution else { return }
        state = resolution.decision == Decision.merge.rawValue ? .merged : .resolved
        resolutionID = resolution.resolutionID
        if let algorithm = resolution.checksumAlgorithm, let digest = resolution.checksum {
            (checksumAlgorithm, checksum, checksumKeyID) = (algorithm, digest, nil)
        }
    }
}

extension EventData {
    /// What a column of data holds.
    init?(_ value: SQLValue) {
        switch value {
        case .text(let text): self = .json(text)
        case .blob(let bytes): self = .binary(bytes)
        case .integer, .real, .null: return nil
        }
    }
}
