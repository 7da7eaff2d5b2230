import Foundation
import TallystickCore
import TallystickTestSupport
import Testing

private func canonical(_ text: String) throws -> String {
    String(decoding: try CanonicalJSON.canonicalize(Array(text.utf8)), as: UTF8.self)
}

@Suite("Canonical form")
struct CanonicalJSONTests {
    @Test(
        "RFC 8785's published vectors hold",
        .enabled(if: PublicVectors.arePresent, "\(PublicVectors.absence)")
    )
    func publishedVectors() throws {
        let names = ["arrays", "french", "structures", "unicode", "values", "weird"]
        for name in names {
            let input = try #require(PublicVectors.bytes("rfc8785/input/\(name).json"))
            let output = try #require(PublicVectors.bytes("rfc8785/output/\(name).json"))
            let hex = try #require(PublicVectors.bytes("rfc8785/outhex/\(name).txt"))
            let actual = try CanonicalJSON.canonicalize(input)
            #expect(actual == output, "\(name)")
            let digits = String(decoding: hex, as: UTF8.self).filter { !$0.isWhitespace }
            #expect(Hex.string(actual) == digits, "\(name)")
        }
    }

    @Test("Cases of an independent model hold")
    func independentCases() throws {
        struct Case: Decodable {
            var `case`: String
            var input: String
            var canonical: String
            var sha256: String
            var crc32: String
        }
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../fixtures/canonical-json/cases.json")
        let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: file))
        #expect(cases.count > 10)
        for item in cases {
            let bytes = try CanonicalJSON.canonicalize(Array(item.input.utf8))
            #expect(bytes == Array(item.canonical.utf8), "\(item.case)")
            #expect(SHA256Digest(hashing: bytes).hex == item.sha256, "\(item.case)")
            let crc = withUnsafeBytes(of: CRC32.checksum(bytes).bigEndian) { Hex.string($0) }
            #expect(crc == item.crc32, "\(item.case)")
        }
    }

    @Test(
        "A number keeps the value that people rely on",
        arguments: [
            ("0", "0"), ("-0", "0"), ("-0.0e5", "0"), ("1.0", "1"), ("10.0", "10"), ("1e3", "1000"),
            ("1E0400", "1e+400"), ("-1e-400", "-1e-400"), ("1e-7", "1e-7"),
            ("0.000001", "0.000001"),
            ("123456789012345678901", "123456789012345678901"), ("1e21", "1e+21"),
            ("9007199254740993", "9007199254740993"), ("9007199254740992", "9007199254740992"),
            ("9007199254740993.0", "9007199254740993"), ("900719925474099.3e1", "9007199254740993"),
            ("9007199254740993e5", "900719925474099300000"),
            ("9007199254740993e6", "9.007199254740993e+21"),
            ("0.1234567890123456789", "0.1234567890123456789"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("1.0000000000000001", "1"), ("3.14159265358979323846", "3.14159265358979323846"),
            ("333333333.33333329", "333333333.3333333"), ("5e-324", "5e-324"),
            ("4.9e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"), ("1e999999999", "1e+999999999"),
            ("1.50", "1.5"), ("-12.340e-2", "-0.1234"),
        ]
    )
    func numbers(_ input: String, _ expected: String) throws {
        #expect(try canonical(input) == expected)
        #expect(try canonical(expected) == expected, "canonical form is a fixed point")
    }

    @Test("Members are sorted by UTF-16 code units, escapes resolved, strings kept byte for byte")
    func order() throws {
        #expect(try canonical("{\"b\":1,\"a\":2,\"\\u0061a\":3}") == "{\"a\":2,\"aa\":3,\"b\":1}")
        #expect(
            try canonical("{\"\u{FB33}\":1,\"\u{1F600}\":2}") == "{\"\u{1F600}\":2,\"\u{FB33}\":1}"
        )
        // Composed and decomposed é are different names.
        let decomposed = "{\"e\u{301}\":1,\"\u{E9}\":2}"
        #expect(try CanonicalJSON.canonicalize(Array(decomposed.utf8)) == Array(decomposed.utf8))
        #expect(try canonical("\"\\u000a\\u001F\\/\"") == "\"\\n\\u001f/\"")
    }

    @Test("Canonical form is idempotent on random documents")
    func idempotence() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            let document = RandomJSON.value(&random, depth: 4)
            let once = try CanonicalJSON.canonicalize(Array(document.utf8))
            #expect(try CanonicalJSON.canonicalize(once) == once, "seed \(seed): \(document)")
        }
    }

    @Test(
        "A million random doubles are written as ECMAScript writes them",
        .enabled(if: Node.path != nil)
    )
    func doublesAsNodeWritesThem() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        var literals: [String] = []
        var ours: [UInt8] = []
        while literals.count < 1_000_000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            literals.append(String(value.bitPattern))
            CanonicalNumber.write(value, to: &ours)
            ours.append(0x0A)
        }
        let script = """
            const lines = require('fs').readFileSync(0, 'utf8').trim().split('\\n');
            const view = new DataView(new ArrayBuffer(8));
            const out = [];
            for (const line of lines) { view.setBigUint64(0, BigInt(line)); out.push(String(view.getFloat64(0))); }
            process.stdout.write(out.join('\\n') + '\\n');
            """
        let theirs = try Node.run(script, input: Data(literals.joined(separator: "\n").utf8))
        #expect(theirs.count > 1_000_000)
        let expected = theirs.split(separator: 0x0A)
        let actual = ours.split(separator: 0x0A)
        #expect(expected.count == actual.count)
        var different = 0
        for (left, right) in zip(expected, actual) where !left.elementsEqual(right) {
            // ECMAScript has no canonical -0: String(-0) is "0" as well.
            different += 1
        }
        #expect(different == 0, "seed \(seed)")
    }
}

/// Documents for property tests.
enum RandomJSON {
    static func value(_ random: inout SeededGenerator, depth: Int) -> String {
        switch random.next() % (depth > 0 ? 8 : 6) {
        case 0: return "null"
        case 1: return "true"
        case 2: return number(&random)
        case 3: return "-" + number(&random)
        case 4, 5: return string(&random)
        case 6:
            let count = Int(random.next() % 4)
            return "["
                + (0..<count).map { _ in value(&random, depth: depth - 1) }.joined(separator: " , ")
                + "]"
        default:
            let count = Int(random.next() % 5)
            let members = (0..<count).map { index in
                "\"\(index)\(string(&random).dropFirst()) : \(value(&random, depth: depth - 1))"
            }
            return "{" + members.joined(separator: ",") + "}"
        }
    }

    private static func number(_ random: inout SeededGenerator) -> String {
        let digits = String(random.next() % 10_000_000_000_000_000_000)
        switch random.next() % 4 {
        case 0: return digits
        case 1: return "0.\(digits)"
        case 2: return "\(digits).\(digits)e-\(random.next() % 400)"
        default: return "\(digits)e\(random.next() % 400)"
        }
    }

    private static func string(_ random: inout SeededGenerator) -> String {
        let pieces = [
            "a", "é", "\\n", "\\u0041", "\\ud83d\\ude00", "😀", "\\\\", "\\\"", "z", "\u{FB33}",
        ]
        let count = Int(random.next() % 6)
        return "\""
            + (0..<count).map { _ in pieces[Int(random.next() % UInt64(pieces.count))] }.joined()
            + "\""
    }
}

/// Node.js, if it is installed.
enum Node {
    static let path = ["/usr/bin/node", "/usr/local/bin/node", "/opt/homebrew/bin/node"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    static func run(_ script: String, input: Data) throws -> Data {
        let folder = try TemporaryFolder()
        let file = URL(filePath: folder.file("input"))
        try input.write(to: file)
        let process = Process()
        process.executableURL = URL(filePath: path ?? "node")
        process.arguments = ["-e", script]
        process.standardInput = try FileHandle(forReadingFrom: file)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return data
    }
}
