/// One log's tree, as it is stored: complete tiles of 256 leaf hashes, the leaf hashes after the last of them (the
/// tail), and above level 0 tiles that hold the roots of the complete tiles below.
package struct MerkleLog: Sendable {
    /// Hashes of a complete tile.
    package static let tileWidth = 256
    /// Maximum number of leaves of a log: far from any overflow, and from any disk's capacity.
    package static let maximumSize: Int64 = 1 << 56

    /// The tile of level 0 that holds a leaf's hash, and its place there; nil if no log can have such an index. Keys
    /// of damaged rows can be anything.
    package static func place(ofLeaf index: Int64) -> (tile: Int64, offset: Int)? {
        guard (0..<maximumSize).contains(index) else { return nil }
        return (index / Int64(tileWidth), Int(index % Int64(tileWidth)))
    }

    /// A tile that an append created or changed.
    package struct Tile: Sendable, Equatable {
        package var level: Int
        package var index: Int64
        /// 1 to 256 hashes.
        package var hashes: [SHA256Digest]

        package init(level: Int, index: Int64, hashes: [SHA256Digest]) {
            self.level = level
            self.index = index
            self.hashes = hashes
        }
    }

    /// The changes of storage made by an append.
    package struct Changes: Sendable {
        /// Tiles to be stored, new or grown.
        package var tiles: [Tile] = []
        /// Whether previously stored tail hashes are now part of a tile.
        package var emptiesTail = false
        /// Index of the first hash of `newTail`.
        package var newTailStart: Int64 = 0
        /// Hashes to be added to the stored tail.
        package var newTail: [SHA256Digest] = []

        package init(tiles: [Tile] = []) { self.tiles = tiles }
    }

    /// Leaves so far.
    package private(set) var size: Int64
    /// Hashes of the incomplete tile of each level; level 0 is the tail.
    private var incomplete: [[SHA256Digest]]

    /// An empty log.
    package init() {
        size = 0
        incomplete = [[]]
    }

    /// A log read back from storage.
    ///
    /// - parameter incomplete: the hashes of each level's incomplete tile, from level 0 upwards.
    /// - returns: nil if the hashes do not fit the size.
    package init?(size: Int64, incomplete: [[SHA256Digest]]) {
        guard (0...Self.maximumSize).contains(size) else { return nil }
        var remaining = size
        for level in 0..<max(1, incomplete.count) {
            let hashes = level < incomplete.count ? incomplete[level] : []
            guard hashes.count == Int(remaining % Int64(Self.tileWidth)) else { return nil }
            remaining /= Int64(Self.tileWidth)
        }
        guard remaining == 0 else { return nil }
        self.size = size
        self.incomplete = incomplete.isEmpty ? [[]] : incomplete
    }

    /// The number of levels at which a log of a size has tiles or a tail; at least 1.
    package static func levels(size: Int64) -> Int {
        var levels = 1
        var remaining = size / Int64(tileWidth)
        while remaining > 0 {
            levels += 1
            remaining /= Int64(tileWidth)
        }
        return levels
    }

    /// Adds leaf hashes and returns the changes of storage.
    package mutating func append(_ hashes: some Sequence<SHA256Digest>) -> Changes {
        var changes = Changes()
        let before = size
        var grown = Set<Int>()
        for hash in hashes {
            size += 1
            carry(hash, level: 0, into: &changes, &grown)
        }
        for level in grown.sorted() where !incomplete[level].isEmpty {
            let index = size / Self.leaves(level) / Int64(Self.tileWidth)
            changes.tiles.append(Tile(level: level, index: index, hashes: incomplete[level]))
        }
        let tailStart = size - Int64(incomplete[0].count)
        changes.emptiesTail = tailStart > before - before % Int64(Self.tileWidth)
        changes.newTailStart = max(before, tailStart)
        changes.newTail = Array(incomplete[0].dropFirst(Int(changes.newTailStart - tailStart)))
        return changes
    }

    private mutating func carry(
        _ hash: SHA256Digest,
        level: Int,
        into changes: inout Changes,
        _ grown: inout Set<Int>
    ) {
        if level == incomplete.count { incomplete.append([]) }
        incomplete[level].append(hash)
        if level > 0 { grown.insert(level) }
        guard incomplete[level].count == Self.tileWidth else { return }
        let hashes = incomplete[level]
        incomplete[level].removeAll(keepingCapacity: true)
        let index = (size / Self.leaves(level) - 1) / Int64(Self.tileWidth)
        changes.tiles.append(Tile(level: level, index: index, hashes: hashes))
        carry(MerkleHash.root(hashes), level: level + 1, into: &changes, &grown)
    }

    /// Leaves under one hash of a level.
    package static func leaves(_ level: Int) -> Int64 {
        var leaves: Int64 = 1
        for _ in 0..<level { leaves *= Int64(tileWidth) }
        return leaves
    }

    /// The tree's root.
    package var root: SHA256Digest {
        var root: SHA256Digest?
        for hashes in incomplete where !hashes.isEmpty {
            root = Self.fold(hashes, right: root)
        }
        return root ?? MerkleHash.emptyRoot
    }

    /// The root over complete subtrees of one size followed by a smaller tree.
    private static func fold(_ hashes: [SHA256Digest], right: SHA256Digest?) -> SHA256Digest {
        var frontier = MerkleFrontier()
        for hash in hashes { frontier.append(hash) }
        return frontier.root(followedBy: right)
    }
}
