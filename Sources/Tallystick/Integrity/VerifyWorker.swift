import TallystickCore
import TallystickSQLite

/// Does pieces of a verification, on a connection of its own: each in one short read transaction.
final class VerifyWorker {
    private let connection: Connection
    private let reader: EventRowReader
    private let events: EventVerifier
    private let tiles: TileVerifier
    private let copies: CopyVerifier
    private let audit: AuditVerifier
    private let derived: DerivedVerifier
    private let sums: KeySums
    private let indexed: Range<Int64>

    /// - parameter indexed: positions whose index rows are added up.
    init(
        _ path: String,
        _ options: StoreOptions,
        _ sums: KeySums,
        indexed: Range<Int64>
    ) throws {
        self.sums = sums
        self.indexed = indexed
        connection = try StoreFile.openForReading(path, options)
        // Rows are read once, in their order: a small cache stays in the processor's.
        try connection.execute("PRAGMA cache_size = -2048")
        reader = try EventRowReader(in: connection)
        let states = DerivedStates(in: connection, try EventRowReader(in: connection))
        events = try EventVerifier(in: connection, reader, options.checksummer, sums)
        tiles = try TileVerifier(in: connection)
        copies = try CopyVerifier(in: connection, reader)
        audit = try AuditVerifier(in: connection, states)
        derived = try DerivedVerifier(in: connection, states)
    }

    /// The ids of a dictionary that the rows read so far use.
    func usedNames(_ dictionary: Dictionary) -> IDSet {
        var used = reader.used(dictionary)
        if dictionary == .origins { used.formUnion(copies.origins) }
        return used
    }

    /// Does one piece.
    ///
    /// - returns: where a keyed lane goes on; nil at its end.
    func run(
        _ chunk: VerifyLanes.Chunk,
        _ report: inout VerifyReport,
        _ differences: inout [IndexTable: UInt64]
    ) throws -> [SQLValue]? {
        try connection.begin()
        let next = try check(chunk, &report, &differences)
        try connection.execute("COMMIT")
        return next
    }

    private func check(
        _ chunk: VerifyLanes.Chunk,
        _ report: inout VerifyReport,
        _ differences: inout [IndexTable: UInt64]
    ) throws -> [SQLValue]? {
        let first: Int64 = if case .integer(let key) = chunk.key.first { key } else { .min }
        func key(_ next: Int64?) -> [SQLValue]? { next.map { [.integer($0)] } }
        switch chunk.lane {
        case .index(let table):
            var sum: UInt64 = 0
            let next = try derived.addUp(
                table,
                after: chunk.key,
                positions: indexed,
                sums,
                &sum,
                &report
            )
            differences[table] = 0 &- sum
            return next
        case .events:
            let before = (events.identitySum, events.revisionSum)
            try events.check(after: first, through: chunk.last, &report)
            differences[.identities] = events.identitySum &- before.0
            differences[.revisions] = events.revisionSum &- before.1
        case .tiles(let log, let level):
            try tiles.check(log, level: level, first..<chunk.last, &report)
        case .copies: try copies.check(after: first, through: chunk.last, &report)
        case .audit: try audit.check(after: first, through: chunk.last, &report)
        case .strayTiles: return key(try tiles.findStray(from: first, &report))
        case .details(let table):
            return key(try audit.findUncovered(in: table, from: first, &report))
        case .states(let table): return key(try derived.check(table, from: first, &report))
        }
        return nil
    }

    // MARK: When everything was read

    /// Names the rows in which events and an index table differ, as far as there is time, and findings to list.
    func nameDifferences(
        _ table: IndexTable,
        after first: Int64,
        through last: Int64,
        until isOver: () -> Bool,
        _ report: inout VerifyReport
    ) throws {
        let before = report.findingCount
        func isEnough() -> Bool { isOver() || report.findingCount - before >= StrayRows.listed }
        var next = first
        while next < last, !isEnough() {
            let end = min(last, next + VerifyLimits.chunk)
            try derived.findUnindexed(table, after: next, through: end, &report)
            next = end
        }
        var key: [SQLValue]? = []
        while let start = key, !isEnough() {
            key = try derived.findStray(table, after: start, &report)
        }
        guard report.findingCount == before else { return }
        report.add(
            .init(
                record: table.rawValue,
                finding: "index",
                expected: "one row for each event",
                actual: "other rows; the time was used up before they were named"
            )
        )
    }

    /// Finds names that nothing uses.
    func checkNames(
        _ dictionary: Dictionary,
        through last: Int64,
        used: IDSet?,
        until isOver: () -> Bool,
        _ report: inout VerifyReport
    ) throws {
        var next: Int64? = .min
        while let start = next, !isOver() {
            next = try derived.checkNames(
                of: dictionary,
                from: start,
                through: last,
                used: used,
                &report
            )
        }
        if next != nil {
            report.notChecked.append(
                .init(what: dictionary.table, records: last, reason: "the time was used up")
            )
        }
    }
}
