public import TallystickCore
import TallystickSQLite

/// An event as served by the store, after its content was verified against its checksum, its proof, and the decision
/// on it.
public struct StoredEvent: Sendable, Equatable {
    /// The origin of the content.
    public enum State: String, Sendable {
        /// The event as appended; there is no disagreement.
        case recorded
        /// The event as appended, while a conflict on it is open.
        case disputed
        /// The content that one origin delivered, chosen by a resolution.
        case resolved
        /// Content composed by a resolution.
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
    /// When the first copy was recorded.
    public var recordedAt: Timestamp
    /// The id that its producer gave it; unique within its source.
    public var id: String
    /// Its producer (CloudEvents `source`).
    public var source: String
    /// Its type (CloudEvents `type`).
    public var type: String
    /// Its subject (CloudEvents `subject`); nil if none was given.
    public var subject: String?
    /// RFC 3339, as given.
    public var time: String?
    /// The media type of the data (CloudEvents `datacontenttype`); nil if none was given.
    public var dataContentType: String?
    /// All other context attributes as a canonical JSON object; nil if there are none.
    public var attributes: String?
    /// The event's payload; nil if it has none.
    public var data: EventData?
    /// The event in canonical form: a CloudEvent (JSON) without delivery attributes.
    public var content: [UInt8]
    /// Whether the content is the event as appended, and otherwise, where it comes from.
    public var state: State
    /// The resolution that determines the content; nil for the event as appended.
    public var resolutionID: Int64?
    /// `crc32`, `sha256` or `hmac-sha256`.
    public var checksumAlgorithm: String
    /// The key of an HMAC; nil for other checksums.
    public var checksumKeyID: String?
    /// Of the content, in lower-case hexadecimal.
    public var checksum: String
    /// The number of deliveries of the event that are kept, including the first; nil in a replay, where it would
    /// depend on the moment.
    public var copies: Int64?
    /// The newest conflict on the event; nil for none, and in a replay.
    public var conflictID: Int64?
}

extension StoredEvent {
    /// The data as an SQL value: JSON as text, binary data as a blob, NULL for none.
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
        recordedAt = Timestamp(microseconds: row.int64(at: EventColumn.recordedAt))
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
