import TallystickCore
import TallystickSQLite

/// Recomputes events of one chunk after another: checksum, leaf, tile. One worker has one connection.
final class EventVerifier {
    private let reader: EventRowReader
    private let shape: EventShape
    private let rows: Statement
    private let sums: KeySums
    private let checksums: RowChecksums
    private var leaves: StoredLeaves
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
        var expected = first + 1
        while try rows.step() {
            let position = rows.int64(at: EventColumn.position)
            if position > expected { report.addMissing("events", expected..<position) }
            expected = position + 1
            try check(position, &report)
            report.events += 1
        }
        try rows.reset()
        report.addMissing("events", expected..<last + 1)
    }

    private func check(_ position: Int64, _ report: inout VerifyReport) throws {
        addKeys(position)
        if let fault = shape.fault(in: rows) {
            report.add(finding("content", "the table's own types", fault))
        }
        guard try reader.readContent(rows) else {
            report.add(finding("leaf", "a source and a type", "a name is missing"))
            return
        }
        let digest = SHA256Digest(hashing: reader.content)
        switch checksums.judge(rows, digest: digest) {
        case .holds: break
        case .notChecked: report.checksumsWithoutKey += 1
        case .finding(let kind, let expected, let actual):
            report.add(finding(kind, expected, actual))
        }
        guard let leaf = try reader.leafHash(rows, content: digest) else {
            report.add(finding("leaf", "a stream, a category and an origin", "a name is missing"))
            return
        }
        let proof = try leaves.hash(position - 1)
        guard proof != leaf else { return }
        report.add(finding("leaf", proof?.hex ?? "no leaf hash is stored", leaf.hex))
    }

    private func addKeys(_ position: Int64) {
        identitySum &+= sums.identity(
            rows.bytes(at: EventColumn.id),
            rows.int64(at: EventColumn.source),
            position
        )
        revisionSum &+= sums.revision(
            rows.int64(at: EventColumn.stream),
            rows.int64(at: EventColumn.revision),
            position
        )
    }

    private func finding(_ kind: String, _ expected: String, _ actual: String)
        -> VerifyReport.Finding
    {
        let position = rows.int64(at: EventColumn.position)
        let names = try? reader.names(rows)
        return VerifyReport.Finding(
            record: "events \(position)",
            position: position,
            source: names?.source,
            eventID: rows.text(at: EventColumn.id),
            finding: kind,
            expected: expected,
            actual: actual
        )
    }
}
