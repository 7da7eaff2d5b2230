import TallystickCore
import TallystickSQLite

/// Checks tiles against their hashes one level up, and returns stored leaf hashes.
final class TileVerifier {
    private let merkle: MerkleRows
    private let stray: StrayRows

    init(in connection: Connection) throws {
        merkle = try MerkleRows(in: connection)
        stray = StrayRows(in: connection)
    }

    /// Checks the complete tiles `first ..< last` of a level.
    func check(
        _ log: MerkleLogName,
        level: Int,
        _ range: Range<Int64>,
        _ report: inout VerifyReport
    ) throws {
        let width = Int64(MerkleLog.tileWidth)
        var parent: (index: Int64, hashes: [SHA256Digest]) = (-1, [])
        for index in range {
            if parent.index != index / width {
                let hashes = try merkle.tile(of: log, level: level + 1, index: index / width)
                parent = (index / width, hashes ?? [])
            }
            let tile = try merkle.tile(of: log, level: level, index: index)
            let root = tile.map { $0.count == MerkleLog.tileWidth ? MerkleHash.root($0) : .zero }
            let slot = Int(index % width)
            let expected = slot < parent.hashes.count ? parent.hashes[slot] : nil
            report.tiles += 1
            guard root != expected || root == nil else { continue }
            report.add(
                .init(
                    record: "merkle_tiles \(log.rawValue)/\(level)/\(index)",
                    finding: .tile,
                    expected: "\(expected?.hex ?? "a hash") in merkle_tiles "
                        + "\(log.rawValue)/\(level + 1)/\(index / width)",
                    actual: root?.hex ?? "no tile"
                )
            )
        }
    }

    /// Finds tiles that a log of its size should not have.
    ///
    /// - returns: the rowid from which to continue; nil at the end.
    func findStray(from rowID: Int64, _ report: inout VerifyReport) throws -> Int64? {
        let (places, sizes) = try stray.tiles(from: rowID)
        for place in places where !Self.exists(place, sizes) {
            report.add(
                .init(
                    record: "merkle_tiles \(place.name)/\(place.level)/\(place.tile)",
                    finding: .tile,
                    expected: "no such tile",
                    actual: "a tile"
                )
            )
        }
        guard places.count == StrayRows.chunk, let last = places.last?.rowID, last < .max else {
            return nil
        }
        return last + 1
    }

    private static func exists(_ place: StrayRows.TilePlace, _ sizes: [MerkleLogName: Int64])
        -> Bool
    {
        guard let log = place.log, let size = sizes[log], (0..<8).contains(place.level) else {
            return false
        }
        let width = Int64(MerkleLog.tileWidth)
        var hashes = size
        for _ in 0..<place.level { hashes /= width }
        let tiles = place.level == 0 ? hashes / width : (hashes + width - 1) / width
        return (0..<tiles).contains(place.tile)
    }
}

/// The stored leaf hashes of one log, read tile by tile.
struct StoredLeaves {
    private let name: MerkleLogName
    private let merkle: MerkleRows
    private let tail: [Int64: SHA256Digest]
    private var tile: (index: Int64, hashes: [SHA256Digest]) = (-1, [])

    init(_ name: MerkleLogName, in connection: Connection) throws {
        self.name = name
        merkle = try MerkleRows(in: connection)
        var tail: [Int64: SHA256Digest] = [:]
        for (index, hash) in try merkle.tail(of: name) { tail[index] = hash }
        self.tail = tail
    }

    /// The hash of a leaf; nil if none is stored.
    mutating func hash(_ index: Int64) throws -> SHA256Digest? {
        if let hash = tail[index] { return hash }
        guard let place = MerkleLog.place(ofLeaf: index) else { return nil }
        if tile.index != place.tile {
            tile = (place.tile, try merkle.tile(of: name, level: 0, index: place.tile) ?? [])
        }
        return place.offset < tile.hashes.count ? tile.hashes[place.offset] : nil
    }
}
