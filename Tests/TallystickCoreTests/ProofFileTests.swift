import TallystickCore
import TallystickTestSupport
import Testing

@Suite("Tree heads and proofs")
struct ProofFileTests {
    /// A log in memory whose leaves are those of events.
    private struct Model {
        var leaves: [[UInt8]] = []
        var contents: [[UInt8]] = []
        let signer: NoteSigner
        let storeID: String

        init(_ count: Int, storeID: String = "s1") throws {
            signer = try NoteSigner(name: "seal.example")
            self.storeID = storeID
            for index in 0..<count {
                let content = Array("{\"id\":\"\(index)\"}".utf8)
                let digest = SHA256Digest(hashing: content).hex
                contents.append(content)
                leaves.append(
                    Array(
                        "{\"content\":\"\(digest)\",\"leaf\":\"event/1\",\"position\":\(index + 1)}"
                            .utf8
                    )
                )
            }
        }

        func tree(_ size: Int) -> MerkleTree<Never> {
            let hashes = leaves[..<size].map { MerkleHash.leaf($0) }
            return MerkleTree(size: Int64(size)) { tile in
                var level = hashes
                for _ in 0..<tile.level {
                    level = stride(from: 0, to: level.count / 256 * 256, by: 256)
                        .map { MerkleHash.root(level[$0..<$0 + 256]) }
                }
                let start = Int(tile.index) * 256
                return Array(level[start..<min(level.count, start + tile.width)])
            }
        }

        func log(_ size: Int) -> TreeHead.Log {
            TreeHead.Log(size: Int64(size), root: tree(size).root(at: Int64(size)) ?? .zero)
        }

        func head(_ size: Int, copies: Int = 0, audit: Int = 1) -> TreeHead {
            TreeHead(
                storeID: storeID,
                events: log(size),
                copies: log(copies),
                audit: log(audit)
            )
        }

        func note(_ head: TreeHead) throws -> SignedNote {
            try SignedNote(head.noteText, signedBy: [signer])
        }

        func proof(of index: Int, in size: Int) throws -> EventProof {
            let path = tree(size).inclusionProof(of: Int64(index), in: Int64(size))
            return EventProof(
                leaf: leaves[index],
                content: contents[index],
                leafIndex: Int64(index),
                hashes: path?.hashes ?? [],
                note: try note(head(size))
            )
        }

        func consistency(_ from: [Int], _ to: [Int]) throws -> (SignedNote, HeadConsistency) {
            func part(_ a: Int, _ b: Int) -> HeadConsistency.Log {
                let proof = tree(b).consistencyProof(from: Int64(a), to: Int64(b))
                return HeadConsistency.Log(size: Int64(a), hashes: proof?.hashes ?? [])
            }
            return (
                try note(head(from[0], copies: from[1], audit: from[2])),
                HeadConsistency(
                    events: part(from[0], to[0]),
                    copies: part(from[1], to[1]),
                    audit: part(from[2], to[2]),
                    note: try note(head(to[0], copies: to[1], audit: to[2]))
                )
            )
        }
    }

    private func code(_ body: () throws -> some Any) -> NoteError.Code? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? NoteError)?.code
        }
    }

    @Test("A head's text parses to the same head, and is a C2SP checkpoint")
    func headText() throws {
        let model = try Model(300)
        let head = model.head(300, copies: 7, audit: 20)
        #expect(try TreeHead(noteText: head.noteText) == head)
        let lines = head.noteText.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "tallystick/s1")
        #expect(lines[1] == "300")
        #expect(lines[2].utf8.count == 44)
        #expect(lines[3].hasPrefix("copies 7 "))
        #expect(lines[4].hasPrefix("audit 20 "))
        #expect(lines[5].isEmpty && lines.count == 6)
        #expect(try TreeHead(noteText: head.noteText + "unknown extension\n") == head)
    }

    @Test("Texts that are not tree heads are refused")
    func badHeads() throws {
        let text = try Model(3).head(3).noteText
        let lines = text.split(separator: "\n").map(String.init)
        func changed(_ index: Int, _ line: String?) -> String {
            var lines = lines
            if let line { lines[index] = line } else { lines.remove(at: index) }
            return lines.joined(separator: "\n") + "\n"
        }
        let root = lines[2]
        let bad =
            (0..<5).map { changed($0, nil) }
            + [
                "", String(text.dropLast()), changed(0, ""), changed(1, "03"), changed(1, "-3"),
                changed(1, "+3"), changed(1, "3 "), changed(1, "99999999999999999999"),
                changed(1, "0"), changed(2, String(root.dropLast())), changed(2, "AAAA"),
                changed(3, "copies 0"), changed(3, "audit 0 \(root)"),
                changed(4, "copies 1 \(root)"),
                changed(4, "audit 1 \(root) "),
            ]
        for text in bad { #expect(code { try TreeHead(noteText: text) } == .malformed, "\(text)") }
    }

    @Test("Every event of logs of many sizes is proved, through its file")
    func inclusion() throws {
        let model = try Model(600)
        for size in [1, 2, 3, 255, 256, 257, 600] {
            for index in Set([0, size / 3, size / 2, size - 1]) {
                let proof = try EventProof(parsing: try model.proof(of: index, in: size).bytes)
                let proved = try proof.verify(with: [model.signer.verifier])
                #expect(proved.position == Position(Int64(index) + 1))
                #expect(proved.head == model.head(size))
                #expect(proof.content == model.contents[index])
            }
        }
    }

    @Test("A flip of any bit of a proof is detected")
    func everyBitOfAProof() throws {
        let model = try Model(5)
        let bytes = try model.proof(of: 2, in: 5).bytes
        for bit in 0..<bytes.count * 8 {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << (bit % 8)
            #expect(
                code { try EventProof(parsing: flipped).verify(with: [model.signer.verifier]) }
                    != nil
            )
        }
        for count in 0..<bytes.count {
            let cut = Array(bytes.prefix(count))
            #expect(
                code { try EventProof(parsing: cut).verify(with: [model.signer.verifier]) } != nil
            )
        }
    }

    @Test("A proof with another leaf, position, content, path, log or key is refused")
    func falseProofs() throws {
        let model = try Model(9)
        let verifiers = [model.signer.verifier]
        let right = try model.proof(of: 4, in: 9)
        func with(
            leaf: [UInt8]? = nil,
            content: [UInt8]? = nil,
            index: Int64? = nil,
            hashes: [SHA256Digest]? = nil,
            note: SignedNote? = nil
        ) -> EventProof {
            EventProof(
                leaf: leaf ?? right.leaf,
                content: content ?? right.content,
                leafIndex: index ?? right.leafIndex,
                hashes: hashes ?? right.hashes,
                note: note ?? right.note
            )
        }
        #expect(try right.verify(with: verifiers).position == Position(5))
        #expect(code { try with(leaf: model.leaves[5]).verify(with: verifiers) } == .notProved)
        #expect(code { try with(content: model.contents[5]).verify(with: verifiers) } == .notProved)
        #expect(code { try with(index: 5).verify(with: verifiers) } == .notProved)
        #expect(code { try with(index: 9).verify(with: verifiers) } == .notProved)
        let short = Array(right.hashes.dropLast())
        #expect(code { try with(hashes: short).verify(with: verifiers) } == .notProved)
        let long = right.hashes + [.zero]
        #expect(code { try with(hashes: long).verify(with: verifiers) } == .notProved)
        let other = try model.note(model.head(8))
        #expect(code { try with(note: other).verify(with: verifiers) } == .notProved)
        let stranger = try Model(9)
        #expect(code { try right.verify(with: [stranger.signer.verifier]) } == .unknownKey)
    }

    @Test("Heads that grew are proved in all three logs, through the file")
    func consistency() throws {
        let model = try Model(600)
        let sizes = [[0, 0, 0], [1, 0, 1], [255, 3, 9], [256, 3, 9], [600, 300, 512]]
        for (first, from) in sizes.enumerated() {
            for to in sizes[first...] {
                let (earlier, proof) = try model.consistency(from, to)
                let read = try HeadConsistency(parsing: proof.bytes)
                let head = try read.verify(from: earlier, with: [model.signer.verifier])
                #expect(head.events.size == Int64(to[0]))
            }
        }
    }

    @Test("A flip of any bit of a consistency proof is detected")
    func everyBitOfAConsistencyProof() throws {
        let model = try Model(20)
        let (earlier, proof) = try model.consistency([3, 0, 1], [20, 5, 1])
        let verifiers = [model.signer.verifier]
        let bytes = proof.bytes
        for bit in 0..<bytes.count * 8 {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << (bit % 8)
            #expect(
                code {
                    try HeadConsistency(parsing: flipped).verify(from: earlier, with: verifiers)
                }
                    != nil,
                "bit \(bit)"
            )
        }
    }

    @Test("A head that shrank, forked, or belongs to another store is not consistent")
    func inconsistent() throws {
        var model = try Model(20)
        let verifiers = [model.signer.verifier]
        let (earlier, proof) = try model.consistency([10, 2, 3], [20, 5, 6])
        #expect(try proof.verify(from: earlier, with: verifiers).events.size == 20)
        // The later note as the earlier one: it shrank.
        let (later, back) = try model.consistency([20, 5, 6], [20, 5, 6])
        let shrunk = HeadConsistency(
            events: .init(size: 20, hashes: []),
            copies: back.copies,
            audit: back.audit,
            note: earlier
        )
        #expect(code { try shrunk.verify(from: later, with: verifiers) } == .notProved)
        // One leaf in the past differs.
        model.leaves[1] = Array("{}".utf8)
        let (_, forked) = try model.consistency([10, 2, 3], [20, 5, 6])
        #expect(code { try forked.verify(from: earlier, with: verifiers) } == .notProved)
        let strangers = try Model(20, storeID: "s2")
        let foreign = try SignedNote(
            strangers.head(10, copies: 2, audit: 3).noteText,
            signedBy: [model.signer]
        )
        #expect(code { try proof.verify(from: foreign, with: verifiers) } == .anotherStore)
    }
}
