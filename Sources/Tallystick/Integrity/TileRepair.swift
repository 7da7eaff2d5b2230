import TallystickCore
import TallystickSQLite

/// Decides which tiles can be rebuilt: those whose hashes, recomputed from the level below, have the root given by
/// the hash one level up. Any other damage makes a repair impossible.
struct TileRepair {
    /// A tile to be written, or removed if it has no hashes.
    struct Plan {
        var log: MerkleLogName
        var tile: MerkleLog.Tile
    }

    private let store: StoreWriter
    private let copies: CopyVerifier
    private let audit: AuditLeafReader
    private let shape: EventShape

    init(_ store: StoreWriter) throws {
        self.store = store
        copies = try CopyVerifier(in: store.connection, store.reader)
        audit = try AuditLeafReader(in: store.connection)
        shape = try EventShape(in: store.connection)
    }

    /// The repairs for the findings on tiles.
    ///
    /// - throws: `integrity` if a finding is about anything that cannot be rebuilt.
    func plan(_ report: VerifyReport) throws -> [Plan] {
        guard report.findings.count == report.findingCount else {
            throw refused(
                "\(report.findingCount) findings",
                "there are too many to repair them one by one"
            )
        }
        var plans: [Plan] = []
        for finding in report.findings where finding.finding == .tile {
            guard let (log, level, index) = Self.place(finding.record),
                let plan = try plan(log, level, index, isStray: finding.expected == "no such tile")
            else { throw refused(finding.record, "no hash one level up vouches for it") }
            plans.append(plan)
        }
        for finding in report.findings where finding.finding != .tile {
            guard isDerived(finding) || isExcused(finding, plans) else {
                throw refused(finding.record, "it is proved, or a name: nothing can rebuild it")
            }
        }
        return plans
    }

    private func refused(_ record: String, _ reason: String) -> StoreError {
        StoreError(
            .integrity,
            during: "repair derived rows",
            on: record,
            reason,
            hint: "Nothing was changed. Restore a backup"
        )
    }

    private func isDerived(_ finding: VerifyFinding) -> Bool {
        switch finding.finding {
        case .index: true
        case .derived:
            (StateTable.allCases.map(\.rawValue) + ["identity_segments"]).contains {
                finding.record.hasPrefix($0 + " ")
            }
        default: false
        }
    }

    /// Whether a row was reported only because the tile with its leaf hash is damaged.
    private func isExcused(_ finding: VerifyFinding, _ plans: [Plan]) -> Bool {
        let words = finding.record.split(separator: " ")
        guard finding.finding == .leaf, words.count == 2, let key = Int64(words[1]),
            let log = MerkleLogName.allCases.first(where: { $0.table.name == words[0] })
        else { return false }
        return plans.contains {
            $0.log == log && $0.tile.level == 0 && !$0.tile.hashes.isEmpty
                && $0.tile.index == (key - 1) / Int64(MerkleLog.tileWidth)
        }
    }

    private static func place(_ record: String) -> (log: MerkleLogName, level: Int, index: Int64)? {
        let parts = record.dropFirst("merkle_tiles ".count).split(separator: "/")
        guard record.hasPrefix("merkle_tiles "), parts.count == 3,
            let log = MerkleLogName(rawValue: String(parts[0])), let level = Int(parts[1]),
            let index = Int64(parts[2])
        else { return nil }
        return (log, level, index)
    }

    private func plan(
        _ log: MerkleLogName,
        _ level: Int,
        _ index: Int64,
        isStray: Bool
    ) throws -> Plan? {
        if isStray { return Plan(log: log, tile: .init(level: level, index: index, hashes: [])) }
        let above = index / Int64(MerkleLog.tileWidth)
        for (level, index) in [(level, index), (level + 1, above)] {
            guard let vouched = try hash(log, level + 1, index),
                let hashes = try hashes(log, level, index), MerkleHash.root(hashes) == vouched
            else { continue }
            return Plan(log: log, tile: .init(level: level, index: index, hashes: hashes))
        }
        return nil
    }

    /// The hash, at a level, that stands for the tile `index` of the level below.
    private func hash(_ log: MerkleLogName, _ level: Int, _ index: Int64) throws -> SHA256Digest? {
        let width = Int64(MerkleLog.tileWidth)
        let tile = try store.merkle.tile(of: log, level: level, index: index / width) ?? []
        let slot = Int(index % width)
        return slot < tile.count ? tile[slot] : nil
    }

    /// The hashes of a complete tile, recomputed from rows, or from the tiles below; nil if one is missing.
    private func hashes(_ log: MerkleLogName, _ level: Int, _ index: Int64) throws
        -> [SHA256Digest]?
    {
        var hashes: [SHA256Digest] = []
        let first = index * Int64(MerkleLog.tileWidth)
        for below in first..<first + Int64(MerkleLog.tileWidth) {
            let hash =
                level == 0
                ? try leaf(log, below)
                : try store.merkle.tile(of: log, level: level - 1, index: below)
                    .flatMap { $0.count == MerkleLog.tileWidth ? MerkleHash.root($0) : nil }
            guard let hash else { return nil }
            hashes.append(hash)
        }
        return hashes
    }

    private func leaf(_ log: MerkleLogName, _ index: Int64) throws -> SHA256Digest? {
        switch log {
        case .events:
            return try store.reader.withRow(at: index + 1) { row -> SHA256Digest? in
                guard shape.fault(in: row) == nil, try store.reader.readContent(row) else {
                    return nil
                }
                let digest = store.reader.contentDigest
                return try store.reader.leafHash(row, content: digest)
            } ?? nil
        case .copies: return try copies.leaf(of: index + 1)
        case .audit:
            var leaf: [UInt8] = []
            return try audit.write(sequence: index + 1, to: &leaf) ? MerkleHash.leaf(leaf) : nil
        }
    }
}
