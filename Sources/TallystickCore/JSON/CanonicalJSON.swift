/// Writes canonical JSON: RFC 8785, except for numbers whose value that would change (see ``CanonicalNumber``).
public enum CanonicalJSON {
    /// The canonical form of a document.
    public static func canonicalize(
        _ document: [UInt8],
        limits: JSONLimits = .standard
    ) throws(JSONError) -> [UInt8] {
        var tape = JSONTape(limits: limits)
        var output: [UInt8] = []
        var failure: JSONError?
        document.withUnsafeBytes { bytes in
            do throws(JSONError) {
                try tape.parse(bytes)
                output.reserveCapacity(bytes.count)
                write(0, of: tape, in: bytes, to: &output)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return output
    }

    /// Appends the canonical form of one value of a parsed document.
    ///
    /// Recursion is as deep as the document, which the parser bounds.
    package static func write(
        _ node: Int,
        of tape: borrowing JSONTape,
        in bytes: UnsafeRawBufferPointer,
        to output: inout [UInt8]
    ) {
        switch tape.nodes[node].kind {
        case .null, .true, .false:
            output.append(contentsOf: tape.token(node, bytes))
        case .number:
            CanonicalNumber.write(tape.token(node, bytes), to: &output)
        case .string:
            writeString(node, of: tape, in: bytes, to: &output)
        case .array:
            output.append(0x5B)
            var element = node + 1
            for index in 0..<Int(tape.nodes[node].count) {
                if index > 0 { output.append(0x2C) }
                write(element, of: tape, in: bytes, to: &output)
                element = Int(tape.nodes[element].next)
            }
            output.append(0x5D)
        case .object:
            output.append(0x7B)
            var name = node + 1
            let orderStart = Int(tape.nodes[node].orderStart)
            for index in 0..<Int(tape.nodes[node].count) {
                if orderStart >= 0 { name = Int(tape.order[orderStart + index]) }
                if index > 0 { output.append(0x2C) }
                writeString(name, of: tape, in: bytes, to: &output)
                output.append(0x3A)
                write(name + 1, of: tape, in: bytes, to: &output)
                name = Int(tape.nodes[name + 1].next)
            }
            output.append(0x7D)
        }
    }

    private static func writeString(
        _ node: Int,
        of tape: borrowing JSONTape,
        in bytes: UnsafeRawBufferPointer,
        to output: inout [UInt8]
    ) {
        if tape.nodes[node].hasEscapes {
            let text = JSONString.unescaped(tape.nodes[node], in: bytes)
            text.withUnsafeBytes { writeString($0, to: &output) }
        } else {
            // A string without escapes contains nothing that needs one.
            output.append(contentsOf: tape.token(node, bytes))
        }
    }

    /// Appends text (UTF-8) as a string: quotation marks, and the escapes that RFC 8785 requires.
    public static func writeString(_ text: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        write(text, to: &output)
    }

    /// Appends text (UTF-8) as a string.
    package static func writeString(_ text: UnsafeRawBufferPointer, to output: inout ByteBuffer) {
        write(text, to: &output)
    }

    private static func write<Output: ByteOutput & ~Copyable>(
        _ text: UnsafeRawBufferPointer,
        to output: inout Output
    ) {
        output.append(0x22)
        var plain = 0
        while true {
            let end = JSONWord.firstToEscape(in: text, from: plain)
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[plain..<end]))
            if end == text.count { break }
            writeEscape(text[end], to: &output)
            plain = end + 1
        }
        output.append(0x22)
    }

    /// Appends a string.
    public static func writeString(_ text: String, to output: inout [UInt8]) {
        var text = text
        text.withUTF8 { writeString(UnsafeRawBufferPointer($0), to: &output) }
    }

    private static func writeEscape<Output: ByteOutput & ~Copyable>(
        _ byte: UInt8,
        to output: inout Output
    ) {
        output.append(0x5C)
        switch byte {
        case 0x22, 0x5C: output.append(byte)
        case 0x08: output.append(0x62)
        case 0x09: output.append(0x74)
        case 0x0A: output.append(0x6E)
        case 0x0C: output.append(0x66)
        case 0x0D: output.append(0x72)
        default:
            output.append(0x75)
            output.append(0x30)
            output.append(0x30)
            output.append(byte < 0x10 ? 0x30 : 0x31)
            let low = byte & 15
            output.append(low < 10 ? 0x30 + low : 0x57 + low)
        }
    }
}

extension CanonicalJSON {
    /// The text of a canonical string, quotation marks included, as UTF-8.
    public static func text(ofString string: UnsafeRawBufferPointer) -> [UInt8] {
        guard string.count >= 2 else { return [] }
        let content = UnsafeRawBufferPointer(rebasing: string[1..<string.count - 1])
        guard content.contains(0x5C) else { return [UInt8](content) }
        var text: [UInt8] = []
        text.reserveCapacity(content.count)
        JSONString.unescape(content, into: &text)
        return text
    }
}
