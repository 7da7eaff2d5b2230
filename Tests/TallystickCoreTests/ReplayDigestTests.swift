import TallystickCore
import TallystickTestKit
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

    private func consume(_ position: Int64, _ digest: inout ReplayDigest) {
        let stream = Array("stream-\(position % 7)".utf8)
        stream.withUnsafeBytes {
            digest.consumeEvent(
                position: position,
                revision: position / 7,
                stream: $0,
                content: SHA256Digest(hashing: [UInt8(truncatingIfNeeded: position)])
            )
        }
        digest.record(position % 5 == 0 ? .parked : .applied, position: position)
        if position % 11 == 0 {
            digest.consumeCorrection(
                resolution: position / 11,
                decision: position % 2 == 0 ? "take" : "exclude",
                content: position % 2 == 0 ? SHA256Digest(hashing: [1]) : nil
            )
            digest.record(.applied, position: position, resolution: position / 11)
        }
    }

    @Test("A chained digest follows its definition, at every length and however it is cut")
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

    @Test("A chained digest goes on from its state")
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
        var digest = ReplayDigest()
        var consumed = Array("tallystick consumed 1\n".utf8)
        var applied = Array("tallystick applied 1\n".utf8)
        #expect(digest.digest == chained(consumed))
        #expect(digest.appliedDigest == chained(applied))
        for position in Int64(1)...100 {
            consume(position, &digest)
            let stream = Array("stream-\(position % 7)".utf8)
            consumed += [1] + bigEndian(position) + bigEndian(position / 7)
            consumed += SHA256Digest(hashing: [UInt8(position)]).bytes
            consumed += bigEndian(UInt32(stream.count)) + stream
            applied += [position % 5 == 0 ? 2 : 1] + bigEndian(position) + bigEndian(Int64(0))
            if position % 11 == 0 {
                let takes = position % 2 == 0
                let decision = Array((takes ? "take" : "exclude").utf8)
                consumed += [2] + bigEndian(position / 11)
                consumed +=
                    takes ? SHA256Digest(hashing: [1]).bytes : [UInt8](repeating: 0, count: 32)
                consumed += bigEndian(UInt32(decision.count)) + decision
                applied += [1] + bigEndian(position) + bigEndian(position / 11)
            }
            #expect(digest.digest == chained(consumed), "position \(position)")
            #expect(digest.appliedDigest == chained(applied), "position \(position)")
        }
    }

    @Test("Interruptions at any place change neither digest")
    func interruptions() {
        var whole = ReplayDigest()
        for position in Int64(1)...500 { consume(position, &whole) }
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        var resumed: ReplayDigest? = ReplayDigest()
        for position in Int64(1)...500 {
            if var current = resumed { consume(position, &current); resumed = current }
            if random.next() % 3 == 0, let current = resumed {
                resumed = ReplayDigest(
                    consumedState: current.consumedState,
                    appliedState: current.appliedState
                )
            }
        }
        #expect(resumed?.digest == whole.digest, "seed \(seed)")
        #expect(resumed?.appliedDigest == whole.appliedDigest, "seed \(seed)")
        #expect(ReplayDigest(consumedState: [], appliedState: whole.appliedState) == nil)
    }

    @Test("Every part of a record counts")
    func everyPart() {
        var digests: Set<SHA256Digest> = [ReplayDigest().digest]
        let content = SHA256Digest(hashing: [1])
        func event(_ position: Int64, _ revision: Int64, _ stream: String, _ content: SHA256Digest)
        {
            var digest = ReplayDigest()
            Array(stream.utf8).withUnsafeBytes {
                digest.consumeEvent(
                    position: position,
                    revision: revision,
                    stream: $0,
                    content: content
                )
            }
            digests.insert(digest.digest)
        }
        event(1, 0, "a", content)
        event(2, 0, "a", content)
        event(1, 1, "a", content)
        event(1, 0, "b", content)
        event(1, 0, "a", .zero)
        for (resolution, decision, content) in [
            (1, "take", content), (2, "take", content), (1, "merge", content),
        ] {
            var digest = ReplayDigest()
            digest.consumeCorrection(
                resolution: Int64(resolution),
                decision: decision,
                content: content
            )
            digests.insert(digest.digest)
        }
        #expect(digests.count == 9)
        var applied: Set<SHA256Digest> = []
        for outcome in ReplayOutcome.allCases {
            for (position, resolution) in [(1, 0), (2, 0), (1, 1)] as [(Int64, Int64)] {
                var digest = ReplayDigest()
                digest.record(outcome, position: position, resolution: resolution)
                applied.insert(digest.appliedDigest)
            }
        }
        #expect(applied.count == 12)
    }
}

@Suite("Content digests")
struct ContentDigestTests {
    private func append(_ source: String, _ id: String, _ digest: inout ContentDigest) -> Bool {
        Array(source.utf8).withUnsafeBytes { source in
            Array(id.utf8).withUnsafeBytes { id in
                digest.append(source: source, id: id, content: SHA256Digest(hashing: [7]))
            }
        }
    }

    @Test("The digest is that of the documented bytes")
    func documentedBytes() {
        var digest = ContentDigest()
        #expect(digest.digest == SHA256Digest(hashing: Array("tallystick content 1\n".utf8)))
        #expect(append("a", "xy", &digest))
        #expect(append("b", "", &digest))
        let content = SHA256Digest(hashing: [7]).bytes
        var bytes = Array("tallystick content 1\n".utf8)
        bytes += [0, 0, 0, 1, 0x61, 0, 0, 0, 2, 0x78, 0x79] + content
        bytes += [0, 0, 0, 1, 0x62, 0, 0, 0, 0] + content
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
