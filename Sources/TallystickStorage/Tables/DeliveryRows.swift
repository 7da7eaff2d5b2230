package import TallystickCore
package import TallystickSQLite

/// Reads who delivered which event, in order of position: each event as appended, then its further copies in order
/// of arrival.
package final class DeliveryRows {
    /// An event, as far as deliveries are compared.
    package struct Event {
        package var position: Int64
        package var sourceID: Int64
        package var streamID: Int64
        package var typeID: Int64
        package var categoryID: Int64
        package var originID: Int64
        package var recordedAt: Int64
        /// Microseconds since 1970 of the event's own time; nil where it has none, or none in RFC 3339.
        package var time: Int64?
    }

    /// A further copy of the event before it.
    package struct Copy {
        package var copyID: Int64
        package var originID: Int64
        /// nil where the copy has the bytes of the event as appended.
        package var contentDigest: SHA256Digest?
    }

    /// Events that are read at a time.
    private static let chunk: Int64 = 20_000

    private let events: Statement
    private let copies: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        events = try connection.prepare(
            """
            SELECT position, source_id, stream_id, type_id, category_id, origin_id, recorded_at, time
            FROM events
            WHERE position > ?1 AND position <= ?2
            ORDER BY position
            """
        )
        copies = try connection.prepare(
            """
            SELECT position, copy_id, origin_id,
                CASE WHEN content IS NOT NULL THEN content_sha256 END
            FROM copies
            WHERE position > ?1 AND position <= ?2
            ORDER BY position, copy_id
            """
        )
    }

    /// Calls `event` with each event after a position up to another, and `copy` with each further copy of the event
    /// before.
    ///
    /// - parameter pause: called between chunks, with the position up to which all was read.
    package func forEach(
        after first: Int64 = 0,
        through last: Int64,
        event: (Event) throws -> Void,
        copy: (Copy) throws -> Void,
        pause: (Int64) throws -> Void = { _ in }
    ) throws {
        var position = first
        while position < last {
            let end = min(last, position + Self.chunk)
            for statement in [events, copies] {
                try statement.bind(position, at: 1)
                try statement.bind(end, at: 2)
            }
            var hasCopy = try copies.step()
            while try events.step() {
                let current = events.int64(at: 0)
                try event(Self.event(events))
                while hasCopy, copies.int64(at: 0) <= current {
                    if copies.int64(at: 0) == current { try copy(Self.copy(copies)) }
                    hasCopy = try copies.step()
                }
            }
            try events.reset()
            try copies.reset()
            position = end
            try pause(position)
        }
    }

    private static func event(_ row: Statement) -> Event {
        Event(
            position: row.int64(at: 0),
            sourceID: row.int64(at: 1),
            streamID: row.int64(at: 2),
            typeID: row.int64(at: 3),
            categoryID: row.int64(at: 4),
            originID: row.int64(at: 5),
            recordedAt: row.int64(at: 6),
            time: row.isNull(at: 7)
                ? nil : row.withBytes(at: 7) { RFC3339Instant($0)?.microseconds }
        )
    }

    private static func copy(_ row: Statement) -> Copy {
        Copy(
            copyID: row.int64(at: 1),
            originID: row.int64(at: 2),
            contentDigest: row.isNull(at: 3)
                ? nil : row.withBytes(at: 3) { SHA256Digest(bytes: $0) ?? .zero }
        )
    }
}
