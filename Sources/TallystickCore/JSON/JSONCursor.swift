/// Moves over the bytes of a JSON document, token by token.
struct JSONCursor {
    let bytes: UnsafeRawBufferPointer
    var offset = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    @inline(__always)
    func peek() -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

    @inline(__always)
    mutating func take() -> UInt8? {
        guard offset < bytes.count else { return nil }
        defer { offset += 1 }
        return bytes[offset]
    }

    @inline(__always)
    mutating func skipSpace() {
        while offset < bytes.count {
            let byte = bytes[offset]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            offset += 1
        }
    }

    /// Moves over the string that begins here; returns whether it has escapes.
    mutating func skipString() throws(JSONError) -> Bool {
        let start = offset
        offset += 1
        var hasEscapes = false
        while true {
            skipPlainText()
            guard offset < bytes.count else {
                throw JSONError(
                    .unexpectedEnd,
                    at: bytes.count,
                    in: bytes,
                    "the document ends inside a string that begins at byte \(start)"
                )
            }
            let byte = bytes[offset]
            switch byte {
            case 0x22:
                offset += 1
                return hasEscapes
            case 0x5C:
                hasEscapes = true
                try skipEscape()
            case 0..<0x20:
                throw error(
                    .controlCharacter,
                    "a string contains the control character \(Self.name(byte)) unescaped"
                )
            default:
                try skipUTF8()
            }
        }
    }

    /// Moves over ASCII without special characters, eight bytes at a time.
    @inline(__always)
    private mutating func skipPlainText() {
        while offset + 8 <= bytes.count {
            let word = JSONWord.load(bytes, offset)
            let found = JSONWord.toEscape(word) | word & JSONWord.highs
            if found != 0 {
                offset += found.trailingZeroBitCount / 8
                return
            }
            offset += 8
        }
        while offset < bytes.count {
            let byte = bytes[offset]
            guard byte >= 0x20, byte < 0x80, byte != 0x22, byte != 0x5C else { return }
            offset += 1
        }
    }

    private mutating func skipEscape() throws(JSONError) {
        let start = offset
        offset += 1
        guard let kind = take() else {
            throw error(.unexpectedEnd, "the document ends inside an escape")
        }
        switch kind {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74:
            return
        case 0x75:
            let unit = try hexUnit(escapeStart: start)
            if unit & 0xFC00 == 0xDC00 { throw loneSurrogate(at: start) }
            guard unit & 0xFC00 == 0xD800 else { return }
            guard take() == 0x5C, take() == 0x75,
                try hexUnit(escapeStart: start) & 0xFC00 == 0xDC00
            else { throw loneSurrogate(at: start) }
        default:
            throw JSONError(
                .syntax,
                at: start,
                in: bytes,
                "a backslash cannot be followed by \(Self.name(kind))"
            )
        }
    }

    private func loneSurrogate(at start: Int) -> JSONError {
        JSONError(
            .loneSurrogate,
            at: start,
            in: bytes,
            "an escape is half of a surrogate pair, which is not a character"
        )
    }

    private mutating func hexUnit(escapeStart: Int) throws(JSONError) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = take() else {
                throw error(.unexpectedEnd, "the document ends inside an escape")
            }
            guard let digit = Self.hexDigit(byte) else {
                throw JSONError(
                    .syntax,
                    at: escapeStart,
                    in: bytes,
                    "\\u must be followed by four hexadecimal digits"
                )
            }
            unit = unit << 4 | digit
        }
        return unit
    }

    static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte - 0x30)
        case 0x41...0x46: UInt32(byte - 0x41 + 10)
        case 0x61...0x66: UInt32(byte - 0x61 + 10)
        default: nil
        }
    }

    /// Moves over one multi-byte character (Unicode 15, table 3-7).
    private mutating func skipUTF8() throws(JSONError) {
        let lead = bytes[offset]
        let second = offset + 1 < bytes.count ? bytes[offset + 1] : 0
        let (length, low, high): (Int, UInt8, UInt8)
        switch lead {
        case 0xC2...0xDF: (length, low, high) = (2, 0x80, 0xBF)
        case 0xE0: (length, low, high) = (3, 0xA0, 0xBF)
        case 0xE1...0xEC, 0xEE...0xEF: (length, low, high) = (3, 0x80, 0xBF)
        case 0xED: (length, low, high) = (3, 0x80, 0x9F)
        case 0xF0: (length, low, high) = (4, 0x90, 0xBF)
        case 0xF1...0xF3: (length, low, high) = (4, 0x80, 0xBF)
        case 0xF4: (length, low, high) = (4, 0x80, 0x8F)
        default: throw invalidUTF8()
        }
        guard offset + length <= bytes.count, second >= low, second <= high else {
            throw invalidUTF8()
        }
        for index in offset + 2..<max(offset + 2, offset + length)
        where bytes[index] & 0xC0 != 0x80 {
            throw invalidUTF8()
        }
        offset += length
    }

    private func invalidUTF8() -> JSONError {
        error(.invalidUTF8, "a string is not valid UTF-8 at byte \(Self.name(bytes[offset]))")
    }

    /// Moves over the number that begins here.
    mutating func skipNumber() throws(JSONError) {
        let number = offset
        if peek() == 0x2D { offset += 1 }
        let first = peek()
        let integerDigits = skipDigits()
        guard integerDigits > 0 else { throw error(.number, "a number needs a digit here") }
        if first == 0x30, integerDigits > 1 {
            throw JSONError(
                .number,
                at: offset - integerDigits,
                in: bytes,
                "a number has leading zeros"
            )
        }
        if peek() == 0x2E {
            offset += 1
            guard skipDigits() > 0 else {
                throw error(.number, "a number needs a digit after the decimal point")
            }
        }
        guard let mark = peek(), mark | 0x20 == 0x65 else { return }
        offset += 1
        if let sign = peek(), sign == 0x2B || sign == 0x2D { offset += 1 }
        let start = offset
        let digits = skipDigits()
        guard digits > 0 else { throw error(.number, "a number needs a digit in its exponent") }
        guard digits <= JSONLimits.exponentDigits else {
            throw JSONError(
                .exponent,
                at: start,
                in: bytes,
                "an exponent has \(digits) digits; the limit is \(JSONLimits.exponentDigits)"
            )
        }
        guard digits == JSONLimits.exponentDigits else { return }
        // With the point after the first digit, the exponent changes, and may be longer.
        var canonical: [UInt8] = []
        CanonicalNumber.write(
            UnsafeRawBufferPointer(rebasing: bytes[number..<offset]),
            to: &canonical
        )
        guard let mark = canonical.lastIndex(of: 0x65) else { return }
        let exponent = canonical[(mark + 2)...]
        if exponent.count > JSONLimits.exponentDigits {
            throw JSONError(
                .exponent,
                at: start,
                in: bytes,
                "in canonical form the exponent has \(exponent.count) digits; the limit is \(JSONLimits.exponentDigits)"
            )
        }
    }

    @inline(__always)
    private mutating func skipDigits() -> Int {
        let start = offset
        while offset < bytes.count, bytes[offset] &- 0x30 <= 9 { offset += 1 }
        return offset - start
    }

    mutating func skipLiteral(_ literal: StaticString) throws(JSONError) {
        let start = offset
        for index in 0..<literal.utf8CodeUnitCount {
            guard offset < bytes.count else {
                throw error(.unexpectedEnd, "the document ends inside the word \(literal)")
            }
            guard bytes[offset] == literal.utf8Start[index] else {
                throw JSONError(
                    .syntax,
                    at: start,
                    in: bytes,
                    "this is not a JSON value; was '\(literal)' meant?"
                )
            }
            offset += 1
        }
    }

    func error(_ code: JSONError.Code, _ message: String) -> JSONError {
        JSONError(code, at: offset, in: bytes, message)
    }

    /// The error if `take` returned something other than `expected`.
    func unexpected(_ taken: UInt8?, _ expected: String) -> JSONError {
        guard let taken else {
            return error(.unexpectedEnd, "the document ends where \(expected) is needed")
        }
        return JSONError(
            .syntax,
            at: offset - 1,
            in: bytes,
            "\(expected) is needed, not \(Self.name(taken))"
        )
    }

    /// A byte in readable form.
    static func name(_ byte: UInt8) -> String {
        if byte > 0x20, byte < 0x7F { return "'\(Character(UnicodeScalar(byte)))'" }
        return "0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
