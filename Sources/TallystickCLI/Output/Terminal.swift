import Glibc
import Tallystick
import TallystickCore

/// What reaches a terminal or a pipe.
enum Terminal {
    static var outputIsTerminal: Bool { isatty(1) == 1 }
    static var errorIsTerminal: Bool { isatty(2) == 1 }

    /// Columns of the terminal behind standard output; nil when it is none.
    static var width: Int? {
        guard outputIsTerminal else { return nil }
        var size = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Columns of the terminal behind standard error; 80 when it does not tell.
    static var errorWidth: Int {
        var size = winsize()
        guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Whether standard output shows bold and dim text (no-color.org).
    private static var hasStyles: Bool {
        guard outputIsTerminal, getenv("NO_COLOR").map({ $0.pointee == 0 }) ?? true else {
            return false
        }
        return getenv("TERM").map { String(cString: $0) != "dumb" } ?? false
    }

    /// How a difference is shown.
    enum Style: String {
        /// What there was.
        case old = "31"
        /// What there is instead.
        case new = "32"
    }

    static func styled(_ text: String, _ style: Style) -> String {
        hasStyles && !text.isEmpty ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// A word that differs, readable on light and on dark terminals.
    static func marked(_ text: String) -> String {
        hasStyles ? "\u{1B}[1;4m\(text)\u{1B}[0m" : text
    }

    static func emphasised(_ text: String) -> String {
        hasStyles ? "\u{1B}[1m\(text)\u{1B}[0m" : text
    }
    static func dimmed(_ text: String) -> String { hasStyles ? "\u{1B}[2m\(text)\u{1B}[0m" : text }

    /// Text without anything that a terminal would obey: control characters become `\x1b`.
    static func escaped(_ text: String) -> String {
        if text.utf8.allSatisfy({ 0x20 <= $0 && $0 < 0x7F }) { return text }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var escaped = ""
        for scalar in text.unicodeScalars {
            guard isControl(scalar) else {
                escaped.unicodeScalars.append(scalar)
                continue
            }
            switch scalar {
            case "\n": escaped += "\\n"
            case "\r": escaped += "\\r"
            case "\t": escaped += "\\t"
            default:
                let digits = String(scalar.value, radix: 16)
                escaped +=
                    scalar.value < 256
                    ? "\\x" + (digits.count < 2 ? "0" : "") + digits : "\\u{\(digits)}"
            }
        }
        return escaped
    }

    /// JSON with `\u` escapes for characters of ``escaped(_:)`` that JSON allows as they are.
    static func escapedJSON(_ bytes: [UInt8]) -> [UInt8] {
        if bytes.allSatisfy({ $0 < 0x7F }) { return bytes }
        var escaped = ""
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            guard scalar.value >= 0x7F, isControl(scalar) else {
                escaped.unicodeScalars.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return Array(escaped.utf8)
    }

    /// Control characters, and what is invisible or turns the direction of text. Joiners stay: scripts and
    /// emoji need them.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1F, 0x7F...0x9F, 0x61C, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x2069,
            0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE007F:
            true
        default: false
        }
    }

    /// Writes to standard error, control characters escaped line by line.
    static func note(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let safe = lines.map { escaped(String($0)) }.joined(separator: "\n") + "\n"
        writeError(safe)
    }

    /// Writes to standard error as it is.
    static func writeError(_ text: String) {
        let bytes = Array(text.utf8)
        // Nobody can be told that telling failed.
        _ = Glibc.write(2, bytes, bytes.count)
    }

    /// Tells of a failure: what, where, why, and what to do.
    static func report(_ error: StoreError, command: String) {
        let subject = error.subject.isEmpty ? "" : " (\(error.subject))"
        let program = command.isEmpty ? "tally" : "tally \(command)"
        note("\(program): \(error.operation)\(subject): \(error.message) [\(error.code)]")
        if !error.hint.isEmpty { note("hint: \(error.hint)") }
    }
}
