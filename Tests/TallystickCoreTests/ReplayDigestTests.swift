import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Replay digests")
struct ReplayDigestTests {
    /// The definition in the documentation of `ChainedDigest`.
    private func chained(_ data: [UInt8]) -> SHA256Digest {
        var chain = [UInt8](repeating: 0, count: 32)
        var rest = data[...]
        while rest.count >= 1024 {
            chain = SHA256Digest(hashing: chain + rest.prefix(1024)).bytes
            rest = rest.dropFirst(1024)
        }
        return SHA256Digest(hashing: chain + rest)
    }

    private func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
    }

    private struct Digests: Equatable {
        var consumed = ReplayDigest()
        var applied = ReplayDigest()
    }

    private func consume(_ position: Int64, _ digests: inout Digests) {
        digests.consumed.addEvent(
            position: position,
            revision: position / 7,
            content: SHA256Digest(hashing: [UInt8(truncatingIfNeeded: position)]),
            stream: "stream-\(position % 7)"
        )
        digests.applied.add(position % 5 == 0 ? .parked : .applied, position: position)
        guard position % 11 == 0 else { return }
        let takes = position % 2 == 0
        digests.consumed.addCorrection(
            resolutionID: position / 11,
            position: position,
            content: takes ? SHA256Digest(hashing: [1]) : .zero,
            decision: takes ? "take" : "exclude"
        )
        digests.applied.add(.applied, position: position, resolutionID: position / 11)
        digests.consumed.addExcluded(position: position + 1, resolutionID: 3)
    }

    @Test("A chained digest follows its definition, at every length and however the input is split")
    func chainedDefinition() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        let data = (0..<5000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        for length in [0, 1, 1023, 1024, 1025, 2047, 2048, 4096, 5000] {
            var digest = ChainedDigest()
            var start = 0
            while start < length {
                let end = min(length, start + Int.random(in: 0...1500, using: &random))
                data[start..<end].withUnsafeBytes { digest.append($0) }
                #expect(digest.state.count <= ChainedDigest.maximumStateByteCount)
                start = end
            }
            #expect(
                digest.digest == chained(Array(data[..<length])),
                "seed \(seed), length \(length)"
            )
            #expect(digest.digest == SHA256Digest(hashing: digest.state))
        }
    }

    @Test("A chained digest resumes from its state")
    func chainedResume() {
        let data = (0..<3000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        for cut in stride(from: 0, through: 3000, by: 125) {
            var first = ChainedDigest()
            data[..<cut].withUnsafeBytes { first.append($0) }
            var second = ChainedDigest(state: first.state)
            data[cut...].withUnsafeBytes { second?.append($0) }
            #expect(second?.digest == chained(data))
        }
        #expect(ChainedDigest(state: []) == nil)
        #expect(ChainedDigest(state: [UInt8](repeating: 0, count: 31)) == nil)
        #expect(ChainedDigest(state: [UInt8](repeating: 0, count: 32)) != nil)
        #expect(ChainedDigest(state: [UInt8](repeating: 0, count: 1056)) == nil)
    }

    @Test("The digests are those of the documented bytes")
    func documentedBytes() {
        var digests = Digests()
        var consumed: [UInt8] = []
        var applied: [UInt8] = []
        #expect(digests.consumed.value == SHA256Digest(hashing: [UInt8](repeating: 0, count: 32)))
        for position in Int64(1)...100 {
            consume(position, &digests)
            let stream = Array("stream-\(position % 7)".utf8)
            consumed += Array("E".utf8) + bigEndian(position) + bigEndian(position / 7)
            consumed += SHA256Digest(hashing: [UInt8(position)]).bytes
            consumed += bigEndian(UInt32(stream.count)) + stream
            applied += Array((position % 5 == 0 ? "p" : "a").utf8) + bigEndian(position)
            applied += bigEndian(Int64(0))
            if position % 11 == 0 {
                let takes = position % 2 == 0
                let decision = Array((takes ? "take" : "exclude").utf8)
                consumed += Array("C".utf8) + bigEndian(position) + bigEndian(position / 11)
                consumed += takes ? SHA256Digest(hashing: [1]).bytes : SHA256Digest.zero.bytes
                consumed += bigEndian(UInt32(decision.count)) + decision
                consumed += Array("X".utf8) + bigEndian(position + 1) + bigEndian(Int64(3))
                applied += Array("a".utf8) + bigEndian(position) + bigEndian(position / 11)
            }
            #expect(digests.consumed.value == chained(consumed), "position \(position)")
            #expect(digests.applied.value == chained(applied), "position \(position)")
        }
        #expect(ReplayDigest.Action.allCases.map(\.rawValue) == Array("apsr".utf8))
    }

    @Test("Interruptions at any place change neither digest")
    func interruptions() {
        var whole = Digests()
        for position in Int64(1)...500 { consume(position, &whole) }
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        var resumed = Digests()
        for position in Int64(1)...500 {
            consume(position, &resumed)
            guard random.next() % 3 == 0,
                let consumed = ReplayDigest(state: resumed.consumed.state),
                let applied = ReplayDigest(state: resumed.applied.state)
            else { continue }
            resumed = Digests(consumed: consumed, applied: applied)
        }
        #expect(resumed == whole, "seed \(seed)")
        #expect(resumed.consumed.value == SHA256Digest(hashing: whole.consumed.state))
        #expect(ReplayDigest(state: []) == nil)
    }

    @Test("Every part of a record counts")
    func everyPart() {
        var values: Set<SHA256Digest> = [ReplayDigest().value]
        let content = SHA256Digest(hashing: [1])
        func add(_ change: (inout ReplayDigest) -> Void) {
            var digest = ReplayDigest()
            change(&digest)
            values.insert(digest.value)
        }
        for (position, revision, stream) in [(1, 0, "a"), (2, 0, "a"), (1, 1, "a"), (1, 0, "b")] {
            for content in [content, .zero] {
                add {
                    $0.addEvent(
                        position: Int64(position),
                        revision: Int64(revision),
                        content: content,
                        stream: stream
                    )
                }
            }
        }
        for (position, resolution, decision) in [
            (1, 1, "take"), (2, 1, "take"), (1, 2, "take"), (1, 1, "merge"),
        ] {
            for content in [content, .zero] {
                add {
                    $0.addCorrection(
                        resolutionID: Int64(resolution),
                        position: Int64(position),
                        content: content,
                        decision: decision
                    )
                }
            }
        }
        for (position, resolution) in [(1, 0), (2, 0), (1, 1)] as [(Int64, Int64)] {
            for action in ReplayDigest.Action.allCases {
                add { $0.add(action, position: position, resolutionID: resolution) }
            }
            add { $0.addExcluded(position: position, resolutionID: resolution) }
        }
        #expect(values.count == 1 + 8 + 8 + 15)
    }
}

@Suite("Content digests")
struct ContentDigestTests {
    private func append(_ source: String, _ id: String, _ digest: inout ContentDigest) -> Bool {
        Array(source.utf8).withUnsafeBytes { source in
            Array(id.utf8).withUnsafeBytes { id in
                digest.append(source: source, id: id, form: SHA256Digest(hashing: [7]))
            }
        }
    }

    @Test("The digest is that of the documented bytes")
    func documentedBytes() {
        var digest = ContentDigest()
        #expect(digest.digest == SHA256Digest(hashing: Array("tallystick content 1\n".utf8)))
        #expect(append("a", "xy", &digest))
        #expect(append("b", "", &digest))
        let form = SHA256Digest(hashing: [7]).bytes
        var bytes = Array("tallystick content 1\n".utf8)
        bytes += [0, 0, 0, 1, 0x61, 0, 0, 0, 2, 0x78, 0x79] + form
        bytes += [0, 0, 0, 1, 0x62, 0, 0, 0, 0] + form
        #expect(digest.digest == SHA256Digest(hashing: bytes))
        #expect(digest.count == 2)
    }

    @Test("Events are taken in ascending order of source and id only, compared by bytes")
    func order() {
        var digest = ContentDigest()
        #expect(append("a", "2", &digest))
        #expect(!append("a", "2", &digest))
        #expect(!append("a", "1", &digest))
        #expect(append("a", "20", &digest))
        #expect(append("a", "é", &digest))
        #expect(append("aa", "1", &digest))
        #expect(!append("a", "zz", &digest))
        #expect(!append("B", "1", &digest))
        #expect(append("é", "1", &digest))
        #expect(digest.count == 5)
    }

    @Test("More events than the buffer holds")
    func large() {
        var digest = ContentDigest()
        var bytes = Array("tallystick content 1\n".utf8)
        for number in 10_000..<12_000 {
            #expect(append("source", "\(number)", &digest))
            bytes += [0, 0, 0, 6] + Array("source".utf8) + [0, 0, 0, 5] + Array("\(number)".utf8)
            bytes += SHA256Digest(hashing: [7]).bytes
        }
        #expect(digest.digest == SHA256Digest(hashing: bytes))
    }
}
