import TallystickCore
import TallystickSQLite

/// Adds rows to `events` and to the two index tables that enforce identity and revision.
struct EventInsertion {
    let event: Statement
    let identity: Statement
    let revision: Statement

    init(in connection: Connection) throws(SQLiteError) {
        event = try connection.prepare(
            """
            INSERT INTO events (
                position, source_id, event_id, stream_id, revision, type_id, category_id, origin_id,
                recorded_at, checksum_algorithm, checksum_key_id, checksum, subject, time,
                data_content_type, attributes, delivery_attributes, data)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
            """
        )
        identity = try connection.prepare(
            """
            INSERT INTO event_identities (segment, event_id, source_id, position)
            VALUES (?4, ?1, ?2, ?3)
            ON CONFLICT DO NOTHING
            """
        )
        revision = try connection.prepare(
            """
            INSERT INTO stream_revisions (stream_id, revision, position)
            VALUES (?1, ?2, ?3)
            """
        )
    }
}

/// The columns of `events` in the order in which every reader of whole rows selects them.
enum EventColumn {
    static let list = """
        e.position, e.source_id, e.event_id, e.stream_id, e.revision, e.type_id, e.category_id,
        e.origin_id, e.recorded_at, e.checksum_algorithm, e.checksum_key_id, e.checksum,
        e.subject, e.time, e.data_content_type, e.attributes, e.delivery_attributes, e.data
        """

    static let position: Int32 = 0
    static let source: Int32 = 1
    static let id: Int32 = 2
    static let stream: Int32 = 3
    static let revision: Int32 = 4
    static let type: Int32 = 5
    static let category: Int32 = 6
    static let origin: Int32 = 7
    static let recordedAt: Int32 = 8
    static let checksumAlgorithm: Int32 = 9
    static let checksumKeyID: Int32 = 10
    static let checksum: Int32 = 11
    static let subject: Int32 = 12
    static let time: Int32 = 13
    static let dataContentType: Int32 = 14
    static let attributes: Int32 = 15
    static let deliveryAttributes: Int32 = 16
    static let data: Int32 = 17
    static let count: Int32 = 18
}

/// The algorithms' names as bytes that stay in place.
struct AlgorithmNames {
    private static let crc32: StaticString = "crc32"
    private static let sha256: StaticString = "sha256"
    private static let hmac: StaticString = "hmac-sha256"

    @inline(__always)
    func bytes(_ algorithm: ChecksumAlgorithm) -> UnsafeRawBufferPointer {
        let name =
            switch algorithm {
            case .crc32: Self.crc32
            case .sha256: Self.sha256
            case .hmacSHA256: Self.hmac
            }
        return UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    }
}
