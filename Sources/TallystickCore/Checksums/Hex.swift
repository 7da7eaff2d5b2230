/// Hexadecimal digits.
package enum Hex {
    /// Two lower-case digits for each byte.
    package static func string(_ bytes: UnsafeRawBufferPointer) -> String {
        var text = ByteBuffer(capacity: 2 * bytes.count)
        text.appendHex(bytes)
        return String(decoding: text.bytes, as: UTF8.self)
    }

    /// Lower-case digits of bytes.
    package static func string(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { string($0) } }

    /// The bytes behind digits of either case; nil for an odd count or another character.
    package static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt32?
        for character in text.utf8 {
            guard let digit = JSONCursor.hexDigit(character) else { return nil }
            if let first = high {
                bytes.append(UInt8(first << 4 | digit))
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }

    /// The value of a lower-case digit; nil for another character.
    @inline(__always)
    static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x61...0x66: digit - 0x57
        default: nil
        }
    }

    @inline(__always)
    static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
}
