public import Glibc

extension UnsafeRawBufferPointer {
    /// Whether two runs of bytes are equal.
    @inlinable @inline(__always)
    package func isEqual(to other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard let a = baseAddress, let b = other.baseAddress else { return true }
        return memcmp(a, b, count) == 0
    }

    /// The order of two runs of bytes: negative, zero or positive.
    @inlinable @inline(__always)
    package func order(to other: UnsafeRawBufferPointer) -> Int {
        if let a = baseAddress, let b = other.baseAddress {
            let order = memcmp(a, b, Swift.min(count, other.count))
            if order != 0 { return Int(order) }
        }
        return count - other.count
    }

    /// The first eight bytes as a big-endian number, which has the same order; fewer bytes are padded with zeros.
    @inlinable @inline(__always)
    package var bigEndianPrefix: UInt64 {
        if count >= 8 { return UInt64(bigEndian: loadUnaligned(as: UInt64.self)) }
        var prefix: UInt64 = 0
        for index in 0..<8 { prefix = prefix << 8 | UInt64(index < count ? self[index] : 0) }
        return prefix
    }
}

/// Strings of JSON documents, as bytes.
package enum JSONString {
    /// Compares UTF-8 by UTF-16 code units, as RFC 8785 (section 3.2.3) sorts names: negative, zero or positive.
    ///
    /// This is the order of the bytes, except in one case: characters beyond U+FFFF (lead bytes F0 and up) are
    /// surrogate pairs, which come before U+E000 to U+FFFF (lead bytes EE and EF).
    @inlinable
    package static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
        let shared = min(a.count, b.count)
        var index = 0
        while index < shared, a[index] == b[index] { index += 1 }
        guard index < shared else { return a.count - b.count }
        let (left, right) = (Int(a[index]), Int(b[index]))
        if left >= 0xEE, right >= 0xEE, (left >= 0xF0) != (right >= 0xF0) {
            return left >= 0xF0 ? -1 : 1
        }
        return left - right
    }

    /// A string node's text as UTF-8, escapes resolved. The parser has accepted the node.
    package static func unescaped(_ node: JSONTape.Node, in bytes: UnsafeRawBufferPointer)
        -> [UInt8]
    {
        let content = UnsafeRawBufferPointer(
            rebasing: bytes[Int(node.start) + 1..<Int(node.end) - 1]
        )
        guard node.hasEscapes else { return [UInt8](content) }
        var text: [UInt8] = []
        text.reserveCapacity(content.count)
        unescape(content, into: &text)
        return text
    }

    /// A string node's text, escapes resolved.
    static func text(_ node: JSONTape.Node, in bytes: UnsafeRawBufferPointer) -> String {
        guard !node.hasEscapes else {
            return String(decoding: unescaped(node, in: bytes), as: UTF8.self)
        }
        return String(decoding: bytes[Int(node.start) + 1..<Int(node.end) - 1], as: UTF8.self)
    }

    /// Whether a node is a string with the given text, compared byte by byte.
    static func isText(
        _ text: String,
        _ node: JSONTape.Node,
        in bytes: UnsafeRawBufferPointer
    ) -> Bool {
        guard node.kind == .string else { return false }
        guard !node.hasEscapes else {
            return unescaped(node, in: bytes).elementsEqual(text.utf8)
        }
        return bytes[Int(node.start) + 1..<Int(node.end) - 1].elementsEqual(text.utf8)
    }

    /// Appends the text between a string's quotation marks, escapes resolved.
    static func unescape(_ content: UnsafeRawBufferPointer, into text: inout [UInt8]) {
        var index = 0
        while index < content.count {
            let byte = content[index]
            guard byte == 0x5C, index + 1 < content.count else {
                text.append(byte)
                index += 1
                continue
            }
            let kind = content[index + 1]
            index += 2
            switch kind {
            case 0x62: text.append(0x08)
            case 0x66: text.append(0x0C)
            case 0x6E: text.append(0x0A)
            case 0x72: text.append(0x0D)
            case 0x74: text.append(0x09)
            case 0x75:
                var scalar = unit(content, at: index)
                index += 4
                if scalar & 0xFC00 == 0xD800 {
                    let low = unit(content, at: index + 2)
                    index += 6
                    scalar = 0x10000 + ((scalar & 0x3FF) << 10) + (low & 0x3FF)
                }
                if let scalar = UnicodeScalar(scalar) {
                    text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
                }
            default: text.append(kind)
            }
        }
    }

    private static func unit(_ content: UnsafeRawBufferPointer, at start: Int) -> UInt32 {
        guard start + 4 <= content.count else { return 0 }
        var unit: UInt32 = 0
        for index in start..<start + 4 {
            unit = unit << 4 | (JSONCursor.hexDigit(content[index]) ?? 0)
        }
        return unit
    }
}
