import TallystickCore
import TallystickSQLite

/// Compares derived data with its sources: index tables, states, dictionaries.
final class DerivedVerifier {
    private let indexes: [IndexTable: IndexRows]
    private let states: DerivedStates
    private let stray: StrayRows

    init(in connection: Connection, _ states: DerivedStates) throws {
        var indexes: [IndexTable: IndexRows] = [:]
        for table in IndexTable.allCases {
            indexes[table] = try IndexRows(table, in: connection)
        }
        self.indexes = indexes
        self.states = states
        stray = StrayRows(in: connection)
    }

    // MARK: Index tables

    /// Adds up the rows of an index table after a key, for events in a range of positions.
    ///
    /// - returns: the key from which to continue; nil at the end.
    func addUp(
        _ table: IndexTable,
        after key: [SQLValue],
        positions: Range<Int64>,
        _ sums: KeySums,
        _ sum: inout UInt64,
        _ report: inout VerifyReport
    ) throws -> [SQLValue]? {
        if key.isEmpty { try findOutside(table, &report) }
        return try indexes[table]?.scan(after: key) { row, head, isRepeated in
            let position = row.int64(at: 2)
            let isTyped = Self.isTyped(row, table)
            if isRepeated { report.add(Self.repeated(table, position)) }
            if isTyped, positions.contains(position) {
                sum &+=
                    table == .identities
                    ? sums.identity(row.bytes(at: 0), row.int64(at: 1), position)
                    : sums.revision(row.int64(at: 0), row.int64(at: 1), position)
            } else if !isTyped || position < 1 || position > head {
                report.add(Self.stray(table, position))
            }
        }
    }

    private static func isTyped(_ row: Statement, _ table: IndexTable) -> Bool {
        row.columnType(at: 0) == table.key.type && row.columnType(at: 1) == .integer
            && row.columnType(at: 2) == .integer
            && (row.isNull(at: 3)
                || row.int64(at: 3) == IdentityIndex.segment(of: row.int64(at: 2)))
    }

    /// Reports rows of an index table in segments without positions.
    private func findOutside(_ table: IndexTable, _ report: inout VerifyReport) throws {
        let segment = IdentityIndex.segment(of: max(1, try stray.last("position", of: "events")))
        for row in try indexes[table]?.outside(through: segment) ?? [] {
            guard case .integer(let position) = row[2] else { continue }
            report.add(Self.stray(table, position))
        }
    }

    private static func repeated(
        _ table: IndexTable,
        _ position: Int64
    ) -> VerifyFinding {
        .init(
            record: "\(table.rawValue) for position \(position)",
            position: position,
            finding: .index,
            expected: "an identity that no other event has",
            actual: "another position has it too"
        )
    }

    /// Reports events in a range that have no row in an index table.
    func findUnindexed(
        _ table: IndexTable,
        after first: Int64,
        through last: Int64,
        _ report: inout VerifyReport
    ) throws {
        for position in try indexes[table]?.unindexed(after: first, through: last) ?? [] {
            report.add(
                .init(
                    record: "\(table.rawValue) for position \(position)",
                    position: position,
                    finding: .index,
                    expected: "a row that fits the event",
                    actual: "no such row"
                )
            )
        }
    }

    /// Reports rows of an index table after a key that match no event.
    ///
    /// - returns: the key from which to continue; nil at the end.
    func findStray(
        _ table: IndexTable,
        after key: [SQLValue],
        _ report: inout VerifyReport
    ) throws -> [SQLValue]? {
        guard let index = indexes[table] else { return nil }
        var keys: [[SQLValue]] = []
        let next = try index.scan(after: key) { row, _, _ in keys.append(IndexRows.values(row)) }
        for key in keys where try index.isStray(key) {
            guard case .integer(let position) = key[2] else { continue }
            report.add(Self.stray(table, position))
        }
        return next
    }

    private static func stray(_ table: IndexTable, _ position: Int64) -> VerifyFinding {
        .init(
            record: "\(table.rawValue) for position \(position)",
            position: position,
            finding: .index,
            expected: "an event that fits the row",
            actual: "a row without its event"
        )
    }

    // MARK: States

    /// Compares states from a key onwards.
    ///
    /// - returns: the key from which to continue; nil at the end.
    func check(
        _ table: StateTable,
        from key: Int64,
        _ report: inout VerifyReport
    ) throws -> Int64? {
        let keys = try states.keys(of: table, from: key)
        for key in keys {
            guard let difference = try states.difference(in: table, at: key) else { continue }
            report.add(
                .init(
                    record: "\(table.rawValue) \(key)",
                    position: table == .effective ? key : nil,
                    finding: .derived,
                    expected: Self.text(difference.expected, beside: difference.stored),
                    actual: Self.text(difference.stored, beside: difference.expected)
                )
            )
        }
        guard keys.count == StrayRows.chunk, let last = keys.last, last < .max else { return nil }
        return last + 1
    }

    /// The columns in which two states differ; contents stay out of reports.
    private static func text(
        _ state: DerivedStates.Columns?,
        beside other: DerivedStates.Columns?
    ) -> String {
        guard let state else { return "no row" }
        guard let other, other.count == state.count else { return "a row" }
        let differing = zip(state, other).filter { $0.0.value != $0.1.value }.map { pair in
            switch pair.0.value {
            case .integer(let number): "\(pair.0.name) \(number)"
            case .null: "\(pair.0.name) NULL"
            case .text(let text) where pair.0.name == "state": "state \(text)"
            default: "\(pair.0.name) (another value)"
            }
        }
        return differing.joined(separator: ", ")
    }

    // MARK: Dictionaries

    /// Finds unused names among the ids from `id` up to `last`.
    ///
    /// - parameter used: nil if not known: then only the types of the names are checked.
    /// - returns: the id from which to continue; nil at the end.
    func checkNames(
        of dictionary: NameDictionary,
        from id: Int64,
        through last: Int64,
        used: IDSet?,
        _ report: inout VerifyReport
    ) throws -> Int64? {
        let names = try stray.names(of: dictionary, from: id)
        for name in names where name.id <= last {
            let isUsed = used?.contains(name.id) ?? (1..<IDSet.limit).contains(name.id)
            if name.isText && isUsed { continue }
            report.add(
                .init(
                    record: "\(dictionary.table) \(name.id)",
                    finding: .derived,
                    expected: name.isText ? "a row that uses the name" : "a TEXT",
                    actual: name.isText ? "none" : "another type"
                )
            )
        }
        guard names.count == StrayRows.chunk, let end = names.last?.id, end < last else {
            return nil
        }
        return end + 1
    }
}

/// Hashes of keys of index tables, whose sums do not depend on their order.
struct KeySums: Sendable {
    let hash: ByteSum

    @inline(__always)
    func identity(_ id: UnsafeRawBufferPointer, _ source: Int64, _ position: Int64) -> UInt64 {
        hash.hash(id, UInt64(bitPattern: source), UInt64(bitPattern: position))
    }

    @inline(__always)
    func revision(_ stream: Int64, _ revision: Int64, _ position: Int64) -> UInt64 {
        withUnsafeBytes(of: (stream, revision)) { hash.hash($0, 1, UInt64(bitPattern: position)) }
    }
}
