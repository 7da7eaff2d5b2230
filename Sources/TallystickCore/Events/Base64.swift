/// Standard, padded base64 (RFC 4648, section 4).
package enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, byte) in alphabet.enumerated() { values[Int(byte)] = UInt8(value) }
        return values
    }()

    /// Appends the encoded bytes.
    package static func encode(_ bytes: some Collection<UInt8>, to output: inout [UInt8]) {
        write(bytes, to: &output)
    }

    static func write<Output: ByteOutput & ~Copyable>(
        _ bytes: some Collection<UInt8>,
        to output: inout Output
    ) {
        var word: UInt32 = 0
        var count = 0
        func flush(_ digits: Int) {
            for digit in 0..<digits {
                output.append(alphabet[Int(word >> UInt32(18 - 6 * digit) & 63)])
            }
        }
        for byte in bytes {
            word |= UInt32(byte) << UInt32(16 - 8 * count)
            count += 1
            if count == 3 {
                flush(4)
                (word, count) = (0, 0)
            }
        }
        if count > 0 {
            flush(count + 1)
            for _ in count..<3 { output.append(0x3D) }
        }
    }

    /// Decodes a text; nil if it is not padded, has other characters, or has bits set that no encoder sets.
    package static func decode(_ text: [UInt8]) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        for start in stride(from: 0, to: text.count, by: 4) {
            let isLast = start + 4 == text.count
            let padding =
                !isLast || text[start + 3] != 0x3D ? 0 : text[start + 2] == 0x3D ? 2 : 1
            var word: UInt32 = 0
            for index in 0..<4 - padding {
                let value = values[Int(text[start + index])]
                guard value < 64 else { return nil }
                word |= UInt32(value) << UInt32(18 - 6 * index)
            }
            if padding > 0, word & (padding == 1 ? 0xFF : 0xFFFF) != 0 { return nil }
            bytes.append(UInt8(truncatingIfNeeded: word >> 16))
            if padding < 2 { bytes.append(UInt8(truncatingIfNeeded: word >> 8)) }
            if padding < 1 { bytes.append(UInt8(truncatingIfNeeded: word)) }
        }
        return bytes
    }
}
