/// A word or a single character of Swift code.
struct Token {
    var text: String
    /// From 1.
    var line: Int
    var isWord: Bool

    /// Takes apart code without comments and literals, as `SwiftText` gives it.
    static func tokens(of code: [UInt8]) -> [Token] {
        var tokens: [Token] = []
        var (index, line) = (0, 1)
        while index < code.count {
            let byte = code[index]
            if isPartOfWord(byte) {
                var end = index + 1
                while end < code.count, isPartOfWord(code[end]) { end += 1 }
                let text = String(decoding: code[index..<end], as: UTF8.self)
                tokens.append(Token(text: text, line: line, isWord: true))
                index = end
                continue
            }
            if byte == UInt8(ascii: "\n") { line += 1 }
            if byte > UInt8(ascii: " "), byte != UInt8(ascii: "`") {
                let text = String(UnicodeScalar(byte))
                tokens.append(Token(text: text, line: line, isWord: false))
            }
            index += 1
        }
        return tokens
    }

    private static func isPartOfWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...:
            true
        default: false
        }
    }
}
