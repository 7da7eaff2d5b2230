package import TallystickCore
package import TallystickSQLite

/// The list of the identity index's segments.
package struct SegmentRows {
    private let lastPosition: Statement
    private let one: Statement
    private let strays: Statement
    private let identities: Statement
    private let set: Statement
    private let remove: Statement

    /// - returns: nil for a store of a schema without segments.
    package init?(in connection: Connection) throws(SQLiteError) {
        guard try IdentityIndex.isSegmented(in: connection) else { return nil }
        lastPosition = try connection.prepare("SELECT coalesce(max(position), 0) FROM events")
        one = try connection.prepare("SELECT filter FROM identity_segments WHERE segment = ?1")
        strays = try connection.prepare(
            """
            SELECT segment
            FROM identity_segments
            WHERE segment < 0 OR segment > ?1
            LIMIT \(StrayRows.listed)
            """
        )
        identities = try connection.prepare(
            """
            SELECT event_id, source_id
            FROM event_identities
            WHERE segment = ?1 AND (event_id, source_id) > (?2, ?3)
            ORDER BY event_id, source_id
            LIMIT \(StrayRows.chunk)
            """
        )
        set = try connection.prepare(
            "INSERT OR REPLACE INTO identity_segments (segment, filter) VALUES (?1, ?2)"
        )
        remove = try connection.prepare("DELETE FROM identity_segments WHERE segment = ?1")
    }

    /// The last segment that has positions; -1 in an empty store.
    package func last() throws(SQLiteError) -> Int64 {
        let position = try lastPosition.optionalInt64() ?? 0
        return position > 0 ? IdentityIndex.segment(of: position) : -1
    }

    /// A segment's filter, which may be NULL; nil if the segment has no row.
    package func filter(of segment: Int64) throws(SQLiteError) -> (isMade: Bool, bytes: [UInt8])? {
        try one.bind(segment, at: 1)
        return try one.first { (isMade: !$0.isNull(at: 0), bytes: $0.blob(at: 0)) }
    }

    /// Rows of segments that do not exist; at most `StrayRows.listed`.
    package func strays(after last: Int64) throws(SQLiteError) -> [Int64] {
        try strays.bind(last, at: 1)
        return try strays.all { $0.int64(at: 0) }
    }

    /// A place in a segment.
    package struct Place {
        fileprivate var id: SQLValue = .text("")
        fileprivate var source: SQLValue = .integer(.min)

        package init() {}

        fileprivate init(id: SQLValue, source: SQLValue) { (self.id, self.source) = (id, source) }
    }

    /// Adds some of a segment's identities to a filter.
    ///
    /// - returns: where to continue; nil at the end.
    package func add(
        _ segment: Int64,
        after place: Place,
        to filter: inout IdentityFilter
    ) throws(SQLiteError) -> Place? {
        try identities.bind(segment, at: 1)
        try identities.bind(place.id, at: 2)
        try identities.bind(place.source, at: 3)
        var count = 0
        var last: Place?
        while try identities.step() {
            let checksum = CRC32.checksum(identities.bytes(at: 0))
            let source = identities.int64(at: 1)
            filter.insert(IdentityFilter.hash(idChecksum: checksum, source: source))
            count += 1
            if count == StrayRows.chunk {
                last = Place(id: identities.value(at: 0), source: identities.value(at: 1))
            }
        }
        try identities.reset()
        return last
    }

    /// The filter for a segment's identities.
    package func madeFilter(of segment: Int64) throws(SQLiteError) -> IdentityFilter {
        var filter = IdentityFilter()
        var place: Place? = Place()
        while let start = place { place = try add(segment, after: start, to: &filter) }
        return filter
    }

    /// Writes a segment's row, with or without a filter.
    package func store(_ segment: Int64, _ filter: IdentityFilter?) throws(SQLiteError) {
        try set.bind(segment, at: 1)
        if let filter {
            try set.bindBlob(filter.bytes, at: 2)
        } else {
            try set.bindNull(at: 2)
        }
        try set.run()
    }

    package func removeRow(of segment: Int64) throws(SQLiteError) {
        try remove.bind(segment, at: 1)
        try remove.run()
    }
}
