import TallystickCore
import TallystickSQLite

/// The parts that a verification skips because pages of the file are damaged.
struct VerifyDamage: Sendable {
    static let reason = "SQLite cannot read their pages, or pages that belong to them"
    static let whole = "only a run that reads every row can compare them"

    /// The parts that cannot be read; nil until damage is found.
    var pages: UnreadablePages?
    /// SQLite's first message.
    var message = ""
    /// Whether names could not be checked.
    var leavesNames = false
    /// The parts that were not checked: lanes, and the number of their records.
    private(set) var left: [(what: String, records: Int64)] = []

    /// The ranges of a piece of work over numbers between rows that cannot be read.
    func readablePieces(of chunk: VerifyLanes.Chunk) -> [VerifyLanes.Chunk] {
        let table: String
        switch chunk.lane {
        case .events: table = "events"
        case .copies: table = "copies"
        case .audit: table = "audit_trail"
        default: return []
        }
        guard case .integer(var first) = chunk.key.first else { return [] }
        var pieces: [VerifyLanes.Chunk] = []
        func add(_ last: Int64) {
            guard last > first else { return }
            pieces.append(.init(lane: chunk.lane, key: [.integer(first)], last: last))
        }
        for keys in pages?.keys(of: table) ?? [] where keys.upperBound > first {
            guard keys.lowerBound <= chunk.last else { break }
            // To find out that a row is the last of a range, SQLite reads the following page, so that row is excluded.
            add(keys.lowerBound - 2)
            first = min(chunk.last, keys.upperBound)
        }
        add(chunk.last)
        return pieces
    }

    /// Notes which part of a piece of work was not checked.
    ///
    /// - parameter checked: the number of its records that were checked.
    /// - parameter records: the approximate number of records of its lane.
    /// - returns: where a keyed lane continues; nil at its end.
    mutating func leave(
        _ chunk: VerifyLanes.Chunk,
        checked: Int64,
        records: Int64
    ) -> [SQLValue]? {
        guard chunk.last == 0 else {
            add(chunk.lane, chunk.records - checked)
            return nil
        }
        let first: Int64 = if case .integer(let key) = chunk.key.first { max(0, key) } else { 0 }
        var damaged: ClosedRange<Int64>?
        if case .details(let table) = chunk.lane {
            damaged = pages?.keys(of: table.name).first { $0.upperBound >= first }
        }
        guard let damaged, damaged.upperBound < .max else {
            add(chunk.lane, max(1, records - first))
            return nil
        }
        add(chunk.lane, damaged.upperBound - first + 1)
        return [.integer(damaged.upperBound + 1)]
    }

    private mutating func add(_ lane: VerifyLane, _ records: Int64) {
        guard records > 0 else { return }
        if let index = left.firstIndex(where: { $0.what == lane.name }) {
            left[index].records += records
        } else {
            left.append((lane.name, records))
        }
    }

    /// A finding for each place that cannot be read; at least one.
    var findings: [VerifyFinding] {
        guard let pages else { return [] }
        guard pages.places.isEmpty else { return pages.findings }
        return [
            .init(
                record: left.first?.what ?? "the file",
                finding: .page,
                expected: "pages that SQLite can read",
                actual: message
            )
        ]
    }
}

/// A store whose log ends cannot even be read.
struct UnreadableStore {
    private static let lanes = ["events", "copies", "audit_rows", "tiles"]

    private let path: String
    private let options: StoreOptions

    init(_ path: String, _ options: StoreOptions) {
        self.path = path
        self.options = options
    }

    /// Names the parts that cannot be read.
    ///
    /// - throws: `error`, if everything can be read.
    func report(after error: any Error) throws -> VerifyReport {
        let pages: UnreadablePages
        do {
            let connection = try StoreFile.openForReading(path, options)
            pages = try PageProbe(in: connection, until: { false }).run()
        } catch  where StoreError.isCorruption(error) {
            return report(
                [
                    .init(
                        table: "sqlite_schema",
                        message: StoreError(error, during: "verify").message
                    )
                ],
                "only the schema says where they are, and SQLite cannot read it"
            )
        }
        guard !pages.places.isEmpty else { throw error }
        return report(
            pages.places,
            "their number is stored in pages that SQLite cannot read"
        )
    }

    private func report(_ places: [UnreadablePages.Place], _ reason: String) -> VerifyReport {
        var report = VerifyReport()
        for finding in UnreadablePages(places: places).findings { report.add(finding) }
        report.roots = ("unknown", "unknown", "unknown")
        report.notChecked = Self.lanes.map { .init(what: $0, records: 1, reason: reason) }
        return report
    }
}
