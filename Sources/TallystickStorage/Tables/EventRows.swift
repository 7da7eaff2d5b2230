package import TallystickCore
package import TallystickSQLite

/// Adds rows to `events` and to the two index tables that enforce identity and revision.
package struct EventStatements {
    package let event: Statement
    package let identity: Statement
    package let revision: Statement

    package init(in connection: Connection) throws(SQLiteError) {
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
package enum EventColumn {
    package static let list = """
        e.position, e.source_id, e.event_id, e.stream_id, e.revision, e.type_id, e.category_id,
        e.origin_id, e.recorded_at, e.checksum_algorithm, e.checksum_key_id, e.checksum,
        e.subject, e.time, e.data_content_type, e.attributes, e.delivery_attributes, e.data
        """

    package static let position: Int32 = 0
    package static let source: Int32 = 1
    package static let id: Int32 = 2
    package static let stream: Int32 = 3
    package static let revision: Int32 = 4
    package static let type: Int32 = 5
    package static let category: Int32 = 6
    package static let origin: Int32 = 7
    package static let recordedAt: Int32 = 8
    package static let checksumAlgorithm: Int32 = 9
    package static let checksumKeyID: Int32 = 10
    package static let checksum: Int32 = 11
    package static let subject: Int32 = 12
    package static let time: Int32 = 13
    package static let dataContentType: Int32 = 14
    package static let attributes: Int32 = 15
    package static let deliveryAttributes: Int32 = 16
    package static let data: Int32 = 17
    package static let count: Int32 = 18
}

/// The algorithms' names as bytes that stay in place.
package struct AlgorithmNames {
    private static let crc32: StaticString = "crc32"
    private static let sha256: StaticString = "sha256"
    private static let hmac: StaticString = "hmac-sha256"

    package init() {}

    @inline(__always)
    package func bytes(_ algorithm: ChecksumAlgorithm) -> UnsafeRawBufferPointer {
        let name =
            switch algorithm {
            case .crc32: Self.crc32
            case .sha256: Self.sha256
            case .hmacSHA256: Self.hmac
            }
        return UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    }
}
