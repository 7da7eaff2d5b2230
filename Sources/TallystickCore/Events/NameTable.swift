/// Assigns small numbers to names, in order of appearance.
struct NameTable {
    private var arena: [UInt8] = []
    private var ranges: [ByteRange] = []
    /// Open addressing: index + 1 of the name, 0 for a free slot.
    private var slots: [Int32]
    private var mask: Int

    /// The initial capacity for names of a decoder of many records.
    static let expectedNames = 512

    /// - parameter count: the initial capacity; more names can be added.
    init(expecting count: Int = Self.expectedNames) {
        var size = 8
        while size < count * 2 { size *= 2 }
        slots = [Int32](repeating: 0, count: size)
        mask = size - 1
    }

    var count: Int { ranges.count }
    /// Whether it has reached the number of names, or of their bytes, that are worth remembering.
    var isFull: Bool {
        count > EventLimits.internedNames || arena.count > EventLimits.internedBytes
    }

    mutating func removeAll() {
        arena.removeAll(keepingCapacity: true)
        ranges.removeAll(keepingCapacity: true)
        for index in slots.indices { slots[index] = 0 }
    }

    /// The name's number, and whether it is new.
    mutating func intern(_ name: UnsafeRawBufferPointer) -> (index: Int32, isNew: Bool) {
        var slot = Int(truncatingIfNeeded: ByteHash.hash(name)) & mask
        while slots[slot] != 0 {
            let range = ranges[Int(slots[slot]) - 1]
            if Int(range.count) == name.count, matches(range, name) {
                return (slots[slot] - 1, false)
            }
            slot = (slot + 1) & mask
        }
        ranges.append(ByteRange(start: arena.count, count: name.count))
        arena.append(contentsOf: name)
        slots[slot] = Int32(truncatingIfNeeded: ranges.count)
        if ranges.count * 2 > slots.count { grow() }
        return (Int32(truncatingIfNeeded: ranges.count - 1), true)
    }

    private func matches(_ range: ByteRange, _ name: UnsafeRawBufferPointer) -> Bool {
        arena.withUnsafeBytes { bytes in
            UnsafeRawBufferPointer(
                rebasing: bytes[Int(range.start)..<Int(range.start) + Int(range.count)]
            ).isEqual(to: name)
        }
    }

    private mutating func grow() {
        mask = slots.count * 4 - 1
        slots = [Int32](repeating: 0, count: mask + 1)
        for (index, range) in ranges.enumerated() {
            let hash = arena.withUnsafeBytes { bytes in
                ByteHash.hash(
                    UnsafeRawBufferPointer(
                        rebasing: bytes[Int(range.start)..<Int(range.start) + Int(range.count)]
                    )
                )
            }
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = Int32(truncatingIfNeeded: index + 1)
        }
    }
}

/// Hashes of records whose sums are compared when the records come in different orders.
///
/// Without the seed nobody can construct records whose hashes cancel out.
package struct ByteSum: Sendable {
    package let seed: UInt64

    package init(seed: UInt64 = .random(in: .min ... .max)) { self.seed = seed }

    @inline(__always)
    package func hash(_ bytes: UnsafeRawBufferPointer, _ a: UInt64, _ b: UInt64) -> UInt64 {
        ByteHash.mix(ByteHash.mix(ByteHash.hash(bytes, from: seed) ^ a) ^ b)
    }
}

/// A hash of bytes for in-memory tables: fast, seeded once per process, not usable as evidence.
enum ByteHash {
    private static let seed = UInt64.random(in: .min ... .max)

    @inline(__always)
    static func hash(_ bytes: UnsafeRawBufferPointer, seed extra: UInt64 = 0) -> UInt64 {
        hash(bytes, from: seed ^ extra)
    }

    @inline(__always)
    static func hash(_ bytes: UnsafeRawBufferPointer, from seed: UInt64) -> UInt64 {
        var hash = seed ^ UInt64(truncatingIfNeeded: bytes.count) &* 0x9E37_79B9_7F4A_7C15
        var index = 0
        while index + 8 <= bytes.count {
            hash = mix(hash ^ bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            index += 8
        }
        var rest: UInt64 = 0
        while index < bytes.count {
            rest = rest << 8 | UInt64(bytes[index])
            index += 1
        }
        return mix(hash ^ rest)
    }

    @inline(__always)
    static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return product.high ^ product.low
    }
}
