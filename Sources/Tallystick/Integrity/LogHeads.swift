import TallystickCore
import TallystickSQLite

/// The ends of the three logs at one moment: the scope of a verification. Rows up to there never change.
struct LogHeads: Sendable {
    private(set) var sizes: [MerkleLogName: Int64] = [:]
    private(set) var roots: [MerkleLogName: SHA256Digest] = [:]
    /// Mismatches at the ends.
    private(set) var findings: [VerifyFinding] = []

    /// Logs whose rows SQLite cannot count, because pages are damaged: they end where the tree ends.
    private(set) var uncounted: [MerkleLogName] = []

    /// Number of rows that may follow the tree's end before the tree, not the rows, determines the size.
    private static let leapLimit: Int64 = 1_000_000

    /// Reads the ends, in the open transaction.
    init(in connection: Connection, _ merkle: MerkleRows) throws {
        let stray = StrayRows(in: connection)
        for name in MerkleLogName.allCases { try read(name, stray, merkle) }
        for row in try stray.tailRows() {
            findings.append(
                .init(
                    record: "merkle_tail \(row)",
                    finding: .tile,
                    expected: "a row of one of the three logs",
                    actual: "a row of another log"
                )
            )
        }
    }

    func size(_ name: MerkleLogName) -> Int64 { sizes[name] ?? 0 }

    private mutating func read(
        _ name: MerkleLogName,
        _ stray: StrayRows,
        _ merkle: MerkleRows
    ) throws {
        let counted = try rows(of: name, merkle)
        let tail = try merkle.tail(of: name)
        let tiles = try merkle.completeTiles(of: name)
        let tree = tiles * Int64(MerkleLog.tileWidth) + Int64(tail.count)
        let rows = counted ?? tree
        // Damage makes the two differ. A row with an absurd key must not make the check endless.
        let size = rows > tree + Self.leapLimit ? tree : max(rows, tree)
        sizes[name] = size
        for key in try counted == nil ? [] : stray.keys(of: name, outside: size) {
            findings.append(
                .init(
                    record: "\(name.table.name) \(key)",
                    position: name == .events ? key : nil,
                    finding: .sequence,
                    expected: "a key from 1 to \(size)",
                    actual: "a row without a leaf"
                )
            )
        }
        let first = size - size % Int64(MerkleLog.tileWidth)
        let fits = tail.enumerated().allSatisfy { $0.element.index == first + Int64($0.offset) }
        guard fits, rows == size, let log = try merkle.log(name, size: size) else {
            findings.append(
                .init(
                    record: "merkle_tail \(name.rawValue)",
                    finding: .tile,
                    expected: "tiles and tail rows for \(rows) rows of \(name.table.name)",
                    actual: "\(tiles) complete tiles and \(tail.count) tail rows that do not fit"
                )
            )
            return
        }
        roots[name] = log.root
    }

    /// The number of rows of a log; nil, and noted, if pages are damaged.
    private mutating func rows(of name: MerkleLogName, _ merkle: MerkleRows) throws -> Int64? {
        do {
            return try merkle.size(of: name)
        } catch  where StoreError.isCorruption(error) {
            uncounted.append(name)
            return nil
        }
    }

    /// Earlier ends of the same logs.
    func cut(to sizes: [MerkleLogName: Int64], roots: [MerkleLogName: String]) -> LogHeads {
        var cut = self
        cut.sizes = sizes
        cut.roots = roots.compactMapValues { SHA256Digest(hex: $0) }
        return cut
    }
}
