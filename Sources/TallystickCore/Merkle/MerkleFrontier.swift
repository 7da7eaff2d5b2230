/// The right edge of a growing tree: enough to add leaves and to compute the root, in logarithmic space.
///
/// The value is small and can be copied; ``MerkleTree/frontier(at:)`` makes it for any earlier size.
package struct MerkleFrontier: Sendable, Equatable {
    /// Number of leaves so far.
    package private(set) var size: Int64 = 0
    /// Roots of the complete subtrees that make up the tree, largest first: one for each bit of `size`.
    package private(set) var subtrees: [SHA256Digest] = []

    /// An empty tree.
    package init() {}

    /// A tree of a known size, given the roots of its complete subtrees, largest first.
    ///
    /// - returns: nil if the size is out of range, or the number of subtrees does not fit it.
    package init?(size: Int64, subtrees: [SHA256Digest]) {
        guard (0...MerkleLog.maximumSize).contains(size), subtrees.count == size.nonzeroBitCount
        else { return nil }
        self.size = size
        self.subtrees = subtrees
    }

    /// Adds a leaf hash. On average, one node is hashed per leaf.
    package mutating func append(_ hash: SHA256Digest) { append(subtree: hash, leaves: 1) }

    /// Adds the root of a complete subtree, such as a tile's.
    ///
    /// - parameter leaves: a power of two that divides the size so far.
    package mutating func append(subtree hash: SHA256Digest, leaves: Int64) {
        var hash = hash
        var bits = size / max(1, leaves)
        while bits & 1 == 1, let left = subtrees.popLast() {
            hash = MerkleHash.node(left, hash)
            bits >>= 1
        }
        subtrees.append(hash)
        size += leaves
    }

    /// The root of the largest complete subtree that ends with the last leaf; nil for the empty tree.
    package var lastSubtree: SHA256Digest? { subtrees.last }

    /// Adds a leaf without hashing, after another frontier of the same size has added it.
    ///
    /// - parameter subtree: the value of ``lastSubtree`` there afterwards.
    package mutating func append(leafCompleting subtree: SHA256Digest) {
        // Each bit that is carried over stands for a subtree that became a part of the new one.
        subtrees.removeLast((~size).trailingZeroBitCount)
        subtrees.append(subtree)
        size += 1
    }

    /// The tree's root.
    package var root: SHA256Digest { root(followedBy: nil) }

    /// The root of this tree followed by a smaller one, whose root is `right`.
    func root(followedBy right: SHA256Digest?) -> SHA256Digest {
        var root = right
        for left in subtrees.reversed() {
            root = root.map { MerkleHash.node(left, $0) } ?? left
        }
        return root ?? MerkleHash.emptyRoot
    }
}
