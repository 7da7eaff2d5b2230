/// Hexadecimal digits.
public enum Hex {
    /// Appends two lower-case digits a byte.
    public static func write(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        for byte in bytes {
            output.append(digit(byte >> 4))
            output.append(digit(byte & 15))
        }
    }

    public static func string(_ bytes: UnsafeRawBufferPointer) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        write(bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Lower-case digits of bytes.
    public static func string(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { string($0) } }

    /// The bytes behind digits of either case; nil for an odd count or another character.
    public static func bytes(_ text: some StringProtocol) -> [UInt8]? {
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

    @inline(__always)
    static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
}
