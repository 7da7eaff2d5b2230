/// Why bytes are not acceptable JSON, and where.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Stable reasons.
    public enum Code: String, Sendable {
        case syntax = "json_syntax"
        case unexpectedEnd = "json_unexpected_end"
        case duplicateMember = "json_duplicate_member"
        case loneSurrogate = "json_lone_surrogate"
        case invalidUTF8 = "json_invalid_utf8"
        case tooDeep = "json_too_deep"
        case tooLarge = "json_too_large"
        case trailingBytes = "json_trailing_bytes"
        case nulInName = "json_nul_in_name"
        case controlCharacter = "json_control_character"
        case number = "json_number"
        case exponent = "json_exponent"
        case byteOrderMark = "json_byte_order_mark"
    }

    /// The kind of failure.
    public let code: Code
    /// 0-based, from the start of the document.
    public let offset: Int
    /// 1-based.
    public let line: Int
    /// 1-based, in bytes.
    public let column: Int
    /// What is wrong, in one sentence.
    public let message: String

    init(_ code: Code, at offset: Int, in bytes: UnsafeRawBufferPointer, _ message: String) {
        let offset = min(max(0, offset), bytes.count)
        var line = 1
        var lineStart = 0
        for index in 0..<offset where bytes[index] == 0x0A {
            line += 1
            lineStart = index + 1
        }
        self.code = code
        self.offset = offset
        self.line = line
        self.column = offset - lineStart + 1
        self.message = message
    }

    public var description: String { "line \(line), column \(column): \(message)" }
}

/// Limits of every JSON document that Tallystick reads.
public struct JSONLimits: Sendable, Equatable {
    /// Maximum nesting of arrays and objects.
    public var depth: Int
    /// Bytes of one document.
    public var bytes: Int

    /// Custom limits.
    public init(depth: Int, bytes: Int) {
        self.depth = depth
        self.bytes = bytes
    }

    /// 512 levels, 16 MiB.
    public static let standard = JSONLimits(depth: 512, bytes: 16 << 20)
    /// Digits of an exponent.
    public static let exponentDigits = 9
}
