/// Rules out, for most identities, that a segment of the store's identity index contains them (File format, "Identity
/// and revision"): a Bloom filter in blocks of 512 bits, so that a query reads one cache line.
///
/// An identity that was added is always found. About one in 300 others is reported as possibly present when the
/// filter holds as many identities as a segment has positions (Putze, Sanders, Singler: "Cache-, hash- and
/// space-efficient Bloom filters", 2007).
package struct IdentityFilter: Sendable {
    /// The number of identities for which it is designed: the positions of a segment.
    package static let capacity = 1 << 18
    /// Bytes of a filter: sixteen bits for each identity.
    package static let byteCount = capacity * 2

    private static let blockBytes = 64
    private static let bitsSet = 6

    /// In its stored form.
    package private(set) var bytes = [UInt8](repeating: 0, count: byteCount)

    package init() {}

    /// The hash of an identity.
    ///
    /// - parameter idChecksum: the CRC-32 of the id's bytes.
    /// - parameter source: the source's number in the store.
    @inlinable
    package static func hash(idChecksum: UInt32, source: Int64) -> UInt64 {
        // The finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
        var hash = UInt64(idChecksum) | UInt64(bitPattern: source) << 32
        hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
        return hash ^ hash >> 31
    }

    /// Adds the identity with a hash.
    package mutating func insert(_ hash: UInt64) {
        let block = Self.block(hash)
        for index in 0..<Self.bitsSet {
            let bit = Self.bit(hash, index)
            bytes[block + bit / 8] |= 1 << UInt8(bit % 8)
        }
    }

    /// Whether the identity with a hash may have been added to a stored filter.
    ///
    /// - parameter filter: `byteCount` bytes; for any other size the answer is always true.
    package static func mayContain(_ hash: UInt64, in filter: UnsafeRawBufferPointer) -> Bool {
        guard filter.count == byteCount else { return true }
        let block = block(hash)
        for index in 0..<bitsSet {
            let bit = bit(hash, index)
            if filter[block + bit / 8] >> UInt8(bit % 8) & 1 == 0 { return false }
        }
        return true
    }

    /// Where a hash's block begins: by its highest 13 bits.
    @inline(__always)
    private static func block(_ hash: UInt64) -> Int { Int(hash >> 51) * blockBytes }

    /// One of a hash's bits within its block: nine bits of the hash, from the lowest on.
    @inline(__always)
    private static func bit(_ hash: UInt64, _ index: Int) -> Int {
        Int(hash >> UInt64(9 * index) & 511)
    }
}
