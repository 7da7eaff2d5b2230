import TallystickCore
package import TallystickSQLite

/// Finds events by their identity, and makes the filters that avoid most searches.
///
/// The index has one part for each segment of positions. Rows are added only to the last one, so that the work for
/// a batch does not grow with the store. To determine whether an identity is new, all the others are searched,
/// their filters first.
package final class IdentityIndex {
    /// The segment of a position.
    package static func segment(of position: Int64) -> Int64 {
        (position &- 1) >> Int64(IdentityFilter.capacity.trailingZeroBitCount)
    }

    /// The same in SQL.
    package static func segment(_ position: String) -> String {
        "(\(position) - 1) >> \(IdentityFilter.capacity.trailingZeroBitCount)"
    }

    /// The first schema in which the index has segments.
    private static let firstSchema = 4

    /// Whether a store's index has segments: an index of an older schema is read as it is.
    package static func isSegmented(in connection: Connection) throws(SQLiteError) -> Bool {
        try StoreSchema.version(of: connection) >= firstSchema
    }

    /// An identity to look for.
    package struct Key {
        package var id: UnsafeRawBufferPointer
        package var source: Int64
        /// By `IdentityFilter.hash`.
        package var hash: UInt64

        package init(id: UnsafeRawBufferPointer, source: Int64, hash: UInt64) {
            self.id = id
            self.source = source
            self.hash = hash
        }
    }

    /// Searching for fewer identities than this is faster than reading a filter.
    package static let worthFilter = 256

    private let find: Statement
    private let segments: Statement
    private let addSegment: Statement
    private let unfiltered: Statement
    private let rows: SegmentRows?

    package init(in connection: Connection) throws(SQLiteError) {
        find = try connection.prepare(
            """
            SELECT position
            FROM event_identities
            WHERE segment = ?1 AND event_id = ?2 AND source_id = ?3
            """
        )
        segments = try connection.prepare(
            """
            SELECT segment, filter
            FROM identity_segments
            WHERE segment < ?1
            ORDER BY segment DESC
            """
        )
        addSegment = try connection.prepare(
            "INSERT INTO identity_segments (segment) VALUES (?1) ON CONFLICT DO NOTHING"
        )
        unfiltered = try connection.prepare(
            "SELECT segment FROM identity_segments WHERE segment < ?1 AND filter IS NULL LIMIT 1"
        )
        rows = try SegmentRows(in: connection)
    }

    /// Makes room for the events of a range of positions.
    package func addSegments(for positions: ClosedRange<Int64>) throws {
        let first = Self.segment(of: positions.lowerBound)
        for segment in first...Self.segment(of: positions.upperBound) {
            try addSegment.bind(segment, at: 1)
            try addSegment.run()
        }
    }

    /// Finds identities in segments, the newest one first.
    ///
    /// - parameter keys: preferably in order of their ids, like the index.
    /// - parameter end: the segment after the last one that is searched.
    /// - parameter body: called with the number of a found key and the event's position; returns false to end the
    ///   search.
    package func find(
        _ keys: [Key],
        before end: Int64,
        _ body: (_ key: Int, _ position: Int64) -> Bool
    ) throws {
        guard end > 0, !keys.isEmpty else { return }
        var search = Search(keys: keys)
        try segments.bind(end, at: 1)
        do {
            while try !search.isOver && segments.step() { try searchSegment(&search, body) }
        } catch {
            // The error is already reported; the reset only repeats it.
            try? segments.reset()
            throw error
        }
        try segments.reset()
        guard search.isOver || search.segments == end else {
            throw StoreError(
                .integrity,
                during: "look an event up",
                on: "identity_segments",
                "the index of identities lacks a segment",
                hint: "Run 'tally verify --repair-derived'"
            )
        }
    }

    /// The progress of a search.
    private struct Search {
        let keys: [Key]
        /// Numbers of the keys that have not been found yet.
        var left: [Int]
        var segments: Int64 = 0
        var isEnded = false

        init(keys: [Key]) {
            self.keys = keys
            left = Array(keys.indices)
        }

        var isOver: Bool { isEnded || left.isEmpty }
    }

    /// Searches the current segment of `segments`.
    private func searchSegment(
        _ search: inout Search,
        _ body: (_ key: Int, _ position: Int64) -> Bool
    ) throws(SQLiteError) {
        search.segments += 1
        try find.bind(segments.int64(at: 0), at: 1)
        let filter = search.left.count < Self.worthFilter ? nil : segments.bytes(at: 1)
        var rest: [Int] = []
        rest.reserveCapacity(search.left.count)
        for number in search.left {
            let key = search.keys[number]
            if let filter, !IdentityFilter.mayContain(key.hash, in: filter) {
                rest.append(number)
            } else if let position = try position(of: key) {
                guard body(number, position) else {
                    search.isEnded = true
                    return
                }
            } else {
                rest.append(number)
            }
        }
        search.left = rest
    }

    /// The position of an identity in the segment that is bound.
    private func position(of key: Key) throws(SQLiteError) -> Int64? {
        try find.bindText(key.id, at: 2, copy: false)
        try find.bind(key.source, at: 3)
        let position = try find.step() ? find.int64(at: 0) : nil
        try find.reset()
        return position
    }

    /// Makes the filter of one complete segment that has none.
    ///
    /// - parameter current: the segment to which rows are being added.
    package func makeFilter(before current: Int64) throws {
        guard current > 0 else { return }
        try unfiltered.bind(current, at: 1)
        guard let segment = try unfiltered.optionalInt64() else { return }
        try rows?.store(segment, rows?.madeFilter(of: segment))
    }
}
