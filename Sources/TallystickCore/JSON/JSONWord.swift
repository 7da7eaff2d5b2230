/// Eight bytes of text that are examined together.
enum JSONWord {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    /// The high bit of each byte.
    static let highs: UInt64 = 0x8080_8080_8080_8080

    /// The first byte is the lowest.
    @inline(__always)
    static func load(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The high bit of each byte that a string must escape: quotation mark, backslash, below 0x20. Bytes above the
    /// lowest one found may be marked too: a borrow comes only from a byte already found.
    @inline(__always)
    static func toEscape(_ word: UInt64) -> UInt64 {
        let quote = word ^ (ones &* 0x22)
        let slash = word ^ (ones &* 0x5C)
        return
            ((quote &- ones) & ~quote | (slash &- ones) & ~slash | (word &- ones &* 0x20) & ~word)
            & highs
    }

    /// The offset of the first byte, at or after an offset, that a string must escape; `count` for none.
    @inline(__always)
    static func firstToEscape(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var offset = start
        while offset + 8 <= text.count {
            let found = toEscape(load(text, offset))
            if found != 0 { return offset + found.trailingZeroBitCount / 8 }
            offset += 8
        }
        while offset < text.count {
            let byte = text[offset]
            if byte < 0x20 || byte == 0x22 || byte == 0x5C { return offset }
            offset += 1
        }
        return offset
    }
}
