/// The hashes of RFC 6962, section 2.1.
package enum MerkleHash {
    /// The root of the empty tree: SHA-256 of nothing.
    package static let emptyRoot = SHA256Digest(hashing: [])

    /// The byte before a leaf.
    package static let leafPrefix: UInt8 = 0x00

    /// A leaf's hash: SHA-256 of 0x00 and the leaf.
    package static func leaf(_ leaf: UnsafeRawBufferPointer) -> SHA256Digest {
        withUnsafeTemporaryAllocation(byteCount: leaf.count + 1, alignment: 1) { buffer in
            buffer[0] = 0x00
            UnsafeMutableRawBufferPointer(rebasing: buffer[1...]).copyMemory(from: leaf)
            return SHA256Digest(hashing: UnsafeRawBufferPointer(buffer))
        }
    }

    /// A leaf's hash: SHA-256 of 0x00 and the leaf.
    package static func leaf(_ leaf: [UInt8]) -> SHA256Digest {
        leaf.withUnsafeBytes { self.leaf($0) }
    }

    /// A node's hash: SHA-256 of 0x01 and the hashes of its two sides.
    package static func node(_ left: SHA256Digest, _ right: SHA256Digest) -> SHA256Digest {
        withUnsafeTemporaryAllocation(byteCount: 65, alignment: 8) { buffer in
            buffer[0] = 0x01
            left.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: buffer[1..<33]).copyMemory(from: $0)
            }
            right.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: buffer[33..<65]).copyMemory(from: $0)
            }
            return SHA256Digest(hashing: UnsafeRawBufferPointer(buffer))
        }
    }

    /// The root over leaf hashes, or over the roots of complete subtrees of one size.
    package static func root(_ hashes: some Sequence<SHA256Digest>) -> SHA256Digest {
        var frontier = MerkleFrontier()
        for hash in hashes { frontier.append(hash) }
        return frontier.root
    }
}
