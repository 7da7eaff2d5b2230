import TallystickCore
import TallystickSQLite

/// Recomputes events of one chunk after another: checksum, leaf, tile. One worker has one connection.
final class EventVerifier {
    private let connection: Connection
    private let reader: EventRowReader
    private let merkle: MerkleRows
    private let rows: Statement
    private let checksums: RowChecksums
    private let tail: [Int64: SHA256Digest]
    /// Sums over the rows' keys, to be compared with those over the index tables.
    private(set) var identitySum: UInt64 = 0
    private(set) var revisionSum: UInt64 = 0

    init(_ path: String, _ options: StoreOptions, size: Int64) throws {
        connection = try StoreFile.openForReading(path, options)
        try connection.execute("PRAGMA cache_size = -16384")
        reader = try EventRowReader(in: connection)
        checksums = try RowChecksums(
            reader,
            in: connection,
            options.checksummer,
            judgingDemands: true
        )
        merkle = try MerkleRows(in: connection)
        rows = try connection.prepare(
            """
            SELECT \(EventColumn.list)
            FROM events AS e
            WHERE e.position > ?1 AND e.position <= ?2
            ORDER BY e.position
            """
        )
        var tail: [Int64: SHA256Digest] = [:]
        for (index, hash) in try merkle.tail(of: .events) where index < size { tail[index] = hash }
        self.tail = tail
    }

    /// Checks the events after `first`, up to `last`.
    func check(after first: Int64, through last: Int64, _ report: inout VerifyReport) throws {
        try checksums.prepare(after: first, through: last)
        try rows.bind(first, at: 1)
        try rows.bind(last, at: 2)
        var expected = first + 1
        var tile: (index: Int64, hashes: [SHA256Digest]) = (-1, [])
        while try rows.step() {
            let position = rows.int64(at: EventColumn.position)
            while expected < position {
                report.add(missing(expected))
                expected += 1
            }
            expected = position + 1
            try check(position, &tile, &report)
            report.events += 1
        }
        try rows.reset()
        while expected <= last {
            report.add(missing(expected))
            expected += 1
        }
    }

    private func check(
        _ position: Int64,
        _ tile: inout (index: Int64, hashes: [SHA256Digest]),
        _ report: inout VerifyReport
    ) throws {
        addKeys(position)
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
        let proof = try storedLeaf(position - 1, &tile)
        guard proof != leaf else { return }
        report.add(finding("leaf", proof?.hex ?? "no leaf hash is stored", leaf.hex))
    }

    private func storedLeaf(
        _ index: Int64,
        _ tile: inout (index: Int64, hashes: [SHA256Digest])
    ) throws -> SHA256Digest? {
        if let hash = tail[index] { return hash }
        let width = Int64(MerkleLog.tileWidth)
        if tile.index != index / width {
            tile = (
                index / width, try merkle.tile(of: .events, level: 0, index: index / width) ?? []
            )
        }
        let offset = Int(index % width)
        return offset < tile.hashes.count ? tile.hashes[offset] : nil
    }

    private func addKeys(_ position: Int64) {
        identitySum &+= KeySum.identity(
            rows.bytes(at: EventColumn.id),
            rows.int64(at: EventColumn.source),
            position
        )
        revisionSum &+= KeySum.revision(
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

    private func missing(_ position: Int64) -> VerifyReport.Finding {
        VerifyReport.Finding(
            record: "events \(position)",
            position: position,
            finding: "sequence",
            expected: "an event",
            actual: "no row"
        )
    }
}

/// Hashes of index keys, whose sums do not depend on their order. The hash is seeded anew in each process,
/// so that nobody can prepare rows that cancel out.
enum KeySum {
    static func identity(_ id: UnsafeRawBufferPointer, _ source: Int64, _ position: Int64) -> UInt64
    {
        ByteSum.hash(id, UInt64(bitPattern: source), UInt64(bitPattern: position))
    }

    static func revision(_ stream: Int64, _ revision: Int64, _ position: Int64) -> UInt64 {
        withUnsafeBytes(of: (stream, revision)) {
            ByteSum.hash($0, 1, UInt64(bitPattern: position))
        }
    }
}
