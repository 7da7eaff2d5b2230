import TallystickCore
import TallystickTestSupport
import Testing

/// A log in memory, stored as the tables `merkle_tiles` and `merkle_tail` store it.
private struct MemoryLog {
    var log = MerkleLog()
    var tiles: [[Int64]: [SHA256Digest]] = [:]
    var tail: [Int64: SHA256Digest] = [:]

    mutating func append(_ hashes: some Sequence<SHA256Digest>) {
        let changes = log.append(hashes)
        for tile in changes.tiles { tiles[[Int64(tile.level), tile.index]] = tile.hashes }
        if changes.emptiesTail { tail = [:] }
        for (offset, hash) in changes.newTail.enumerated() {
            tail[changes.newTailStart + Int64(offset)] = hash
        }
    }

    func hashes(_ tile: MerkleTileID) -> [SHA256Digest]? {
        if let hashes = tiles[[Int64(tile.level), tile.index]] { return hashes }
        guard tile.level == 0 else { return nil }
        return (0..<Int64(tile.width)).compactMap { tail[tile.index * 256 + $0] }
    }

    var tree: MerkleTree<Never> { MerkleTree(size: log.size, reading: hashes) }
}

/// RFC 6962, section 2.1, word for word.
private func definition(_ leaves: ArraySlice<SHA256Digest>) -> SHA256Digest {
    guard let first = leaves.first else { return SHA256Digest(hashing: []) }
    if leaves.count == 1 { return first }
    var middle = 1
    while middle * 2 < leaves.count { middle *= 2 }
    let split = leaves.startIndex + middle
    return MerkleHash.node(definition(leaves[..<split]), definition(leaves[split...]))
}

private func leaves(_ count: Int) -> [SHA256Digest] {
    (0..<count).map { MerkleHash.leaf(Array("leaf \($0)".utf8)) }
}

@Suite("Merkle logs")
struct MerkleTests {
    @Test("Leaf, node and empty hashes are those of RFC 6962")
    func prefixes() {
        let left = SHA256Digest(hashing: [1])
        let right = SHA256Digest(hashing: [2])
        #expect(MerkleHash.leaf([]) == SHA256Digest(hashing: [0]))
        #expect(MerkleHash.leaf([5, 6]) == SHA256Digest(hashing: [0, 5, 6]))
        #expect(
            MerkleHash.node(left, right) == SHA256Digest(hashing: [1] + left.bytes + right.bytes)
        )
        #expect(MerkleHash.emptyRoot == SHA256Digest(hashing: []))
        #expect(MerkleLog().root == MerkleHash.emptyRoot)
        #expect(MerkleFrontier().root == MerkleHash.emptyRoot)
    }

    @Test("Log, frontier and tiles give the defined root at every size")
    func roots() {
        let leaves = leaves(600)
        var stored = MemoryLog()
        var frontier = MerkleFrontier()
        for size in 0...leaves.count {
            let expected = definition(leaves[..<size])
            #expect(stored.log.root == expected, "size \(size)")
            #expect(frontier.root == expected, "size \(size)")
            #expect(frontier.size == Int64(size))
            if size < leaves.count {
                stored.append([leaves[size]])
                frontier.append(leaves[size])
            }
        }
        let tree = stored.tree
        for size in 0...leaves.count {
            #expect(tree.root(at: Int64(size)) == definition(leaves[..<size]), "size \(size)")
            #expect(
                tree.frontier(at: Int64(size))?.root == definition(leaves[..<size]),
                "size \(size)"
            )
        }
        #expect(tree.root(at: -1) == nil)
        #expect(tree.root(at: 601) == nil)
    }

    @Test("Batches of any size store the same tiles and tail")
    func batches() {
        let leaves = leaves(66_500)
        var single = MemoryLog()
        single.append(leaves)
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        var stored = MemoryLog()
        var start = 0
        while start < leaves.count {
            let end = min(leaves.count, start + Int.random(in: 0...1500, using: &random))
            stored.append(leaves[start..<end])
            start = end
        }
        #expect(stored.tiles == single.tiles, "seed \(seed)")
        #expect(stored.tail == single.tail, "seed \(seed)")
        #expect(stored.log.root == single.log.root, "seed \(seed)")
        #expect(stored.log.root == definition(leaves[...]))
        // 66,500 leaves: 259 tiles and 196 hashes; 256 of the tiles make a complete one above.
        #expect(stored.tail.keys.sorted() == Array(66_304..<66_500))
        #expect(stored.tiles.keys.filter { $0[0] == 0 }.count == 259)
        #expect(stored.tiles.filter { $0.key[0] == 0 }.allSatisfy { $0.value.count == 256 })
        #expect(stored.tiles[[1, 0]]?.count == 256)
        #expect(stored.tiles[[1, 1]]?.count == 3)
        #expect(stored.tiles[[2, 0]]?.count == 1)
        #expect(stored.tiles.count == 262)

        let tree = stored.tree
        for size in [0, 1, 255, 256, 257, 511, 65_535, 65_536, 65_537, 65_792, 66_303, 66_500] {
            let expected = definition(leaves[..<size])
            #expect(tree.root(at: Int64(size)) == expected, "size \(size)")
            #expect(tree.frontier(at: Int64(size))?.root == expected, "size \(size)")
        }
        for index in [0, 255, 256, 66_303, 66_304, 66_499] {
            #expect(tree.leafHash(at: Int64(index)) == leaves[index])
        }
        #expect(tree.leafHash(at: 66_500) == nil)
    }

    @Test("A frontier that is given another one's hashes is the same at every size")
    func told() {
        var hashing = MerkleFrontier()
        var told = MerkleFrontier()
        #expect(hashing.lastSubtree == nil)
        for leaf in leaves(600) {
            hashing.append(leaf)
            told.append(leafCompleting: hashing.lastSubtree ?? .zero)
            #expect(told == hashing)
        }
    }

    @Test("A frontier that takes whole tiles equals one that takes their leaves")
    func subtrees() {
        let leaves = leaves(1000)
        var frontier = MerkleFrontier()
        for start in stride(from: 0, to: 768, by: 256) {
            let root = MerkleHash.root(leaves[start..<start + 256])
            frontier.append(subtree: root, leaves: 256)
        }
        #expect(frontier.size == 768)
        for leaf in leaves[768...] { frontier.append(leaf) }
        #expect(frontier.root == definition(leaves[...]))
    }

    @Test("A log read back from its tiles and tail continues as if it had never stopped")
    func resume() {
        let leaves = leaves(1200)
        for size in [0, 1, 255, 256, 257, 512, 1000] {
            var stored = MemoryLog()
            stored.append(leaves[..<size])
            var incomplete = [
                (0..<Int64(size % 256)).compactMap { stored.tail[Int64(size / 256 * 256) + $0] }
            ]
            if size >= 256 { incomplete.append(stored.tiles[[1, 0]] ?? []) }
            var log = MerkleLog(size: Int64(size), incomplete: incomplete)
            #expect(log != nil, "size \(size)")
            _ = log?.append(leaves[size...])
            #expect(log?.root == definition(leaves[...]), "size \(size)")
        }
        #expect(MerkleLog(size: 5, incomplete: [Array(leaves[..<4])]) == nil)
        #expect(MerkleLog(size: 256, incomplete: [[]]) == nil)
        #expect(MerkleLog(size: -1, incomplete: []) == nil)
        #expect(MerkleLog(size: .max, incomplete: []) == nil)
        #expect(MerkleFrontier(size: 3, subtrees: [leaves[0]]) == nil)
        #expect(MerkleFrontier(size: .min, subtrees: [leaves[0]]) == nil)
    }

    @Test(
        "Inclusion proofs verify for every leaf in every tree, and for no other leaf, place or size"
    )
    func inclusion() throws {
        let leaves = leaves(70)
        var stored = MemoryLog()
        stored.append(leaves)
        let tree = stored.tree
        for size in 1...leaves.count {
            let root = definition(leaves[..<size])
            for index in 0..<size {
                let proof = try #require(tree.inclusionProof(of: Int64(index), in: Int64(size)))
                #expect(proof.isValid(leafHash: leaves[index], root: root))
                #expect(!proof.isValid(leafHash: leaves[(index + 1) % 70], root: root))
                let moved = InclusionProof(
                    leafIndex: Int64(index + 1),
                    treeSize: Int64(size),
                    hashes: proof.hashes
                )
                #expect(!moved.isValid(leafHash: leaves[index], root: root))
                let longer = InclusionProof(
                    leafIndex: Int64(index),
                    treeSize: Int64(size),
                    hashes: proof.hashes + [root]
                )
                #expect(!longer.isValid(leafHash: leaves[index], root: root))
            }
            #expect(tree.inclusionProof(of: Int64(size), in: Int64(size)) == nil)
        }
        #expect(tree.inclusionProof(of: 0, in: 71) == nil)
        #expect(tree.inclusionProof(of: -1, in: 70) == nil)
        #expect(tree.inclusionProof(of: 0, in: 0) == nil)
    }

    @Test("Consistency proofs verify between every two trees, and with no other roots")
    func consistency() throws {
        let leaves = leaves(70)
        let roots = (0...70).map { definition(leaves[..<$0]) }
        var stored = MemoryLog()
        stored.append(leaves)
        let tree = stored.tree
        for second in 1...70 {
            for first in 1...second {
                let proof = try #require(
                    tree.consistencyProof(from: Int64(first), to: Int64(second))
                )
                #expect(proof.isValid(firstRoot: roots[first], secondRoot: roots[second]))
                #expect(!proof.isValid(firstRoot: roots[first - 1], secondRoot: roots[second]))
                #expect(!proof.isValid(firstRoot: roots[first], secondRoot: roots[second - 1]))
            }
        }
        #expect(tree.consistencyProof(from: 0, to: 70) == nil)
        #expect(tree.consistencyProof(from: 3, to: 2) == nil)
        #expect(tree.consistencyProof(from: 3, to: 71) == nil)
    }

    @Test("Proofs verify across tiles of several levels")
    func largeProofs() throws {
        let leaves = leaves(66_000)
        var stored = MemoryLog()
        stored.append(leaves)
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        let tree = stored.tree
        for _ in 0..<60 {
            let second = Int64.random(in: 1...66_000, using: &random)
            let first = Int64.random(in: 1...second, using: &random)
            let index = Int64.random(in: 0..<second, using: &random)
            let firstRoot = try #require(tree.root(at: first))
            let secondRoot = try #require(tree.root(at: second))
            let inclusion = try #require(tree.inclusionProof(of: index, in: second))
            #expect(
                inclusion.isValid(leafHash: leaves[Int(index)], root: secondRoot),
                "seed \(seed)"
            )
            let consistency = try #require(tree.consistencyProof(from: first, to: second))
            #expect(
                consistency.isValid(firstRoot: firstRoot, secondRoot: secondRoot),
                "seed \(seed)"
            )
        }
    }

    @Test("A missing or short tile gives no answer, and is named")
    func missingTiles() {
        var stored = MemoryLog()
        stored.append(leaves(1000))
        let complete = stored
        stored.tiles[[0, 1]] = nil
        let tree = stored.tree
        #expect(tree.root(at: 300) == nil)
        #expect(tree.missing?.level == 0)
        #expect(tree.missing?.index == 1)
        #expect(tree.missing?.width == 256)
        #expect(tree.root(at: 1000) != nil)
        #expect(tree.missing == nil)
        stored = complete
        stored.tiles[[1, 0]]?.removeLast()
        let shorter = stored.tree
        #expect(shorter.root(at: 1000) == nil)
        #expect(shorter.missing?.level == 1)
        #expect(shorter.missing?.width == 3)
    }
}
