/// Checks that the columns of a row split its content at the right places.
///
/// A content's digest covers its bytes, not where the columns divide them: moving a member from `attributes` to the
/// end of `data` does not change the digest. Together with a matching digest, these checks leave only one possible
/// division. They rely on attribute values being scalars.
package enum ContentShape {
    /// Whether `data`, if it is an object or an array, ends with its own kind of bracket.
    package static func isOneValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = bytes.first, let last = bytes.last else { return false }
        switch first {
        case UInt8(ascii: "{"): return bytes.count >= 2 && last == UInt8(ascii: "}")
        case UInt8(ascii: "["): return bytes.count >= 2 && last == UInt8(ascii: "]")
        case UInt8(ascii: "\""): return stringEnd(bytes, 0) == bytes.count
        default: return scalarEnd(bytes, 0) == bytes.count
        }
    }

    /// Whether bytes begin and end as a JSON object does.
    package static func isObject(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.first == UInt8(ascii: "{") && isOneValue(bytes)
    }

    /// Whether bytes begin and end as a JSON array does.
    package static func isArray(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.first == UInt8(ascii: "[") && isOneValue(bytes)
    }

    /// Whether bytes are an object of attributes that have no column of their own, without white space.
    package static func isAttributes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.first == UInt8(ascii: "{") else { return false }
        var index = 1
        while index < bytes.count {
            guard let nameEnd = nameEnd(bytes, index), nameEnd < bytes.count,
                bytes[nameEnd] == UInt8(ascii: ":"), nameEnd + 1 < bytes.count
            else { return false }
            let value = nameEnd + 1
            let isString = bytes[value] == UInt8(ascii: "\"")
            guard let end = isString ? stringEnd(bytes, value) : scalarEnd(bytes, value),
                end < bytes.count
            else { return false }
            if bytes[end] == UInt8(ascii: "}") { return end + 1 == bytes.count }
            guard bytes[end] == UInt8(ascii: ",") else { return false }
            index = end + 1
        }
        return false
    }

    /// The byte after a quoted name of an extension attribute.
    private static func nameEnd(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        guard bytes[start] == UInt8(ascii: "\""), let end = stringEnd(bytes, start) else {
            return nil
        }
        let name = UnsafeRawBufferPointer(rebasing: bytes[start + 1..<end - 1])
        return EventAttributes.kind(of: name, delivery: []) == .extension ? end : nil
    }

    /// The byte after a string; nil if it has no end.
    private static func stringEnd(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        var index = start + 1
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") { return index + 1 }
            index += byte == UInt8(ascii: "\\") ? 2 : 1
        }
        return nil
    }

    /// The byte after a number, `true`, `false` or `null`; nil if there is none.
    private static func scalarEnd(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        var index = start
        while index < bytes.count, isScalarByte(bytes[index]) { index += 1 }
        return index > start ? index : nil
    }

    private static func isScalarByte(_ byte: UInt8) -> Bool {
        byte &- 0x61 < 26 || byte &- 0x30 < 10 || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".")
    }
}
