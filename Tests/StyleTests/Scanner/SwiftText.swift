/// A Swift file, taken apart into code, literals and comments.
///
/// The scan is lexical: it knows strings of every form with their interpolations, nested comments and literals of
/// regular expressions, and nothing of types.
struct SwiftText {
    struct Piece {
        /// The line on which the piece begins, from 1.
        var line: Int
        /// Of a literal: what is between its quotes, with `\()` for each interpolation.
        var text: String
    }

    /// The file's bytes, with a blank for each byte of a comment or literal. Interpolations are code.
    private(set) var code: [UInt8]
    private(set) var literals: [Piece] = []
    /// One for each line of a comment, from its `//` or `/*` on.
    private(set) var comments: [Piece] = []

    private let bytes: [UInt8]
    private var index = 0
    private var line = 1

    init(_ text: String) {
        bytes = Array(text.utf8)
        code = bytes.map { $0 == UInt8(ascii: "\n") ? $0 : UInt8(ascii: " ") }
        scanCode(isInterpolation: false)
    }

    private func byte(_ offset: Int = 0) -> UInt8? {
        index + offset < bytes.count ? bytes[index + offset] : nil
    }

    private func isAt(_ text: StaticString, _ offset: Int = 0) -> Bool {
        text.withUTF8Buffer { text in
            index + offset + text.count <= bytes.count
                && text.indices.allSatisfy { bytes[index + offset + $0] == text[$0] }
        }
    }

    private mutating func advance() {
        if bytes[index] == UInt8(ascii: "\n") { line += 1 }
        index += 1
    }

    /// Reads code to the end, or to the parenthesis that closes an interpolation.
    private mutating func scanCode(isInterpolation: Bool) {
        var depth = 0
        var previous = UInt8(ascii: "(")
        while let byte = byte() {
            // Most bytes begin nothing.
            guard "/\"#()".utf8.contains(byte) else {
                code[index] = byte
                if byte > UInt8(ascii: " ") { previous = byte }
                advance()
                continue
            }
            if isAt("//") {
                scanLineComment()
                continue
            }
            if isAt("/*") {
                scanBlockComment()
                continue
            }
            let pounds = bytes[index...].prefix(4).prefix { $0 == UInt8(ascii: "#") }.count
            if isAt("\"", pounds) {
                code[index] = UInt8(ascii: "\"")
                scanLiteral(pounds)
                previous = UInt8(ascii: "\"")
                continue
            }
            if isAt("/", pounds), pounds > 0 || beginsExpression(after: previous) {
                scanExpression(pounds)
                previous = UInt8(ascii: "/")
                continue
            }
            if byte == UInt8(ascii: "(") { depth += 1 }
            if byte == UInt8(ascii: ")") {
                if isInterpolation, depth == 0 { return }
                depth -= 1
            }
            code[index] = byte
            previous = byte
            advance()
        }
    }

    /// Whether a slash after a byte of code begins a regular expression, and is not an operator.
    private func beginsExpression(after previous: UInt8) -> Bool {
        guard "(,:=".utf8.contains(previous), let next = byte(1) else { return false }
        return next > UInt8(ascii: " ") && next != UInt8(ascii: ")")
    }

    private mutating func scanExpression(_ pounds: Int) {
        index += pounds + 1
        while let byte = byte(), byte != UInt8(ascii: "\n") || pounds > 0 {
            if byte == UInt8(ascii: "\\") {
                advance()
            } else if byte == UInt8(ascii: "/"),
                (1...max(1, pounds)).allSatisfy({
                    pounds == 0 || self.byte($0) == UInt8(ascii: "#")
                })
            {
                index += pounds + 1
                return
            }
            if index < bytes.count { advance() }
        }
    }

    private mutating func scanLineComment() {
        let start = index
        while let byte = byte(), byte != UInt8(ascii: "\n") { index += 1 }
        comments.append(
            Piece(line: line, text: String(decoding: bytes[start..<index], as: UTF8.self))
        )
    }

    private mutating func scanBlockComment() {
        let (start, first) = (index, line)
        var depth = 0
        repeat {
            if isAt("/*") {
                depth += 1
                index += 2
            } else if isAt("*/") {
                depth -= 1
                index += 2
            } else {
                advance()
            }
        } while depth > 0 && index < bytes.count
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        for (offset, part) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            comments.append(Piece(line: first + offset, text: String(part)))
        }
    }

    private mutating func scanLiteral(_ pounds: Int) {
        let first = line
        let isMultiline = isAt("\"\"\"", pounds)
        let quotes = isMultiline ? 3 : 1
        index += pounds + quotes
        var text: [UInt8] = []
        while let byte = byte() {
            if byte == UInt8(ascii: "\""), ends(quotes, pounds) {
                index += quotes + pounds
                break
            }
            // A literal on one line never passes its end, so that a mistake of this scan stays small.
            if byte == UInt8(ascii: "\n"), !isMultiline { break }
            if byte == UInt8(ascii: "\\"), poundsFollow(1, pounds) {
                if isAt("(", 1 + pounds) {
                    index += 2 + pounds
                    text += Array("\\()".utf8)
                    scanCode(isInterpolation: true)
                    if index < bytes.count { advance() }
                    continue
                }
                text.append(byte)
                index += 1 + pounds
                if index < bytes.count {
                    text.append(bytes[index])
                    advance()
                }
                continue
            }
            text.append(byte)
            advance()
        }
        literals.append(Piece(line: first, text: String(decoding: text, as: UTF8.self)))
    }

    private func ends(_ quotes: Int, _ pounds: Int) -> Bool {
        (0..<quotes).allSatisfy { byte($0) == UInt8(ascii: "\"") } && poundsFollow(quotes, pounds)
    }

    private func poundsFollow(_ offset: Int, _ pounds: Int) -> Bool {
        (0..<pounds).allSatisfy { byte(offset + $0) == UInt8(ascii: "#") }
    }
}
