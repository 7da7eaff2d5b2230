/// Proof that a leaf is in a tree (RFC 6962, section 2.1.1).
package struct InclusionProof: Hashable, Sendable {
    /// 0-based.
    package let leafIndex: Int64
    /// Number of leaves of the tree.
    package let treeSize: Int64
    /// The audit path, from the leaf upwards.
    package let hashes: [SHA256Digest]

    package init(leafIndex: Int64, treeSize: Int64, hashes: [SHA256Digest]) {
        self.leafIndex = leafIndex
        self.treeSize = treeSize
        self.hashes = hashes
    }

    /// A proof as it was received: nil if a hash does not have 32 bytes.
    package init?(leafIndex: Int64, treeSize: Int64, hashes: [[UInt8]]) {
        guard let hashes = MerklePath.digests(hashes) else { return nil }
        self.init(leafIndex: leafIndex, treeSize: treeSize, hashes: hashes)
    }

    /// The root that follows from the proof; nil if the proof does not fit leaf and size exactly.
    package func root(leafHash: SHA256Digest) -> SHA256Digest? {
        guard leafIndex >= 0, leafIndex < treeSize else { return nil }
        let path = MerklePath(to: leafIndex, in: treeSize)
        guard hashes.count == path.inner + path.border else { return nil }
        let inner = path.chainInner(leafHash, hashes[..<path.inner], leafIndex)
        return path.chainBorder(inner, hashes[path.inner...])
    }

    /// Whether the proof shows that the leaf is in the tree with that root.
    package func isValid(leafHash: SHA256Digest, root: SHA256Digest) -> Bool {
        self.root(leafHash: leafHash) == root
    }
}

/// Proof that a tree is the beginning of a larger one (RFC 6962, section 2.1.2).
package struct ConsistencyProof: Hashable, Sendable {
    /// Leaves of the earlier tree.
    package let firstSize: Int64
    /// Leaves of the later tree.
    package let secondSize: Int64
    package let hashes: [SHA256Digest]

    package init(firstSize: Int64, secondSize: Int64, hashes: [SHA256Digest]) {
        self.firstSize = firstSize
        self.secondSize = secondSize
        self.hashes = hashes
    }

    /// A proof as it was received: nil if a hash does not have 32 bytes.
    package init?(firstSize: Int64, secondSize: Int64, hashes: [[UInt8]]) {
        guard let hashes = MerklePath.digests(hashes) else { return nil }
        self.init(firstSize: firstSize, secondSize: secondSize, hashes: hashes)
    }

    /// Whether the proof shows that the tree with the second root extends the one with the first.
    ///
    /// Trees of the same size are consistent if their roots are equal and the proof is empty. An empty first tree
    /// proves nothing, and is refused.
    package func isValid(firstRoot: SHA256Digest, secondRoot: SHA256Digest) -> Bool {
        guard firstSize > 0, firstSize <= secondSize else { return false }
        guard firstSize < secondSize else { return hashes.isEmpty && firstRoot == secondRoot }
        let shift = firstSize.trailingZeroBitCount
        let path = MerklePath(to: firstSize - 1, in: secondSize)
        let inner = path.inner - shift
        // If the first tree is complete, its root is the subtree with which the proof would begin.
        let isComplete = firstSize == 1 << shift
        let start = isComplete ? 0 : 1
        guard hashes.count == start + inner + path.border else { return false }
        let seed = isComplete ? firstRoot : hashes[0]
        let innerHashes = hashes[start..<start + inner]
        let borderHashes = hashes[(start + inner)...]
        let mask = (firstSize - 1) >> Int64(shift)
        let first = path.chainBorder(path.chainInnerRight(seed, innerHashes, mask), borderHashes)
        let second = path.chainBorder(path.chainInner(seed, innerHashes, mask), borderHashes)
        return first == firstRoot && second == secondRoot
    }

    /// The same for roots as they were received. Roots that are not SHA-256 digests are compared too, but prove
    /// nothing more than that.
    package func isValid(firstRoot: [UInt8], secondRoot: [UInt8]) -> Bool {
        if firstSize == secondSize {
            return firstSize > 0 && hashes.isEmpty && firstRoot == secondRoot
        }
        guard let first = MerklePath.digest(firstRoot), let second = MerklePath.digest(secondRoot)
        else { return false }
        return isValid(firstRoot: first, secondRoot: second)
    }
}

/// The path from a leaf to the root: `inner` nodes up to where it meets the right edge of the tree, then `border`
/// nodes of which it is the right side.
private struct MerklePath {
    let inner: Int
    let border: Int

    init(to index: Int64, in size: Int64) {
        inner = Int64.bitWidth - (index ^ (size - 1)).leadingZeroBitCount
        border = (index >> Int64(inner)).nonzeroBitCount
    }

    /// Each hash is the right side where the leaf's path goes left, else the left side.
    func chainInner(
        _ seed: SHA256Digest,
        _ hashes: ArraySlice<SHA256Digest>,
        _ index: Int64
    ) -> SHA256Digest {
        var hash = seed
        var bits = index
        for other in hashes {
            hash = bits & 1 == 0 ? MerkleHash.node(hash, other) : MerkleHash.node(other, hash)
            bits >>= 1
        }
        return hash
    }

    /// Only the hashes on the left: those that an earlier tree also had.
    func chainInnerRight(
        _ seed: SHA256Digest,
        _ hashes: ArraySlice<SHA256Digest>,
        _ index: Int64
    ) -> SHA256Digest {
        var hash = seed
        var bits = index
        for other in hashes {
            if bits & 1 == 1 { hash = MerkleHash.node(other, hash) }
            bits >>= 1
        }
        return hash
    }

    func chainBorder(_ seed: SHA256Digest, _ hashes: ArraySlice<SHA256Digest>) -> SHA256Digest {
        hashes.reduce(seed) { MerkleHash.node($1, $0) }
    }

    static func digest(_ bytes: [UInt8]) -> SHA256Digest? {
        bytes.withUnsafeBytes { SHA256Digest(bytes: $0) }
    }

    static func digests(_ hashes: [[UInt8]]) -> [SHA256Digest]? {
        var digests: [SHA256Digest] = []
        for bytes in hashes {
            guard let digest = digest(bytes) else { return nil }
            digests.append(digest)
        }
        return digests
    }
}
