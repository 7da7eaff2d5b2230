import TallystickCore
import TallystickSQLite

/// Checks what is not events: tiles, copies, the audit trail, and the index tables.
final class LogVerifier {
    private let connection: Connection
    private let merkle: MerkleRows
    private let reader: EventRowReader
    private let audit: AuditLeafReader

    init(in connection: Connection) throws {
        self.connection = connection
        merkle = try MerkleRows(in: connection)
        reader = try EventRowReader(in: connection)
        audit = try AuditLeafReader(in: connection)
    }

    // MARK: Index tables

    /// Sums over the keys of the index tables.
    func indexSums() throws -> (identity: UInt64, revision: UInt64) {
        var identity: UInt64 = 0
        let identities = try connection.prepare(
            "SELECT event_id, source_id, position FROM event_identities"
        )
        while try identities.step() {
            identity &+= KeySum.identity(
                identities.bytes(at: 0),
                identities.int64(at: 1),
                identities.int64(at: 2)
            )
        }
        var revision: UInt64 = 0
        let revisions = try connection.prepare(
            "SELECT stream_id, revision, position FROM stream_revisions"
        )
        while try revisions.step() {
            revision &+= KeySum.revision(
                revisions.int64(at: 0),
                revisions.int64(at: 1),
                revisions.int64(at: 2)
            )
        }
        return (identity, revision)
    }

    /// Names the rows in which events and index tables differ.
    func findIndexDifferences(_ report: inout VerifyReport) throws {
        let queries = [
            (
                "event_identities",
                """
                SELECT e.position FROM events AS e
                WHERE NOT EXISTS (SELECT 1 FROM event_identities AS i WHERE i.event_id = e.event_id
                    AND i.source_id = e.source_id AND i.position = e.position)
                UNION ALL
                SELECT i.position FROM event_identities AS i
                WHERE NOT EXISTS (SELECT 1 FROM events AS e WHERE e.position = i.position
                    AND e.event_id = i.event_id AND e.source_id = i.source_id)
                LIMIT 100
                """
            ),
            (
                "stream_revisions",
                """
                SELECT e.position FROM events AS e
                WHERE NOT EXISTS (SELECT 1 FROM stream_revisions AS r WHERE r.stream_id = e.stream_id
                    AND r.revision = e.revision AND r.position = e.position)
                UNION ALL
                SELECT r.position FROM stream_revisions AS r
                WHERE NOT EXISTS (SELECT 1 FROM events AS e WHERE e.position = r.position
                    AND e.stream_id = r.stream_id AND e.revision = r.revision)
                LIMIT 100
                """
            ),
        ]
        for (table, sql) in queries {
            let rows = try connection.prepare(sql)
            while try rows.step() {
                let position = rows.int64(at: 0)
                report.add(
                    .init(
                        record: "\(table) for position \(position)",
                        position: position,
                        finding: "index",
                        expected: "one row that fits the event",
                        actual: "no such row, or a row without its event"
                    )
                )
            }
        }
    }

    // MARK: Tiles

    /// Holds each tile against the hash of it one level up.
    func checkTiles(_ heads: [LogName: Int64], _ report: inout VerifyReport) throws {
        for name in LogName.allCases {
            var count = (heads[name] ?? 0) / Int64(MerkleLog.tileWidth)
            var level = 0
            while count > 0 {
                try checkTiles(name, level, count, &report)
                count /= Int64(MerkleLog.tileWidth)
                level += 1
            }
        }
    }

    private func checkTiles(
        _ name: LogName,
        _ level: Int,
        _ count: Int64,
        _ report: inout VerifyReport
    ) throws {
        let width = Int64(MerkleLog.tileWidth)
        var parent: (index: Int64, hashes: [SHA256Digest]) = (-1, [])
        for index in 0..<count {
            if parent.index != index / width {
                let hashes = try merkle.tile(of: name, level: level + 1, index: index / width)
                parent = (index / width, hashes ?? [])
            }
            let tile = try merkle.tile(of: name, level: level, index: index)
            let root = tile.map { $0.count == MerkleLog.tileWidth ? MerkleHash.root($0) : .zero }
            let slot = Int(index % width)
            let expected = slot < parent.hashes.count ? parent.hashes[slot] : nil
            report.tiles += 1
            guard let root, root == expected else {
                report.add(
                    .init(
                        record: "merkle_tiles \(name.rawValue)/\(level)/\(index)",
                        finding: "tile",
                        expected: expected?.hex ?? "a hash one level up",
                        actual: root?.hex ?? "no tile"
                    )
                )
                continue
            }
        }
    }

    private struct LeafSource {
        let name: LogName
        let tail: [Int64: SHA256Digest]
        var tile: (index: Int64, hashes: [SHA256Digest]) = (-1, [])

        init(_ name: LogName, _ merkle: MerkleRows) throws {
            self.name = name
            var tail: [Int64: SHA256Digest] = [:]
            for (index, hash) in try merkle.tail(of: name) { tail[index] = hash }
            self.tail = tail
        }

        mutating func leaf(_ index: Int64, _ merkle: MerkleRows) throws -> SHA256Digest? {
            if let hash = tail[index] { return hash }
            let width = Int64(MerkleLog.tileWidth)
            if tile.index != index / width {
                tile = (
                    index / width, try merkle.tile(of: name, level: 0, index: index / width) ?? []
                )
            }
            let offset = Int(index % width)
            return offset < tile.hashes.count ? tile.hashes[offset] : nil
        }
    }

    // MARK: Copies

    func checkCopies(_ size: Int64, _ report: inout VerifyReport) throws {
        var leaves = try LeafSource(.copies, merkle)
        let rows = try connection.prepare(
            """
            SELECT c.copy_id, c.position, o.name, c.recorded_at, c.agreement, c.content_sha256,
                c.differs_in, c.content, c.delivery_attributes
            FROM copies AS c
            LEFT JOIN origins AS o ON o.origin_id = c.origin_id
            WHERE c.copy_id <= ?1
            ORDER BY c.copy_id
            """
        )
        try rows.bind(size, at: 1)
        var expected: Int64 = 1
        while try rows.step() {
            let copyID = rows.int64(at: 0)
            while expected < copyID {
                report.add(missing("copies \(expected)", "a copy"))
                expected += 1
            }
            expected = copyID + 1
            try checkCopy(rows, try leaves.leaf(copyID - 1, merkle), &report)
            report.copies += 1
        }
        while expected <= size {
            report.add(missing("copies \(expected)", "a copy"))
            expected += 1
        }
    }

    private func checkCopy(
        _ row: Statement,
        _ proof: SHA256Digest?,
        _ report: inout VerifyReport
    ) throws {
        let (copyID, position) = (row.int64(at: 0), row.int64(at: 1))
        let digest = SHA256Digest(bytes: row.bytes(at: 5)) ?? .zero
        var leaf: [UInt8] = []
        var origin: [UInt8] = []
        CanonicalJSON.writeString(row.bytes(at: 2), to: &origin)
        origin.withUnsafeBytes { origin in
            Leaf.writeCopy(
                copyID: copyID,
                position: position,
                recordedAt: row.int64(at: 3),
                origin: origin,
                agreement: row.text(at: 4),
                content: digest,
                differsIn: row.bytesIfPresent(at: 6),
                delivery: row.bytesIfPresent(at: 8),
                to: &leaf
            )
        }
        let hash = MerkleHash.leaf(leaf)
        if hash != proof {
            report.add(
                .init(
                    record: "copies \(copyID)",
                    position: position,
                    finding: "leaf",
                    expected: proof?.hex ?? "no leaf hash is stored",
                    actual: hash.hex
                )
            )
        }
        let actual: SHA256Digest?
        if let content = row.bytesIfPresent(at: 7) {
            actual = SHA256Digest(hashing: content)
        } else {
            actual = try reader.withRow(at: position) { event in
                try reader.readContent(event) ? SHA256Digest(hashing: reader.content) : .zero
            }
        }
        if actual != digest {
            report.add(
                .init(
                    record: "copies \(copyID)",
                    position: position,
                    finding: "content",
                    expected: digest.hex,
                    actual: actual?.hex ?? "its event is missing"
                )
            )
        }
    }

    // MARK: Audit trail

    func checkAudit(_ size: Int64, _ report: inout VerifyReport) throws {
        var leaves = try LeafSource(.audit, merkle)
        var leaf: [UInt8] = []
        for sequence in 1..<max(1, size + 1) {
            guard try audit.write(sequence: sequence, to: &leaf) else {
                report.add(missing("audit_trail \(sequence)", "an audit row"))
                continue
            }
            report.auditRows += 1
            let hash = MerkleHash.leaf(leaf)
            let proof = try leaves.leaf(sequence - 1, merkle)
            guard hash != proof else { continue }
            report.add(
                .init(
                    record: "audit_trail \(sequence)",
                    finding: "leaf",
                    expected: proof?.hex ?? "no leaf hash is stored",
                    actual: hash.hex
                )
            )
        }
        for table in DetailTable.allCases {
            let rows = try connection.prepare(
                """
                SELECT \(table.primaryKey)
                FROM \(table.name)
                WHERE audit_sequence NOT IN (SELECT audit_sequence FROM audit_trail)
                LIMIT 100
                """
            )
            while try rows.step() {
                report.add(
                    .init(
                        record: "\(table.name) \(rows.int64(at: 0))",
                        finding: "leaf",
                        expected: "an audit row that covers it",
                        actual: "none"
                    )
                )
            }
        }
    }

    private func missing(_ record: String, _ what: String) -> VerifyReport.Finding {
        .init(record: record, finding: "sequence", expected: what, actual: "no row")
    }
}
