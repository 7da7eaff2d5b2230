/// Why a projection file is not acceptable, and where.
public struct ProjectionFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Stable reasons.
    public enum Code: String, Sendable, CaseIterable {
        /// Not UTF-8, a NUL byte, or a byte order mark.
        case encoding = "projection_encoding"
        /// More bytes or statements than ``ProjectionFile`` allows.
        case tooLarge = "projection_too_large"
        /// The header is missing, incomplete, repeated or not at the start.
        case header = "projection_header"
        case name = "projection_name"
        case version = "projection_version"
        /// An unknown word after `-- tally:`, or one with wrong arguments.
        case marker = "projection_marker"
        /// A marker that does not begin in column 1, or stands inside a statement.
        case markerPlace = "projection_marker_place"
        case pattern = "projection_pattern"
        /// A section that is empty, repeated without permission, or never used.
        case section = "projection_section"
        /// A statement before the first section, or of a kind that its section does not allow.
        case statement = "projection_statement"
        /// A parameter that is unknown or has no name.
        case parameter = "projection_parameter"
        /// A string, quoted name or comment that is not closed.
        case unterminated = "projection_unterminated"
    }

    /// The kind of failure.
    public let code: Code
    /// 1-based.
    public let line: Int
    /// 1-based, in bytes.
    public let column: Int
    /// What is wrong, in one sentence.
    public let message: String

    init(_ code: Code, at offset: Int, in bytes: UnsafeRawBufferPointer, _ message: String) {
        let place = TextPlace(of: offset, in: bytes)
        self.code = code
        self.line = place.line
        self.column = place.column
        self.message = message
    }

    public var description: String { "line \(line), column \(column): \(message)" }
}

/// The position of a byte in a text: line and column are 1-based, the column in bytes.
struct TextPlace: Sendable, Equatable {
    let line: Int
    let column: Int

    init(of offset: Int, in bytes: UnsafeRawBufferPointer) {
        let offset = min(max(0, offset), bytes.count)
        var line = 1
        var start = 0
        for index in 0..<offset where bytes[index] == 0x0A {
            line += 1
            start = index + 1
        }
        self.line = line
        column = offset - start + 1
    }
}
