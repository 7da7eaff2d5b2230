import Foundation
import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Checksums")
struct ChecksumTests {
    @Test("SHA-256 yields the digests of FIPS 180-4's examples")
    func sha256Examples() {
        let examples = [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ]
        for (text, hex) in examples {
            #expect(SHA256Digest(hashing: Array(text.utf8)).hex == hex)
        }
    }

    @Test(
        "A digest is the same in pieces of any size, and the hasher can continue after one was taken"
    )
    func sha256Pieces() {
        var random = SeededGenerator(seed: 1)
        let bytes = (0..<1000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        for size in [1, 3, 64, 65, 999, 1000] {
            var hasher = SHA256Hasher()
            for start in stride(from: 0, to: bytes.count, by: size) {
                let prefix = Array(bytes[..<start])
                #expect(hasher.digest() == SHA256Digest(hashing: prefix))
                bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { hasher.update($0) }
            }
            #expect(hasher.digest() == SHA256Digest(hashing: bytes))
        }
    }

    @Test("A digest reads its own lower-case hex and nothing else")
    func digestHex() {
        let digest = SHA256Digest(hashing: Array("abc".utf8))
        let hex = digest.hex
        #expect(SHA256Digest(hex: hex) == digest)
        #expect(SHA256Digest(hex: hex.uppercased()) == nil)
        #expect(SHA256Digest(hex: String(hex.dropLast())) == nil)
        #expect(SHA256Digest(hex: String(hex.dropLast(2))) == nil)
        #expect(SHA256Digest(hex: hex + "00") == nil)
        #expect(SHA256Digest(hex: String(hex.dropLast()) + "g") == nil)
        #expect(SHA256Digest(hex: String(hex.dropLast()) + "é") == nil)
        #expect(SHA256Digest(hex: "") == nil)
    }

    @Test("A digest is made from exactly 32 bytes")
    func digestBytes() {
        for count in [0, 1, 31, 33, 64] {
            #expect(
                [UInt8](repeating: 7, count: count).withUnsafeBytes { SHA256Digest(bytes: $0) }
                    == nil
            )
        }
        let bytes = (0..<32).map(UInt8.init)
        #expect(bytes.withUnsafeBytes { SHA256Digest(bytes: $0) }?.bytes == bytes)
    }

    @Test("Digests are ordered by their bytes")
    func digestOrder() {
        let digests = (0..<200).map { SHA256Digest(hashing: [UInt8($0)]) }
        let byBytes = digests.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        #expect(digests.sorted() == byBytes)
        #expect(digests.sorted() == digests.sorted { $0.hex < $1.hex })
        #expect(!(digests[0] < digests[0]))
    }

    @Test("CRC-32 yields the check value of the IEEE polynomial")
    func crcCheckValue() {
        #expect(CRC32.checksum(Array("123456789".utf8)) == 0xCBF4_3926)
        #expect(CRC32.checksum([]) == 0)
        #expect(
            CRC32.checksum(Array("The quick brown fox jumps over the lazy dog".utf8)) == 0x414F_A339
        )
    }

    @Test("CRC-32 agrees with the bit-by-bit definition at every length and in pieces")
    func crcDefinition() {
        var random = SeededGenerator(seed: 2)
        let bytes = (0..<200).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        var expected: UInt32 = 0xFFFF_FFFF
        for count in 0...bytes.count {
            if count > 0 {
                expected ^= UInt32(bytes[count - 1])
                for _ in 0..<8 {
                    expected = expected & 1 == 0 ? expected >> 1 : expected >> 1 ^ 0xEDB8_8320
                }
            }
            #expect(CRC32.checksum(Array(bytes[..<count])) == ~expected)
            var pieces = CRC32()
            let middle = count / 3
            bytes[..<middle].withUnsafeBytes { pieces.update($0) }
            bytes[middle..<count].withUnsafeBytes { pieces.update($0) }
            #expect(pieces.value == ~expected)
        }
    }

    @Test("Stored names of algorithms never change")
    func algorithmNames() {
        #expect(ChecksumAlgorithm.allCases.map(\.rawValue) == ["crc32", "sha256", "hmac-sha256"])
        #expect(ChecksumAlgorithm.allCases.map(\.byteCount) == [4, 32, 32])
    }

    @Test("A checksum has all of its algorithm's bytes")
    func checksumShape() {
        let full = [UInt8](repeating: 1, count: 32)
        #expect(Checksum(algorithm: .sha256, bytes: full)?.bytes == full)
        #expect(Checksum(algorithm: .sha256, bytes: Array(full.dropLast())) == nil)
        #expect(Checksum(algorithm: .hmacSHA256, bytes: full)?.bytes == full)
        #expect(Checksum(algorithm: .hmacSHA256, bytes: Array(full.prefix(16))) == nil)
        #expect(Checksum(algorithm: .crc32, bytes: [1, 2, 3, 4])?.bytes == [1, 2, 3, 4])
        #expect(Checksum(algorithm: .crc32, bytes: full) == nil)
    }

    @Test("Stored names map to their algorithms, and no other names do")
    func storedNames() {
        func algorithm(_ name: String) -> ChecksumAlgorithm? {
            Array(name.utf8).withUnsafeBytes { ChecksumAlgorithm(name: $0) }
        }
        for known in ChecksumAlgorithm.allCases { #expect(algorithm(known.rawValue) == known) }
        for name in ["", "crc3", "CRC32", "crc33", "sha512", "hmac-sha512", "sha2567"] {
            #expect(algorithm(name) == nil, "\(name)")
        }
    }

    @Test("A checksum matches its own content and no other, and an HMAC needs its key")
    func verdicts() throws {
        var ring = KeyRing()
        let secret = [UInt8](repeating: 5, count: 32)
        try ring.add(KeyRing.Key(id: "k1", activatedAt: 0, secret: secret))
        var other = KeyRing()
        try other.add(
            KeyRing.Key(id: "k1", activatedAt: 0, secret: CanaryKeys.secret(6))
        )
        let content = Array("content".utf8)
        for algorithm in ChecksumAlgorithm.allCases {
            let key = algorithm == .hmacSHA256 ? "k1" : nil
            let made = content.withUnsafeBytes {
                Checksummer(ring)
                    .checksum(algorithm, keyID: key, of: $0, digest: SHA256Digest(hashing: $0))
            }
            let bytes = try #require(made).bytes
            func evaluate(
                _ bytes: [UInt8],
                _ content: [UInt8],
                _ ring: KeyRing,
                key: String?
            ) -> ChecksumVerdict {
                verdict(bytes, algorithm.rawValue, key, content, ring)
            }
            #expect(evaluate(bytes, content, ring, key: key) == .holds)
            for bit in 0..<bytes.count * 8 {
                var flipped = bytes
                flipped[bit / 8] ^= 1 << (bit % 8)
                #expect(evaluate(flipped, content, ring, key: key).isDifference)
            }
            #expect(evaluate(bytes, Array("Content".utf8), ring, key: key).isDifference)
            #expect(evaluate(Array(bytes.dropLast()), content, ring, key: key).isDifference)
            #expect(evaluate(bytes, content, ring, key: key == nil ? "k1" : nil).isDifference)
            guard algorithm == .hmacSHA256 else { continue }
            #expect(evaluate(bytes, content, KeyRing(), key: "k1") == .keyMissing)
            #expect(evaluate(bytes, content, ring, key: "k2") == .keyMissing)
            #expect(evaluate(Array(bytes.prefix(16)), content, KeyRing(), key: "k1").isDifference)
            // The correct HMAC of changed content is never disclosed.
            #expect(
                evaluate(bytes, content, other, key: "k1")
                    == .differs(expected: Checksummer.withheld)
            )
        }
        #expect(verdict([], "md5", nil, content, ring) == .unknownAlgorithm)
    }

    private func verdict(
        _ bytes: [UInt8],
        _ algorithm: String,
        _ key: String?,
        _ content: [UInt8],
        _ ring: KeyRing
    ) -> ChecksumVerdict {
        let key = key.map { Array($0.utf8) }
        return bytes.withUnsafeBytes { bytes in
            Array(algorithm.utf8).withUnsafeBytes { algorithm in
                (key ?? []).withUnsafeBytes { keyBytes in
                    content.withUnsafeBytes { content in
                        Checksummer(ring).evaluate(
                            bytes,
                            algorithm: algorithm,
                            keyID: key == nil ? nil : keyBytes,
                            content: content,
                            digest: SHA256Digest(hashing: content)
                        )
                    }
                }
            }
        }
    }
}

extension ChecksumVerdict {
    fileprivate var isDifference: Bool { if case .differs = self { true } else { false } }
}

@Suite("HMAC-SHA-256")
struct HMACTests {
    @Test("RFC 4231, test case 2")
    func rfc4231() {
        let tag = HMACSHA256(key: Array("Jefe".utf8))
            .tag(of: Array("what do ya want for nothing?".utf8))
        #expect(tag.hex == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test("A change of any single bit of a tag is detected, and a tag of another length is refused")
    func everyBit() {
        let hmac = HMACSHA256(key: [1, 2, 3])
        let message = Array("message".utf8)
        let tag = hmac.tag(of: message).bytes
        #expect(hmac.isValid(tag, for: message))
        for bit in 0..<256 {
            var changed = tag
            changed[bit / 8] ^= 1 << (bit % 8)
            #expect(!hmac.isValid(changed, for: message))
        }
        for count in 0..<32 { #expect(!hmac.isValid(Array(tag.prefix(count)), for: message)) }
        #expect(!hmac.isValid(tag + [0], for: message))
    }

    @Test("One prepared key serves many messages")
    func reuse() {
        let hmac = HMACSHA256(key: [9])
        let first = hmac.tag(of: Array("a".utf8))
        _ = hmac.tag(of: Array("b".utf8))
        #expect(hmac.tag(of: Array("a".utf8)) == first)
    }

    private struct Vectors: Decodable {
        struct Group: Decodable {
            let tagSize: Int
            let tests: [Vector]
        }
        struct Vector: Decodable {
            let tcId: Int
            let key: String
            let msg: String
            let tag: String
            let result: String
        }
        let numberOfTests: Int
        let testGroups: [Group]
    }

    @Test(
        "Wycheproof: full tags get the verdicts of the vectors, truncated ones are refused",
        .enabled(if: PublicVectors.arePresent, Comment(rawValue: PublicVectors.absence))
    )
    func wycheproof() throws {
        let bytes = try #require(PublicVectors.bytes("wycheproof/hmac_sha256_test.json"))
        let vectors = try JSONDecoder().decode(Vectors.self, from: Data(bytes))
        var checked = 0
        for group in vectors.testGroups {
            for vector in group.tests {
                let key = try #require(Hex.bytes(vector.key))
                let message = try #require(Hex.bytes(vector.msg))
                let tag = try #require(Hex.bytes(vector.tag))
                let hmac = HMACSHA256(key: key)
                let expected = vector.result == "valid" && group.tagSize == 256
                #expect(hmac.isValid(tag, for: message) == expected, "test \(vector.tcId)")
                if vector.result == "valid" {
                    #expect(
                        Array(hmac.tag(of: message).bytes.prefix(group.tagSize / 8)) == tag,
                        "test \(vector.tcId)"
                    )
                }
                checked += 1
            }
        }
        #expect(checked == vectors.numberOfTests)
    }
}
