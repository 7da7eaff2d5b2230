/// Proof that a sealed head grew out of an earlier one in all three logs: nothing was changed or taken away
/// between them.
///
/// ```
/// tallystick/consistency-proof@v1
/// events 4150
/// …one hash a line…
/// copies 2028
/// audit 107
///
/// …the later note, verbatim…
/// ```
///
/// Each log's line has its size in the earlier head; the hashes are those of RFC 6962, section 2.1.2, in its
/// order. A log that did not grow, or was empty, has none.
public struct HeadConsistency: Sendable, Hashable {
    /// One log's proof.
    public struct Log: Sendable, Hashable {
        /// Leaves in the earlier head.
        public var size: Int64
        /// The path from the earlier root to the later one.
        public var hashes: [SHA256Digest]

        /// One log's proof from its parts.
        public init(size: Int64, hashes: [SHA256Digest]) {
            self.size = size
            self.hashes = hashes
        }
    }

    /// The log of events.
    public let events: Log
    /// The log of further copies.
    public let copies: Log
    /// The log of the audit trail.
    public let audit: Log
    /// The later head.
    public let note: SignedNote

    static let title = "tallystick/consistency-proof@v1"

    /// A proof from its parts. It means nothing until ``verify(from:with:)`` has succeeded.
    public init(events: Log, copies: Log, audit: Log, note: SignedNote) {
        self.events = events
        self.copies = copies
        self.audit = audit
        self.note = note
    }

    /// Whether bytes begin like a proof of this kind.
    public static func isProof(_ bytes: [UInt8]) -> Bool { bytes.starts(with: title.utf8) }

    /// Reads a proof. It means nothing until ``verify(from:with:)`` has succeeded.
    public init(parsing bytes: [UInt8]) throws(NoteError) {
        let (lines, note) = try NoteText.split(proof: bytes, limit: NoteLimits.noteBytes)
        guard lines[0] == Self.title else {
            throw NoteError(.malformed, "a consistency proof begins with \(Self.title)")
        }
        var rest = lines.dropFirst()
        var logs: [Log] = []
        for name in ["events", "copies", "audit"] {
            guard let line = rest.popFirst(), line.hasPrefix(name + " "),
                let size = NoteText.number(line.dropFirst(name.utf8.count + 1))
            else { throw NoteError(.malformed, "the proof has no line '\(name) SIZE'") }
            let hashes = rest.prefix { !$0.contains(" ") }
            rest = rest.dropFirst(hashes.count)
            logs.append(Log(size: size, hashes: try NoteText.hashes(hashes)))
        }
        guard rest.isEmpty else { throw NoteError(.malformed, "the proof has lines left over") }
        (events, copies, audit) = (logs[0], logs[1], logs[2])
        self.note = note
    }

    /// The proof's file.
    public var bytes: [UInt8] {
        var output = Array("\(Self.title)\n".utf8)
        for (name, log) in [("events", events), ("copies", copies), ("audit", audit)] {
            output.append(contentsOf: "\(name) \(log.size)\n".utf8)
            for hash in log.hashes { output.append(contentsOf: "\(NoteText.base64(hash))\n".utf8) }
        }
        output.append(0x0A)
        output.append(contentsOf: note.bytes)
        return output
    }

    /// Checks the whole proof: both signatures, the store, and the path of each log.
    ///
    /// - parameter earlier: the earlier note.
    /// - parameter verifiers: the keys trusted to seal this store.
    /// - returns: the later head.
    /// - throws: `NoteError`.
    public func verify(
        from earlier: SignedNote,
        with verifiers: [NoteVerifier]
    ) throws(NoteError) -> TreeHead {
        let before = try TreeHead(note: earlier, verifiedBy: verifiers)
        let after = try TreeHead(note: note, verifiedBy: verifiers)
        guard before.origin.utf8.elementsEqual(after.origin.utf8) else {
            throw NoteError(
                .anotherStore,
                "the notes are about two stores: \(before.origin) and \(after.origin)"
            )
        }
        try Self.check("events", events, before.events, after.events)
        try Self.check("copies", copies, before.copies, after.copies)
        try Self.check("audit", audit, before.audit, after.audit)
        return after
    }

    private static func check(
        _ name: String,
        _ log: Log,
        _ before: TreeHead.Log,
        _ after: TreeHead.Log
    ) throws(NoteError) {
        let proof = ConsistencyProof(
            firstSize: before.size,
            secondSize: after.size,
            hashes: log.hashes
        )
        // Every log extends an empty one.
        let isProved =
            before.size == 0
            ? log.hashes.isEmpty : proof.isValid(firstRoot: before.root, secondRoot: after.root)
        guard log.size == before.size, before.size <= after.size, isProved else {
            throw NoteError(
                .notProved,
                "log \(name): the later head does not follow from the earlier one"
            )
        }
    }
}
