/// CRC-32 as in IEEE 802.3 and zlib: reflected, polynomial 0xEDB88320. Detects accidents, not tampering.
///
/// A value takes bytes in pieces; `CRC32.checksum(_:)` takes them all at once.
package struct CRC32: Sendable {
    /// Bytes of a checksum, which is stored big-endian.
    package static let byteCount = 4

    private var state: UInt32 = 0xFFFF_FFFF

    package init() {}

    /// The checksum of all bytes so far; more can follow.
    package var value: UInt32 { ~state }

    /// Takes in more bytes, sixteen at a time: "slicing by 16" (after Kounavis and Berry, 2005).
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        state = Self.tables.withUnsafeBufferPointer { table in
            var crc = state
            var index = 0
            while index + 16 <= bytes.count {
                let first = crc ^ Self.word(bytes, index)
                crc =
                    Self.mix(first, table, 15) ^ Self.mix(Self.word(bytes, index + 4), table, 11)
                    ^ Self.mix(Self.word(bytes, index + 8), table, 7)
                    ^ Self.mix(Self.word(bytes, index + 12), table, 3)
                index += 16
            }
            while index < bytes.count {
                crc = crc >> 8 ^ table[Int((crc ^ UInt32(bytes[index])) & 0xFF)]
                index += 1
            }
            return crc
        }
    }

    /// The checksum of bytes.
    package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var crc = CRC32()
        crc.update(bytes)
        return crc.value
    }

    /// The checksum of bytes.
    package static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes { checksum($0) }
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// The effect of four bytes, of which the first is followed by `following` others.
    @inline(__always)
    private static func mix(
        _ word: UInt32,
        _ table: UnsafeBufferPointer<UInt32>,
        _ following: Int
    ) -> UInt32 {
        let start = following * 256
        return table[start + Int(word & 0xFF)] ^ table[start - 256 + Int(word >> 8 & 0xFF)]
            ^ table[start - 512 + Int(word >> 16 & 0xFF)] ^ table[start - 768 + Int(word >> 24)]
    }

    /// Table k of 256 entries at k * 256: the effect of a byte followed by k zero bytes.
    private static let tables: [UInt32] = {
        var table = [UInt32](repeating: 0, count: 16 * 256)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0xEDB8_8320 }
            table[byte] = crc
        }
        for index in 256..<16 * 256 {
            let previous = table[index - 256]
            table[index] = previous >> 8 ^ table[Int(previous & 0xFF)]
        }
        return table
    }()
}
