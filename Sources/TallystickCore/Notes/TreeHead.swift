/// Size and root of a store's three logs at one moment: what a sealed note says.
///
/// Its text is a C2SP tlog-checkpoint over the log `events`, with the other two as extension lines:
///
/// ```
/// tallystick/8f0c…
/// 4150
/// CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
/// copies 2028 …
/// audit 107 …
/// ```
public struct TreeHead: Sendable, Hashable {
    /// One log.
    public struct Log: Sendable, Hashable {
        /// Leaves.
        public var size: Int64
        /// The root of the tree over the leaves (RFC 6962).
        public var root: SHA256Digest

        /// The head of one log.
        public init(size: Int64, root: SHA256Digest) {
            self.size = size
            self.root = root
        }
    }

    /// Identifies the store: `tallystick/` and its id.
    public var origin: String
    /// The log of events.
    public var events: Log
    /// The log of further copies.
    public var copies: Log
    /// The log of the audit trail.
    public var audit: Log

    /// The head of a store's three logs.
    public init(storeID: String, events: Log, copies: Log, audit: Log) {
        origin = Self.origin(of: storeID)
        self.events = events
        self.copies = copies
        self.audit = audit
    }

    /// The origin line of a store's notes.
    public static func origin(of storeID: String) -> String { "tallystick/\(storeID)" }

    /// Reads the text of a note. Further extension lines are ignored, as the format requires.
    public init(noteText text: String) throws(NoteError) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.popLast() == "", lines.count >= 5, lines.allSatisfy({ !$0.isEmpty }) else {
            throw NoteError(
                .malformed,
                "a tree head has lines for origin, size, root, copies and audit, none of them empty"
            )
        }
        origin = String(lines[0])
        events = try Self.log(lines[1], lines[2])
        copies = try Self.log(lines[3], named: "copies")
        audit = try Self.log(lines[4], named: "audit")
    }

    private static func log(
        _ line: Substring,
        named name: String
    ) throws(NoteError) -> Log {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == name else {
            throw NoteError(.malformed, "the tree head has no line '\(name) SIZE ROOT'")
        }
        return try log(parts[1], parts[2])
    }

    private static func log(_ size: Substring, _ root: Substring) throws(NoteError) -> Log {
        guard let size = NoteText.number(size), let root = NoteText.digest(root) else {
            throw NoteError(
                .malformed,
                "a size is decimal without leading zeros, a root base64 of 32 bytes"
            )
        }
        guard size > 0 || root == MerkleHash.emptyRoot else {
            throw NoteError(.malformed, "the root of an empty log is that of the empty tree")
        }
        return Log(size: size, root: root)
    }

    /// The text that is signed.
    public var noteText: String {
        func line(_ log: Log) -> String { "\(log.size) \(NoteText.base64(log.root))" }
        return
            "\(origin)\n\(events.size)\n\(NoteText.base64(events.root))\ncopies \(line(copies))\naudit \(line(audit))\n"
    }

    /// The text that the HMAC of a stored head covers: a title, the head's number, its time, and the note's text.
    ///
    /// - parameter recordedAt: microseconds since 1970.
    public func authenticatedText(number: Int64, recordedAt: Int64) -> [UInt8] {
        Array("tallystick-head/1\n\(number)\n\(recordedAt)\n\(noteText)".utf8)
    }

    /// Reads a note, verifies its signatures, and reads its text.
    public init(
        note: SignedNote,
        verifiedBy verifiers: [NoteVerifier]
    ) throws(NoteError) {
        try note.verify(with: verifiers)
        try self.init(noteText: note.text)
    }
}

/// Words of the C2SP formats.
enum NoteText {
    /// A decimal number without sign or leading zeros, at most 2^56.
    static func number(_ text: some StringProtocol) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 &- 0x30 <= 9 }),
            text.utf8.count == 1 || text.utf8.first != 0x30, let number = Int64(text),
            number <= MerkleLog.maximumSize
        else { return nil }
        return number
    }

    static func digest(_ text: some StringProtocol) -> SHA256Digest? {
        guard let bytes = Base64.decode(Array(text.utf8)) else { return nil }
        return bytes.withUnsafeBytes { SHA256Digest(bytes: $0) }
    }

    static func base64(_ digest: SHA256Digest) -> String {
        var text: [UInt8] = []
        Base64.encode(digest.bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Splits a proof at its first empty line: the lines before it, and the note after it.
    static func split(
        proof bytes: [UInt8],
        limit: Int
    ) throws(NoteError) -> (lines: [Substring], note: SignedNote) {
        guard bytes.count <= limit else {
            throw NoteError(.tooLarge, "a proof has at most \(limit) bytes")
        }
        guard
            let blank = bytes.indices.dropLast().first(where: {
                bytes[$0] == 0x0A && bytes[$0 + 1] == 0x0A
            }), let head = String(validating: bytes[..<blank], as: UTF8.self)
        else {
            throw NoteError(.malformed, "a proof is lines, a blank line, and a signed note")
        }
        let note = try SignedNote(parsing: Array(bytes[(blank + 2)...]))
        return (head.split(separator: "\n", omittingEmptySubsequences: false), note)
    }

    /// Lines of base64, one hash each.
    static func hashes(_ lines: some Collection<Substring>) throws(NoteError) -> [SHA256Digest] {
        guard lines.count <= NoteLimits.hashes else {
            throw NoteError(.malformed, "a proof has at most \(NoteLimits.hashes) hashes")
        }
        var hashes: [SHA256Digest] = []
        for line in lines {
            guard let hash = digest(line) else {
                throw NoteError(.malformed, "a hash is base64 of 32 bytes, one a line")
            }
            hashes.append(hash)
        }
        return hashes
    }
}
