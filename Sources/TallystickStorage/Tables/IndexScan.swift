import TallystickCore
package import TallystickSQLite

/// Reads an index table in key order, chunk by chunk. If the table has segments, they are merged.
package final class IndexScan {
    /// One part of the table. The statements' columns are the two of the key, the position, and the segment.
    private struct Part {
        let first: Statement
        let rest: Statement
        /// The statement being read.
        var rows: Statement
    }

    private let table: IndexTable
    private let connection: Connection
    private let isSegmented: Bool
    private let head: Statement
    private let segments: Statement?
    private var parts: [Part] = []
    /// By part: the first eight bytes of its row's key, which settle most comparisons.
    private var prefixes: [UInt64] = []
    /// Numbers of the parts that have a row, as a binary heap: the smallest key first.
    private var heap: [Int] = []

    package init(_ table: IndexTable, isSegmented: Bool, in connection: Connection)
        throws(SQLiteError)
    {
        self.table = table
        self.isSegmented = isSegmented
        self.connection = connection
        head = try connection.prepare("SELECT coalesce(max(position), 0) FROM events")
        // Each step is one search of the index.
        segments =
            isSegmented
            ? try connection.prepare(
                """
                WITH RECURSIVE present (segment) AS (
                    SELECT min(segment) FROM \(table.rawValue) WHERE segment >= 0
                    UNION ALL
                    SELECT (SELECT min(i.segment) FROM \(table.rawValue) AS i
                        WHERE i.segment > present.segment)
                    FROM present
                    WHERE segment IS NOT NULL)
                SELECT segment FROM present WHERE segment <= ?1 LIMIT \(Self.mostParts)
                """
            ) : nil
    }

    /// More segments than this, which would hold 17 billion positions, are not read.
    private static let mostParts = 65_536

    /// Calls `body` with the rows after a key.
    ///
    /// - parameter key: empty for the table's beginning.
    /// - parameter body: called with a row, the last position of `events` at that moment, and whether the previous
    ///   row had the same key.
    /// - returns: the key of the last row; nil after the table's last row.
    package func scan(
        after key: [SQLValue],
        _ body: (_ row: Statement, _ head: Int64, _ isRepeated: Bool) -> Void
    ) throws(SQLiteError) -> [SQLValue]? {
        let head = try head.optionalInt64() ?? 0
        try begin(after: key, head: head)
        var count = 0
        var isRepeated = false
        while let part = heap.first {
            let rows = parts[part].rows
            body(rows, head, isRepeated)
            count += 1
            isRepeated = isRepeatedNext(after: part)
            if count >= StrayRows.chunk, !isRepeated {
                let last = [rows.value(at: 0), rows.value(at: 1)]
                for part in parts { try part.rows.reset() }
                return last
            }
            try advance(part, rows)
        }
        for part in parts { try part.rows.reset() }
        return nil
    }

    private func begin(after key: [SQLValue], head: Int64) throws(SQLiteError) {
        let present = try presentSegments(head: head)
        while parts.count < present.count {
            parts.append(try prepare())
            prefixes.append(0)
        }
        heap = []
        for (part, segment) in present.enumerated() {
            let rows = key.count == 2 ? parts[part].rest : parts[part].first
            if key.count == 2 {
                try rows.bind(key[0], at: 1)
                try rows.bind(key[1], at: 2)
            }
            if isSegmented { try rows.bind(segment, at: 3) }
            parts[part].rows = rows
            guard try rows.step() else { continue }
            prefixes[part] = prefix(rows)
            heap.append(part)
            rise(heap.count - 1)
        }
    }

    /// The segments that have rows; one if the table has no segments.
    private func presentSegments(head: Int64) throws(SQLiteError) -> [Int64] {
        guard let segments else { return [0] }
        var present: [Int64] = []
        try segments.bind(IdentityIndex.segment(of: max(1, head)), at: 1)
        while try segments.step() {
            let segment = segments.int64(at: 0)
            // A damaged index may lead back to where it was.
            if let last = present.last, segment <= last { break }
            present.append(segment)
        }
        try segments.reset()
        return present
    }

    private func prepare() throws(SQLiteError) -> Part {
        let (a, b) = (table.key.first, table.key.second)
        func scan(_ conditions: [String]) throws(SQLiteError) -> Statement {
            let conditions = conditions + (isSegmented ? ["segment = ?3"] : [])
            return try connection.prepare(
                """
                SELECT \(a), \(b), position, \(isSegmented ? "segment" : "NULL")
                FROM \(table.rawValue)
                \(conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND "))
                ORDER BY \(a), \(b)
                """
            )
        }
        let first = try scan([])
        return Part(first: first, rest: try scan(["(\(a), \(b)) > (?1, ?2)"]), rows: first)
    }

    // MARK: Merging

    /// Steps a part, which is the first of the heap.
    private func advance(_ part: Int, _ rows: Statement) throws(SQLiteError) {
        if try rows.step() {
            prefixes[part] = prefix(rows)
        } else if let last = heap.popLast(), last != part {
            heap[0] = last
        }
        if heap.count > 1 { sink(0) }
    }

    /// Whether the next row has the same key as the heap's first one.
    private func isRepeatedNext(after first: Int) -> Bool {
        guard heap.count > 1 else { return false }
        let next = heap.count > 2 && isLess(heap[2], heap[1]) ? heap[2] : heap[1]
        guard prefixes[first] == prefixes[next] else { return false }
        let (a, b) = (parts[first].rows, parts[next].rows)
        return a.int64(at: 1) == b.int64(at: 1) && a.bytes(at: 0).isEqual(to: b.bytes(at: 0))
    }

    private func rise(_ start: Int) {
        var place = start
        while place > 0, isLess(heap[place], heap[(place - 1) / 2]) {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private func sink(_ start: Int) {
        var place = start
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < heap.count && isLess(heap[child], heap[least]) {
                least = child
            }
            if least == place { return }
            heap.swapAt(place, least)
            place = least
        }
    }

    private func isLess(_ left: Int, _ right: Int) -> Bool {
        let (prefix, other) = (prefixes[left], prefixes[right])
        if prefix != other { return prefix < other }
        let (a, b) = (parts[left].rows, parts[right].rows)
        let order = a.bytes(at: 0).order(to: b.bytes(at: 0))
        return order == 0 ? a.int64(at: 1) < b.int64(at: 1) : order < 0
    }

    /// Empty if the table has a single part, whose rows are not compared with others.
    private func prefix(_ row: Statement) -> UInt64 {
        isSegmented ? row.bytes(at: 0).bigEndianPrefix : 0
    }
}
