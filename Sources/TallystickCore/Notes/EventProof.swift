/// Proof that an event is in a store's sealed log: a C2SP tlog-proof, which anybody can check with only the public key.
///
/// Its extra data is the event's leaf and, after a line feed, the event's content (File format, "Leaves", "The
/// content of an event"). Neither is trusted: the leaf's hash must lead to the sealed root, and the content must have
/// the digest given in the leaf.
public struct EventProof: Sendable, Hashable {
    /// The leaf of the log `events`: canonical JSON.
    public let leaf: [UInt8]
    /// The event's canonical content; nil if only the leaf is disclosed.
    public let content: [UInt8]?
    /// 0-based: the event's position minus one.
    public let leafIndex: Int64
    /// From the leaf upwards.
    public let hashes: [SHA256Digest]
    /// The sealed tree head.
    public let note: SignedNote

    static let title = "c2sp.org/tlog-proof@v1"

    /// A proof from its parts. It means nothing until ``verify(with:)`` has succeeded.
    public init(
        leaf: [UInt8],
        content: [UInt8]?,
        leafIndex: Int64,
        hashes: [SHA256Digest],
        note: SignedNote
    ) {
        self.leaf = leaf
        self.content = content
        self.leafIndex = leafIndex
        self.hashes = hashes
        self.note = note
    }

    /// Reads a proof. It means nothing until ``verify(with:)`` has succeeded.
    public init(parsing bytes: [UInt8]) throws(NoteError) {
        let (lines, note) = try NoteText.split(proof: bytes, limit: NoteLimits.proofBytes)
        guard lines.count >= 2, lines[0] == Self.title else {
            throw NoteError(.malformed, "a proof begins with \(Self.title)")
        }
        guard lines[1].hasPrefix("extra "),
            let extra = Base64.decode(Array(lines[1].dropFirst(6).utf8))
        else {
            throw NoteError(
                .malformed,
                "the proof does not show its leaf: it has no line 'extra BASE64'"
            )
        }
        guard lines.count >= 3, lines[2].hasPrefix("index "),
            let index = NoteText.number(lines[2].dropFirst(6))
        else { throw NoteError(.malformed, "the proof has no line 'index NUMBER'") }
        hashes = try NoteText.hashes(lines[3...])
        // Canonical JSON contains no line feed.
        if let end = extra.firstIndex(of: 0x0A) {
            leaf = Array(extra[..<end])
            content = Array(extra[(end + 1)...])
        } else {
            leaf = extra
            content = nil
        }
        leafIndex = index
        self.note = note
    }

    /// The proof's file.
    public var bytes: [UInt8] {
        var output = Array("\(Self.title)\nextra ".utf8)
        Base64.encode(content.map { leaf + [0x0A] + $0 } ?? leaf, to: &output)
        output.append(contentsOf: "\nindex \(leafIndex)\n".utf8)
        for hash in hashes { output.append(contentsOf: "\(NoteText.base64(hash))\n".utf8) }
        output.append(0x0A)
        output.append(contentsOf: note.bytes)
        return output
    }

    /// The facts that a proof establishes.
    public struct Proved: Sendable, Hashable {
        /// The sealed head that covers the event.
        public let head: TreeHead
        /// The event's position.
        public let position: Position
        /// The digest given in the leaf.
        public let contentDigest: SHA256Digest
    }

    /// Checks the whole proof: signature, path, leaf and content.
    ///
    /// - parameter verifiers: the keys trusted to seal this store.
    /// - throws: `NoteError`.
    public func verify(with verifiers: [NoteVerifier]) throws(NoteError) -> Proved {
        let head = try TreeHead(note: note, verifiedBy: verifiers)
        let proof = InclusionProof(
            leafIndex: leafIndex,
            treeSize: head.events.size,
            hashes: hashes
        )
        guard proof.isValid(leafHash: MerkleHash.leaf(leaf), root: head.events.root) else {
            throw NoteError(
                .notProved,
                "the leaf does not lead to the sealed root: it is not in this log at index \(leafIndex)"
            )
        }
        guard let document = try? JSONDocument(leaf), document.root["leaf"]?.string == "event/1",
            case .number(let position) = document.root["position"]?.content,
            let digest = SHA256Digest(hex: document.root["content"]?.string ?? "")
        else { throw NoteError(.malformed, "the leaf is not that of an event") }
        guard Int64(position) == leafIndex + 1 else {
            throw NoteError(.notProved, "the leaf is that of another position")
        }
        if let content, SHA256Digest(hashing: content) != digest {
            throw NoteError(.notProved, "the content is not the one that the leaf names")
        }
        return Proved(head: head, position: Position(leafIndex + 1), contentDigest: digest)
    }
}
