package import TallystickCore
package import TallystickSQLite

/// The stored leaf hashes of one log: in tiles and, after the last complete tile, in the tail.
///
/// Caches the tile read last. The cache is valid for one read transaction: call `forget` at the beginning of each.
package struct LeafHashes {
    private let merkle: MerkleRows
    private let log: MerkleLogName
    private var tile: (index: Int64, hashes: [SHA256Digest]) = (-1, [])
    private var tail: [Int64: SHA256Digest] = [:]

    package init(of log: MerkleLogName, _ merkle: MerkleRows) {
        self.log = log
        self.merkle = merkle
    }

    /// Forgets tail hashes read in an earlier transaction, which may have become a tile.
    package mutating func forget() { tile = (-1, []) }

    /// The hash of a leaf by its index; nil if none is stored.
    package mutating func hash(at index: Int64) throws(SQLiteError) -> SHA256Digest? {
        guard let place = MerkleLog.place(ofLeaf: index) else { return nil }
        if tile.index != place.tile {
            let hashes = try merkle.tile(of: log, level: 0, index: place.tile)
            tile = (place.tile, hashes ?? [])
            if hashes == nil {
                tail = [:]
                for (index, hash) in try merkle.tail(of: log) { tail[index] = hash }
            }
        }
        return place.offset < tile.hashes.count ? tile.hashes[place.offset] : tail[index]
    }

    /// The tree over the first `size` leaves, with whole subtrees from tiles.
    ///
    /// - throws: `StoreError` with `integrity` if a tile is missing.
    package mutating func frontier(size: Int64) throws -> MerkleFrontier {
        let width = Int64(MerkleLog.tileWidth)
        guard try merkle.log(log) != nil else {
            throw Self.damaged("log \(log.rawValue)", "tiles or tail rows are missing")
        }
        var frontier = MerkleFrontier()
        var level = MerkleLog.levels(size: size) - 1
        var leaves: Int64 = 0
        while level > 0 {
            let under = MerkleLog.leaves(level)
            while leaves + under <= size {
                let index = leaves / under
                let hashes = try merkle.tile(of: log, level: level, index: index / width) ?? []
                guard index % width < hashes.count else { throw missing(level, index / width) }
                frontier.append(subtree: hashes[Int(index % width)], leaves: under)
                leaves += under
            }
            level -= 1
        }
        while leaves < size {
            guard let hash = try hash(at: leaves) else { throw missing(0, leaves / width) }
            frontier.append(hash)
            leaves += 1
        }
        return frontier
    }

    private func missing(_ level: Int, _ index: Int64) -> StoreError {
        Self.damaged("merkle_tiles \(log.rawValue)/\(level)/\(index)", "the tile is missing")
    }

    private static func damaged(_ subject: String, _ reason: String) -> StoreError {
        StoreError(
            .integrity,
            during: "read the tree",
            on: subject,
            reason,
            hint: "Run 'tally verify'"
        )
    }
}
