/// A text with signatures, as C2SP signed-note describes it: the text, a blank line, and for each signature
/// `— name base64(key id ‖ signature)`.
public struct SignedNote: Sendable, Hashable {
    /// One signature, not trusted until it is verified.
    public struct Signature: Sendable, Hashable {
        /// The name of the key that is claimed to have signed.
        public let name: String
        /// The id of that key: see ``NoteVerifier/keyID``.
        public let keyID: UInt32
        /// The signature itself: 64 bytes for Ed25519.
        public let bytes: [UInt8]
    }

    /// UTF-8 that ends with a line feed and has no other control characters.
    public let text: String
    /// One or more, in the order of the note.
    public let signatures: [Signature]

    /// Signs a text.
    public init(_ text: String, signedBy signers: [NoteSigner]) throws(NoteError) {
        try Self.validate(Array(text.utf8))
        guard text.utf8.last == 0x0A else {
            throw NoteError(.malformed, "a note's text ends with a line feed")
        }
        guard (1...NoteLimits.signatures).contains(signers.count) else {
            throw NoteError(.malformed, "a note has 1 to \(NoteLimits.signatures) signatures")
        }
        var signatures: [Signature] = []
        for signer in signers {
            signatures.append(
                Signature(
                    name: signer.verifier.name,
                    keyID: signer.verifier.keyID,
                    bytes: try signer.signature(for: Array(text.utf8))
                )
            )
        }
        self.text = text
        self.signatures = signatures
    }

    /// Reads a note. Its text means nothing until ``verify(with:)`` has succeeded.
    public init(parsing bytes: [UInt8]) throws(NoteError) {
        try Self.validate(bytes)
        guard let note = String(validating: bytes, as: UTF8.self) else {
            throw NoteError(.malformed, "a note is UTF-8")
        }
        let lines = note.split(separator: "\n", omittingEmptySubsequences: false)
        // The last line feed leaves an empty line after it; apart from that, the last empty line is the one before
        // the signatures.
        guard lines.last == "", let blank = lines.dropLast().lastIndex(of: ""), blank > 0 else {
            throw NoteError(
                .malformed,
                "a note is a text, a blank line, and lines of signatures"
            )
        }
        let signed = lines[(blank + 1)...].dropLast()
        guard (1...NoteLimits.signatures).contains(signed.count) else {
            throw NoteError(.malformed, "a note has 1 to \(NoteLimits.signatures) signatures")
        }
        text = lines[..<blank].joined(separator: "\n") + "\n"
        var signatures: [Signature] = []
        for line in signed { signatures.append(try Self.signature(line)) }
        self.signatures = signatures
    }

    private static func validate(_ bytes: [UInt8]) throws(NoteError) {
        guard bytes.count <= NoteLimits.noteBytes else {
            throw NoteError(.tooLarge, "a note has at most \(NoteLimits.noteBytes) bytes")
        }
        guard bytes.allSatisfy({ $0 >= 0x20 || $0 == 0x0A }) else {
            throw NoteError(.malformed, "a note has no control characters but line feeds")
        }
    }

    private static func signature(_ line: Substring) throws(NoteError) -> Signature {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "\u{2014}", NoteVerifier.isName(String(parts[1])),
            let bytes = Base64.decode(Array(parts[2].utf8)), bytes.count > 4
        else {
            throw NoteError(
                .malformed,
                "a signature is written as a long dash, the key's name, and base64"
            )
        }
        return Signature(
            name: String(parts[1]),
            keyID: bytes[..<4].reduce(0) { $0 << 8 | UInt32($1) },
            bytes: Array(bytes[4...])
        )
    }

    /// The note's file.
    public var bytes: [UInt8] {
        var output = Array(text.utf8)
        output.append(0x0A)
        for signature in signatures {
            output.append(contentsOf: "\u{2014} \(signature.name) ".utf8)
            let keyID = withUnsafeBytes(of: signature.keyID.bigEndian) { [UInt8]($0) }
            Base64.encode(keyID + signature.bytes, to: &output)
            output.append(0x0A)
        }
        return output
    }

    /// Checks the signatures of known keys, and ignores others.
    ///
    /// - returns: the keys that signed; at least one.
    /// - throws: `NoteError`: `unknownKey` if none of the keys did; `badSignature` if a signature that names one of
    ///   the keys is not valid.
    @discardableResult
    public func verify(with verifiers: [NoteVerifier]) throws(NoteError) -> [NoteVerifier] {
        var signed: [NoteVerifier] = []
        for signature in signatures {
            for verifier in verifiers
            where verifier.keyID == signature.keyID
                && verifier.name.utf8.elementsEqual(signature.name.utf8)
            {
                guard verifier.isValid(signature.bytes, for: Array(text.utf8)) else {
                    throw NoteError(
                        .badSignature,
                        "the signature by '\(verifier.name)' is not valid for this text"
                    )
                }
                if !signed.contains(verifier) { signed.append(verifier) }
            }
        }
        guard !signed.isEmpty else {
            throw NoteError(.unknownKey, "no signature is by one of the given keys")
        }
        return signed
    }
}
