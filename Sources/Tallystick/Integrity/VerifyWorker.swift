import TallystickCore
import TallystickSQLite

/// Runs pieces of a verification, on its own connection, each in one short read transaction.
final class VerifyWorker {
    private let connection: Connection
    private let reader: EventRowReader
    private let events: EventVerifier
    private let tiles: TileVerifier
    private let copies: CopyVerifier
    private let audit: AuditVerifier
    private let resolutions: ResolutionVerifier
    private let derived: DerivedVerifier
    private let segments: SegmentVerifier
    private let sums: KeySums
    private let indexed: Range<Int64>

    /// - parameter indexed: positions whose index rows are added up.
    init(
        _ path: String,
        _ options: StoreOptions,
        _ demands: ChecksumDemands,
        _ sums: KeySums,
        indexed: Range<Int64>
    ) throws {
        self.sums = sums
        self.indexed = indexed
        connection = try StoreFile.openForReading(path, options)
        // Rows are read once, in order: a small cache fits in the processor's.
        try connection.execute("PRAGMA cache_size = -2048")
        reader = try EventRowReader(in: connection)
        let states = DerivedStates(in: connection, try EventRowReader(in: connection))
        events = try EventVerifier(in: connection, reader, options.checksummer, demands, sums)
        tiles = try TileVerifier(in: connection)
        copies = try CopyVerifier(in: connection, reader)
        audit = try AuditVerifier(in: connection, states)
        resolutions = try ResolutionVerifier(in: connection, reader, options.checksummer, demands)
        derived = try DerivedVerifier(in: connection, states)
        segments = try SegmentVerifier(in: connection)
    }

    /// The ids of a dictionary used by the rows read so far.
    func usedNames(_ dictionary: NameDictionary) -> IDSet {
        var used = reader.used(dictionary)
        if dictionary == .origins { used.formUnion(copies.origins) }
        return used
    }

    /// Runs one piece.
    ///
    /// - returns: where a keyed lane continues; nil at its end.
    func run(
        _ chunk: VerifyLanes.Chunk,
        _ report: inout VerifyReport,
        _ differences: inout [IndexTable: UInt64]
    ) throws -> [SQLValue]? {
        try connection.read { try check(chunk, &report, &differences) }
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
        case .audit:
            try audit.check(after: first, through: chunk.last, &report)
            try resolutions.check(after: first, through: chunk.last, &report)
        case .strayTiles: return key(try tiles.findStray(from: first, &report))
        case .details(let table):
            return key(try audit.findUncovered(in: table, from: first, &report))
        case .states(let table): return key(try derived.check(table, from: first, &report))
        case .segments:
            let end = IdentityIndex.segment(of: indexed.upperBound - 1)
            return key(try segments.check(first, through: end, &report))
        }
        return nil
    }
}
