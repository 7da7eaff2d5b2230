import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Identity filter")
struct IdentityFilterTests {
    private static func hash(_ id: String, _ source: Int64) -> UInt64 {
        IdentityFilter.hash(idChecksum: CRC32.checksum(Array(id.utf8)), source: source)
    }

    @Test("Hashes are those of the file format, for ever")
    func hashes() {
        // CRC-32 of "123456789" is 0xCBF43926 (the check value of its definition); the rest was computed by a
        // program in Python.
        #expect(Self.hash("123456789", 0) == 0x1027_84CF_690C_2812)
        #expect(Self.hash("123456789", 7) == 0xCDAD_8BA2_70BE_1F17)
    }

    @Test("Added identities are found; few others are when the filter is full")
    func rates() {
        var filter = IdentityFilter()
        for number in 0..<IdentityFilter.capacity {
            filter.insert(Self.hash("event-\(number)", Int64(number % 50)))
        }
        filter.bytes.withUnsafeBytes { bytes in
            let missed = (0..<IdentityFilter.capacity).count {
                !IdentityFilter.mayContain(Self.hash("event-\($0)", Int64($0 % 50)), in: bytes)
            }
            #expect(missed == 0)
            // The same ids under other sources, and other ids.
            let others = (0..<100_000).count {
                IdentityFilter.mayContain(Self.hash("event-\($0)", Int64($0 % 50 + 50)), in: bytes)
                    || IdentityFilter.mayContain(Self.hash("other-\($0)", 1), in: bytes)
            }
            #expect(others < 2 * 100_000 / 300)
        }
    }

    @Test("An empty filter contains nothing; bytes that are not a filter rule nothing out")
    func edges() {
        let empty = IdentityFilter()
        #expect(empty.bytes.count == IdentityFilter.byteCount)
        empty.bytes.withUnsafeBytes {
            #expect(!IdentityFilter.mayContain(1, in: $0))
            #expect(IdentityFilter.mayContain(1, in: UnsafeRawBufferPointer(rebasing: $0[1...])))
        }
        #expect(IdentityFilter.mayContain(1, in: UnsafeRawBufferPointer(start: nil, count: 0)))
    }
}
