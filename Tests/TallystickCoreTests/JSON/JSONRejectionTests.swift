import TallystickCore
import TallystickTestSupport
import Testing

@Suite("JSON that is refused")
struct JSONRejectionTests {
    private func error(_ bytes: [UInt8]) -> JSONError? {
        var tape = JSONTape()
        do {
            try bytes.withUnsafeBytes { try tape.parse($0) }
            return nil
        } catch {
            return error as? JSONError
        }
    }

    @Test(
        "A number whose canonical form is within the limits is accepted, and reads as itself",
        arguments: [
            "1e999999999", "-9.5e-999999999", "0e999999999", "-123456789012345e000000000",
            "0.1234567890123e000000001", "12345678901234567890123e000000000", "100e999999997",
            "0.001e-999999996",
        ]
    )
    func longExponents(_ text: String) throws {
        #expect(error(Array(text.utf8)) == nil)
        var canonical: [UInt8] = []
        Array(text.utf8).withUnsafeBytes { CanonicalNumber.write($0, to: &canonical) }
        #expect(error(canonical) == nil, "\(String(decoding: canonical, as: UTF8.self))")
        var again: [UInt8] = []
        canonical.withUnsafeBytes { CanonicalNumber.write($0, to: &again) }
        #expect(again == canonical)
    }

    @Test(
        "Each mistake has its code and its place",
        arguments: [
            ("", JSONError.Code.unexpectedEnd, 0), ("  ", .unexpectedEnd, 2),
            ("{", .unexpectedEnd, 1),
            ("[1,", .unexpectedEnd, 3), ("{\"a\"", .unexpectedEnd, 4),
            ("{\"a\":", .unexpectedEnd, 5),
            ("{\"a\":1", .unexpectedEnd, 6), ("\"abc", .unexpectedEnd, 4),
            ("tru", .unexpectedEnd, 3),
            ("[1 2]", .syntax, 3), ("{a:1}", .syntax, 1), ("{\"a\" 1}", .syntax, 5),
            ("[1,]", .syntax, 3),
            ("{\"a\":1,}", .syntax, 7), ("nul!", .syntax, 0), ("'a'", .syntax, 0),
            ("\"\\x\"", .syntax, 1),
            ("\"\\u12g4\"", .syntax, 1), ("[1]]", .trailingBytes, 3), ("1 1", .trailingBytes, 2),
            ("{\"a\":1,\"a\":2}", .duplicateMember, 7),
            ("{\"a\":1,\"\\u0061\":2}", .duplicateMember, 7),
            ("\"\\ud800\"", .loneSurrogate, 1), ("\"\\udc00\"", .loneSurrogate, 1),
            ("\"\\ud800\\u0041\"", .loneSurrogate, 1), ("{\"\\u0000\":1}", .nulInName, 1),
            ("\"a\u{1}\"", .controlCharacter, 2), ("01", .number, 0), ("1.", .number, 2),
            ("-", .number, 1),
            ("1e", .number, 2), ("1e1234567890", .exponent, 2), ("10e999999999", .exponent, 3),
            ("17079576471e999999999", .exponent, 12), ("-0.01e-999999999", .exponent, 7),
            ("+1", .syntax, 0),
            (".5", .syntax, 0),
            ("NaN", .syntax, 0), ("\u{FEFF}{}", .byteOrderMark, 0),
        ]
    )
    func places(_ text: String, _ code: JSONError.Code, _ offset: Int) {
        let error = error(Array(text.utf8))
        #expect(error?.code == code, "\(text): \(String(describing: error))")
        #expect(error?.offset == offset, "\(text): \(String(describing: error))")
    }

    @Test("Line and column are those of the mistake")
    func lines() {
        let error = error(Array("{\n  \"a\": 1,\n  \"b\": x\n}".utf8))
        #expect(error?.line == 3)
        #expect(error?.column == 8)
    }

    @Test(
        "Invalid UTF-8 is refused",
        arguments: [
            [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
            [0xF0, 0x80, 0x80, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80], [0xE2, 0x82], [0xFF],
        ] as [[UInt8]]
    )
    func encoding(_ bytes: [UInt8]) {
        #expect(error([0x22] + bytes + [0x22])?.code == .invalidUTF8)
    }

    @Test("Nesting is bounded at 512 levels, and a million levels overflow nothing")
    func nesting() {
        func nested(_ depth: Int) -> [UInt8] {
            [UInt8](repeating: 0x5B, count: depth) + [UInt8](repeating: 0x5D, count: depth)
        }
        #expect(error(nested(512)) == nil)
        #expect(error(nested(513))?.code == .tooDeep)
        #expect(error(nested(1_000_000))?.code == .tooDeep)
    }

    @Test("A document over the limit is refused before it is read")
    func size() {
        #expect(error([UInt8](repeating: 0x20, count: (16 << 20) + 1))?.code == .tooLarge)
    }

    @Test("A hundred thousand members are checked for duplicates in reasonable time")
    func manyMembers() {
        let members = (0..<100_000).map { "\"k\($0 * 7919 % 100_000)\":0" }
        #expect(error(Array(("{" + members.joined(separator: ",") + "}").utf8)) == nil)
        let doubled = members + ["\"k5\":1"]
        let found = error(Array(("{" + doubled.joined(separator: ",") + "}").utf8))
        #expect(found?.code == .duplicateMember)
    }

    @Test("Damaged documents yield an error or a document, never a trap")
    func damage() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let original = Array(
            "{\"a\":[1,2.5e3,\"x\\u00e9\",{\"b\":null}],\"é\":\"\u{1F600}\",\"c\":-0.1}".utf8
        )
        for _ in 0..<20_000 {
            var bytes = original
            for _ in 0...Int(random.next() % 3) {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(
                    truncatingIfNeeded: random.next()
                )
            }
            bytes.removeLast(Int(random.next() % 5))
            var tape = JSONTape()
            bytes.withUnsafeBytes { buffer in
                guard (try? tape.parse(buffer)) != nil else { return }
                var once: [UInt8] = []
                CanonicalJSON.write(0, of: tape, in: buffer, to: &once)
                #expect((try? CanonicalJSON.canonicalize(once)) == once, "seed \(seed)")
            }
        }
    }
}
