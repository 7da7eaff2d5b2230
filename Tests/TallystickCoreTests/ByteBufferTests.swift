import TallystickTestSupport
import Testing

@testable import TallystickCore

@Suite("Byte buffers")
struct ByteBufferTests {
    @Test("Bytes can be appended while memory grows, and removed")
    func growth() {
        var buffer = ByteBuffer(capacity: 1)
        var expected: [UInt8] = []
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<500 {
            let piece = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                UInt8.random(in: .min ... .max, using: &generator)
            }
            piece.withUnsafeBytes { buffer.append(contentsOf: $0) }
            buffer.append(0x2C)
            expected += piece + [0x2C]
            #expect(buffer.count == expected.count)
        }
        #expect([UInt8](buffer.bytes) == expected)
        buffer.removeAll()
        #expect(buffer.count == 0 && buffer.bytes.isEmpty)
        buffer.append("again")
        #expect([UInt8](buffer.bytes) == Array("again".utf8))
    }

    @Test(
        "Numbers are written in decimal",
        arguments: [
            .min, .min + 1, -1_000_000, -10, -9, -1, 0, 1, 9, 10, 11, 99, 100, 101, 999_999_999,
            1_000_000_000, 999_999_999_999_999_999, 1_000_000_000_000_000_000, .max - 1, .max,
        ] as [Int64]
    )
    func decimal(_ number: Int64) {
        var buffer = ByteBuffer(capacity: 1)
        buffer.append(decimal: number)
        #expect(String(decoding: buffer.bytes, as: UTF8.self) == String(number))
    }

    @Test("Bytes are written as lower-case hexadecimal digits")
    func hexadecimal() {
        let bytes = (0...255).map { UInt8($0) }
        var buffer = ByteBuffer(capacity: 1)
        bytes.withUnsafeBytes { buffer.appendHex($0) }
        #expect(String(decoding: buffer.bytes, as: UTF8.self) == Hex.string(bytes))
    }

    @Test("A string is written as into an array, whatever has to be escaped")
    func strings() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<2000 {
            let text = (0..<Int.random(in: 0...30, using: &generator)).map { _ in
                UInt8.random(in: 0...0x7F, using: &generator)
            }
            var array: [UInt8] = []
            var buffer = ByteBuffer(capacity: 1)
            text.withUnsafeBytes {
                CanonicalJSON.writeString($0, to: &array)
                CanonicalJSON.writeString($0, to: &buffer)
            }
            #expect([UInt8](buffer.bytes) == array)
        }
    }
}
