/// Identifies a tile of a log: C2SP tlog-tiles' level, index and width, with 256 hashes per complete tile.
package struct MerkleTileID: Hashable, Sendable {
    /// 0 for leaf hashes; a hash of level n + 1 is the root of a complete tile of level n.
    package let level: Int
    /// 0-based, from the left.
    package let index: Int64
    /// The number of hashes of the tile in the log: 1 to 256.
    package let width: Int
}

/// A stored log, read through its tiles: roots, frontiers and proofs for the log's size and every earlier one.
///
/// An answer is nil if it is out of the log's range, or if the reader returned fewer hashes than the tile must have;
/// ``missing`` then names the tile. Each answer reads a few tiles per level, and caches the last one of each level.
package final class MerkleTree<Failure: Error> {
    /// Reads a tile's `width` hashes; level 0 includes the incomplete tile at the end of the log. Nil if they do not
    /// exist.
    package typealias TileReader = (MerkleTileID) throws(Failure) -> [SHA256Digest]?

    /// Leaves of the log.
    package let size: Int64
    /// The tile that was missing for a nil answer.
    package private(set) var missing: MerkleTileID?

    private let read: TileReader
    private var lastTiles: [Int: (index: Int64, hashes: [SHA256Digest])] = [:]

    package init(size: Int64, reading read: @escaping TileReader) {
        self.size = min(max(0, size), MerkleLog.maximumSize)
        self.read = read
    }

    /// The root of the first `size` leaves.
    package func root(at size: Int64) throws(Failure) -> SHA256Digest? {
        missing = nil
        guard (0...self.size).contains(size) else { return nil }
        return try size == 0 ? MerkleHash.emptyRoot : root(of: 0..<size)
    }

    /// The right edge of the tree of the first `size` leaves, ready to take the leaves after them.
    package func frontier(at size: Int64) throws(Failure) -> MerkleFrontier? {
        missing = nil
        guard (0...self.size).contains(size) else { return nil }
        var subtrees: [SHA256Digest] = []
        var start: Int64 = 0
        for height in stride(from: 62, through: 0, by: -1) where size & 1 << height != 0 {
            guard let hash = try subtree(height: height, index: start >> height) else { return nil }
            subtrees.append(hash)
            start += 1 << height
        }
        return MerkleFrontier(size: size, subtrees: subtrees)
    }

    /// The hash of one leaf.
    package func leafHash(at index: Int64) throws(Failure) -> SHA256Digest? {
        missing = nil
        guard index >= 0, index < size else { return nil }
        return try subtree(height: 0, index: index)
    }

    /// The proof that a leaf is in the tree of the first `size` leaves (RFC 6962, section 2.1.1).
    package func inclusionProof(
        of index: Int64,
        in size: Int64
    ) throws(Failure) -> InclusionProof? {
        missing = nil
        guard size <= self.size, index >= 0, index < size else { return nil }
        var hashes: [SHA256Digest] = []
        var range = 0..<size
        while range.count > 1 {
            let (left, right) = Self.split(range)
            let (inside, beside) = index < left.upperBound ? (left, right) : (right, left)
            guard let hash = try root(of: beside) else { return nil }
            hashes.append(hash)
            range = inside
        }
        return InclusionProof(leafIndex: index, treeSize: size, hashes: hashes.reversed())
    }

    /// The proof that the tree of the first `first` leaves is the beginning of that of the first `second` (RFC 6962,
    /// section 2.1.2). For an empty tree there is nothing to prove: nil.
    package func consistencyProof(
        from first: Int64,
        to second: Int64
    ) throws(Failure) -> ConsistencyProof? {
        missing = nil
        guard first > 0, first <= second, second <= size else { return nil }
        var hashes: [SHA256Digest] = []
        var range = 0..<second
        // The part of the first tree that is still inside `range` ends at `first`.
        while range.upperBound != first {
            let (left, right) = Self.split(range)
            let (inside, beside) = first <= left.upperBound ? (left, right) : (right, left)
            guard let hash = try root(of: beside) else { return nil }
            hashes.append(hash)
            range = inside
        }
        if range.lowerBound > 0 {
            guard let hash = try root(of: range) else { return nil }
            hashes.append(hash)
        }
        return ConsistencyProof(firstSize: first, secondSize: second, hashes: hashes.reversed())
    }

    /// Splits a tree of two or more leaves at the largest power of two below its size.
    private static func split(_ range: Range<Int64>) -> (Range<Int64>, Range<Int64>) {
        let count = range.upperBound - range.lowerBound
        let height = Int64.bitWidth - 1 - (count - 1).leadingZeroBitCount
        let middle = range.lowerBound + 1 << height
        return (range.lowerBound..<middle, middle..<range.upperBound)
    }

    /// The root over leaves that begin at a multiple of the smallest power of two not below their count.
    private func root(of range: Range<Int64>) throws(Failure) -> SHA256Digest? {
        var remaining = range.upperBound - range.lowerBound
        var end = range.upperBound
        var root: SHA256Digest?
        while remaining > 0 {
            let height = remaining.trailingZeroBitCount
            end -= 1 << height
            guard let left = try subtree(height: height, index: end >> height) else { return nil }
            root = root.map { MerkleHash.node(left, $0) } ?? left
            remaining &= remaining - 1
        }
        return root
    }

    /// The root of the complete subtree over leaves `index << height` and the `1 << height - 1` after it.
    private func subtree(height: Int, index: Int64) throws(Failure) -> SHA256Digest? {
        let level = height / 8
        let count = 1 << (height % 8)
        let first = index * Int64(count)
        let width = Int64(MerkleLog.tileWidth)
        guard let hashes = try tile(level: level, index: first / width) else { return nil }
        let offset = Int(first % width)
        guard offset + count <= hashes.count else { return nil }
        return count == 1 ? hashes[offset] : MerkleHash.root(hashes[offset..<offset + count])
    }

    private func tile(level: Int, index: Int64) throws(Failure) -> [SHA256Digest]? {
        if let last = lastTiles[level], last.index == index { return last.hashes }
        let hashesOfLevel = size >> Int64(8 * level)
        let width = min(
            Int64(MerkleLog.tileWidth),
            hashesOfLevel - index * Int64(MerkleLog.tileWidth)
        )
        let tile = MerkleTileID(level: level, index: index, width: Int(width))
        guard let hashes = try read(tile), hashes.count >= tile.width else {
            missing = tile
            return nil
        }
        lastTiles[level] = (index, hashes)
        return hashes
    }
}
