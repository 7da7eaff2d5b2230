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

    /// Text without anything that a terminal would obey: control characters become `\x1b`.
    static func escaped(_ text: String) -> String {
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
                escaped += scalar.value < 256
                    ? "\\x" + (digits.count < 2 ? "0" : "") + digits : "\\u{\(digits)}"
            }
        }
        return escaped
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            || (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
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
        note("tally \(command): \(error.operation)\(subject): \(error.message)")
        if !error.hint.isEmpty { note("hint: \(error.hint)") }
    }
}
