/// Scans SQL text by SQLite's rules for tokens (sqlite.org/syntax, `tokenize.c`), as far as needed to find where
/// statements end and which parameters they use.
struct SQLScanner {
    enum Token: Equatable {
        case semicolon
        /// A keyword, a name without quotation marks, or a number.
        case word
        /// `:name`; the range is the name's.
        case parameter(Range<Int>)
        /// A parameter of a form that we do not support: `?`, `@x`, `$x`, `#x`.
        case foreignParameter
        /// `--` up to, not including, the end of the line.
        case lineComment
        case blockComment
        /// A string, a quoted name, or an operator.
        case other
    }

    let bytes: UnsafeRawBufferPointer
    /// Where the next token begins.
    private(set) var offset = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func skipSpace() {
        while offset < bytes.count, Self.isSpace(bytes[offset]) { offset += 1 }
    }

    mutating func move(to offset: Int) { self.offset = min(max(offset, 0), bytes.count) }

    /// Reads a token; nil at the end.
    mutating func next() throws(ProjectionFileError) -> (token: Token, range: Range<Int>)? {
        skipSpace()
        let start = offset
        guard start < bytes.count else { return nil }
        let token = try readToken(bytes[start])
        return (token, start..<offset)
    }

    private mutating func readToken(_ byte: UInt8) throws(ProjectionFileError) -> Token {
        switch byte {
        case 0x3B:  // ;
            offset += 1
            return .semicolon
        case 0x27, 0x22, 0x60:  // ' " `
            try skipQuoted(byte)
            return .other
        case 0x5B:  // [
            try skip(past: [0x5D], "a name in brackets is not closed")
            return .other
        case 0x2D where peek(1) == 0x2D:
            while offset < bytes.count, bytes[offset] != 0x0A { offset += 1 }
            return .lineComment
        case 0x2F where peek(1) == 0x2A:
            let start = offset
            offset += 2
            try skip(past: [0x2A, 0x2F], "a comment is not closed", from: start)
            return .blockComment
        case 0x3A:  // :
            return try readParameter()
        case 0x3F, 0x40, 0x23, 0x24:  // ? @ # $
            offset += 1
            skipWord()
            return .foreignParameter
        case 0x00:
            throw ProjectionFileError(
                .encoding,
                at: offset,
                in: bytes,
                "the file contains a NUL byte"
            )
        default:
            guard Self.isWord(byte) else {
                offset += 1
                return .other
            }
            skipWord()
            return .word
        }
    }

    /// `:name`. SQLite would take a following `::` or parentheses as parts of the name.
    private mutating func readParameter() throws(ProjectionFileError) -> Token {
        let start = offset
        offset += 1
        skipWord()
        guard offset > start + 1 else {
            throw ProjectionFileError(
                .parameter,
                at: start,
                in: bytes,
                "':' must be followed by the name of a parameter"
            )
        }
        if peek(0) == 0x28 || (peek(0) == 0x3A && peek(1) == 0x3A) {
            throw ProjectionFileError(
                .parameter,
                at: offset,
                in: bytes,
                "SQLite would read this as a part of the parameter's name; put a space before it"
            )
        }
        return .parameter(start + 1..<offset)
    }

    /// A string or quoted name: a doubled quotation mark stands for itself.
    private mutating func skipQuoted(_ quote: UInt8) throws(ProjectionFileError) {
        let start = offset
        offset += 1
        while offset < bytes.count {
            if bytes[offset] == quote {
                guard peek(1) == quote else {
                    offset += 1
                    return
                }
                offset += 1
            }
            offset += 1
        }
        throw ProjectionFileError(
            .unterminated,
            at: start,
            in: bytes,
            quote == 0x27 ? "a string is not closed" : "a quoted name is not closed"
        )
    }

    private mutating func skip(
        past end: [UInt8],
        _ message: String,
        from start: Int? = nil
    ) throws(ProjectionFileError) {
        let start = start ?? offset
        while offset + end.count <= bytes.count {
            if bytes[offset..<offset + end.count].elementsEqual(end) {
                offset += end.count
                return
            }
            offset += 1
        }
        throw ProjectionFileError(.unterminated, at: start, in: bytes, message)
    }

    private mutating func skipWord() {
        while offset < bytes.count, Self.isWord(bytes[offset]) { offset += 1 }
    }

    private func peek(_ ahead: Int) -> UInt8? {
        offset + ahead < bytes.count ? bytes[offset + ahead] : nil
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// SQLite's `IdChar`: letters, digits, `_`, `$`, and all non-ASCII bytes.
    static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x24, 0x80...0xFF: true
        default: false
        }
    }
}
