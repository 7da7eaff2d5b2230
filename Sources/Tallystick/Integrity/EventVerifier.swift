import TallystickCore
import TallystickSQLite

/// Recomputes the events of successive chunks: checksum, leaf, tile. One worker has one connection.
final class EventVerifier {
    private let reader: EventRowReader
    private let shape: EventShape
    private let rows: Statement
    private let sums: KeySums
    private let checksums: RowChecksums
    private var leaves: StoredLeaves
    /// The rows being checked: copied, because an SQLite call for each access to a column costs more.
    private let block = EventBlock()
    /// Sums over the rows' keys, to be compared with those over the index tables.
    private(set) var identitySum: UInt64 = 0
    private(set) var revisionSum: UInt64 = 0

    init(
        in connection: Connection,
        _ reader: EventRowReader,
        _ checksummer: Checksummer,
        _ demands: ChecksumDemands,
        _ sums: KeySums
    ) throws {
        self.reader = reader
        self.sums = sums
        checksums = try RowChecksums(reader, in: connection, checksummer, demands)
        shape = try EventShape(in: connection)
        leaves = try StoredLeaves(.events, in: connection)
        rows = try connection.prepare(
            """
            SELECT \(EventColumn.list)
            FROM events AS e
            WHERE e.position > ?1 AND e.position <= ?2
            ORDER BY e.position
            """
        )
    }

    /// Checks the events after `first`, up to `last`.
    func check(after first: Int64, through last: Int64, _ report: inout VerifyReport) throws {
        try checksums.prepare(after: first, through: last)
        try rows.bind(first, at: 1)
        try rows.bind(last, at: 2)
        block.removeAll()
        var expected = first + 1
        while try rows.step() {
            let position = rows.int64(at: EventColumn.position)
            guard report.addGap("events", &expected, before: position) else { continue }
            block.copy(rows)
            if block.copied == EventBlock.rowsAtOnce || block.isFull { try checkCopied(&report) }
        }
        try rows.reset()
        try checkCopied(&report)
        report.addMissing("events", expected..<last + 1)
    }

    private func checkCopied(_ report: inout VerifyReport) throws {
        reader.prefetchNames(of: block, 0..<block.copied)
        for index in 0..<block.copied { try check(block.row(index), &report) }
        report.events += Int64(block.copied)
        block.removeAll()
    }

    private func check(_ row: EventRow, _ report: inout VerifyReport) throws {
        func finding(
            _ kind: VerifyFinding.Kind,
            _ expected: String,
            _ actual: String
        ) throws -> VerifyFinding {
            try self.finding(row, kind, expected, actual)
        }
        addKeys(row)
        if let fault = shape.fault(in: row) {
            report.add(try finding(.content, "the table's own types", fault))
        }
        guard try reader.readContent(row) else {
            report.add(try finding(.leaf, "a source and a type", "a name is missing"))
            return
        }
        let digest = reader.contentDigest
        switch checksums.evaluate(row, digest: digest) {
        case .holds: break
        case .notChecked: report.checksumsWithoutKey += 1
        case .finding(let kind, let expected, let actual):
            report.add(try finding(kind, expected, actual))
        }
        guard let leaf = try reader.leafHash(row, content: digest) else {
            report.add(
                try finding(.leaf, "a stream, a category and an origin", "a name is missing")
            )
            return
        }
        let proof = try leaves.hash(row.int64(at: EventColumn.position) - 1)
        guard proof != leaf else { return }
        report.add(try finding(.leaf, proof?.hex ?? "no leaf hash is stored", leaf.hex))
    }

    private func addKeys(_ row: EventRow) {
        let position = row.int64(at: EventColumn.position)
        identitySum &+= sums.identity(
            row.bytes(at: EventColumn.id),
            row.int64(at: EventColumn.source),
            position
        )
        revisionSum &+= sums.revision(
            row.int64(at: EventColumn.stream),
            row.int64(at: EventColumn.revision),
            position
        )
    }

    private func finding(
        _ row: EventRow,
        _ kind: VerifyFinding.Kind,
        _ expected: String,
        _ actual: String
    ) throws -> VerifyFinding {
        let position = row.int64(at: EventColumn.position)
        let names = try reader.names(row)
        return VerifyFinding(
            record: "events \(position)",
            position: position,
            source: names.source,
            eventID: row.text(at: EventColumn.id),
            finding: kind,
            expected: expected,
            actual: actual
        )
    }
}
