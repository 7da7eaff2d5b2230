import TallystickCore
import TallystickSQLite

/// Checks and repairs the list of the identity index's segments and their filters.
struct SegmentVerifier {
    private let connection: Connection
    /// nil for a store of a schema without segments.
    private let rows: SegmentRows?

    init(in connection: Connection) throws(SQLiteError) {
        self.connection = connection
        rows = try SegmentRows(in: connection)
    }

    /// Checks one segment in several short read transactions: one is open on entry, and one on return.
    ///
    /// - parameter segment: `.min` for the beginning.
    /// - parameter end: the last segment to check. Not taken from the rows, because a damaged position may be any
    ///   number.
    /// - returns: the next segment; nil after the last.
    func check(
        _ segment: Int64,
        through end: Int64,
        _ report: inout VerifyReport
    ) throws -> Int64? {
        guard let rows else { return nil }
        let last = try rows.last()
        if segment < 0 {
            for stray in try rows.strays(after: max(last, end)) {
                report.add(Self.finding(stray, "no row", "a row"))
            }
        }
        let segment = max(0, segment)
        guard segment <= end else { return nil }
        if let filter = try rows.filter(of: segment) {
            if filter.isMade, try segment >= last || !matchesFilter(filter.bytes, segment, rows) {
                report.add(Self.finding(segment, "the filter of its identities", "another"))
            }
        } else {
            report.add(Self.finding(segment, "a row", "no row"))
        }
        return segment < end ? segment + 1 : nil
    }

    private func matchesFilter(_ bytes: [UInt8], _ segment: Int64, _ rows: SegmentRows) throws
        -> Bool
    {
        var filter = IdentityFilter()
        var place: SegmentRows.Place? = SegmentRows.Place()
        while let start = place {
            place = try rows.add(segment, after: start, to: &filter)
            // A complete segment no longer changes.
            try connection.renewSnapshot()
        }
        return filter.bytes == bytes
    }

    private static func finding(
        _ segment: Int64,
        _ expected: String,
        _ actual: String
    ) -> VerifyFinding {
        .init(
            record: "identity_segments \(segment)",
            finding: .derived,
            expected: expected,
            actual: actual
        )
    }

    /// The correct values of a segment's row.
    enum Change {
        case remove(Int64)
        case store(Int64, IdentityFilter?)
    }

    /// Finds errors in the segments' rows.
    ///
    /// - parameter mend: called for one row after another; must correct it.
    func repair(_ mend: (Change) throws -> Void) throws {
        guard let rows else { return }
        let last = try rows.last()
        var strays = try rows.strays(after: last)
        while !strays.isEmpty {
            for stray in strays { try mend(.remove(stray)) }
            strays = try rows.strays(after: last)
        }
        for segment in 0..<max(0, last + 1) {
            guard let stored = try rows.filter(of: segment) else {
                try mend(.store(segment, nil))
                continue
            }
            guard stored.isMade else { continue }
            // The last one gets its filter when it is complete.
            let made = segment < last ? try rows.madeFilter(of: segment) : nil
            if made?.bytes != stored.bytes { try mend(.store(segment, made)) }
        }
    }

    func apply(_ change: Change) throws(SQLiteError) {
        switch change {
        case .remove(let segment): try rows?.removeRow(of: segment)
        case .store(let segment, let filter): try rows?.store(segment, filter)
        }
    }
}
