import Crypto

/// A key that verifies signed notes: Ed25519 (RFC 8032), named as in C2SP signed-note.
///
/// Written `name+hash+key`: the key's name; its id in eight hexadecimal digits; base64 of 0x01 and the 32 bytes of
/// the public key.
public struct NoteVerifier: Sendable, Hashable, CustomStringConvertible {
    /// The key's name, as given in signatures.
    public let name: String
    /// The first four bytes, big-endian, of the SHA-256 of name, line feed, 0x01 and public key.
    public let keyID: UInt32
    /// 32 bytes.
    public let publicKey: [UInt8]

    /// The signature type of Ed25519.
    static let signatureType: UInt8 = 0x01
    static let keyBytes = 32

    /// - throws: `NoteError` for a name that is not valid, or if there are not exactly 32 bytes.
    public init(name: String, publicKey: [UInt8]) throws(NoteError) {
        guard Self.isName(name) else {
            throw NoteError(
                .malformed,
                "a key's name is not empty and has no spaces, plus signs or control characters"
            )
        }
        guard publicKey.count == Self.keyBytes else {
            throw NoteError(.malformed, "a public key of Ed25519 has \(Self.keyBytes) bytes")
        }
        self.name = name
        self.publicKey = publicKey
        keyID = Self.keyID(name, publicKey)
    }

    /// Reads `name+hash+key`.
    public init(_ text: String) throws(NoteError) {
        let (name, hash, key) = try Self.parts(text, "a public key")
        try self.init(name: name, publicKey: key)
        guard keyID == hash else {
            throw NoteError(.malformed, "the hash in the public key is not that of name and key")
        }
    }

    public var description: String {
        "\(name)+\(Self.hex(keyID))+\(Self.encoded(publicKey))"
    }

    /// Whether a signature of 64 bytes is this key's signature of a text.
    public func isValid(_ signature: [UInt8], for text: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else {
            return false
        }
        return key.isValidSignature(signature, for: text)
    }

    // MARK: The text forms

    static func keyID(_ name: String, _ publicKey: [UInt8]) -> UInt32 {
        let bytes = Array(name.utf8) + [0x0A, signatureType] + publicKey
        return SHA256Digest(hashing: bytes).bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    static func hex(_ keyID: UInt32) -> String {
        withUnsafeBytes(of: keyID.bigEndian) { Hex.string($0) }
    }

    static func encoded(_ key: [UInt8]) -> String {
        var text: [UInt8] = []
        Base64.encode([signatureType] + key, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Name, hash and key of `name+hash+key`. Messages never quote the text, which may be private.
    static func parts(
        _ text: String,
        _ what: String
    ) throws(NoteError) -> (name: String, hash: UInt32, key: [UInt8]) {
        let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1].utf8.count == 8, let hash = Hex.bytes(parts[1]),
            var key = Base64.decode(Array(parts[2].utf8))
        else {
            throw NoteError(.malformed, "\(what) is written name+hash+key, in one line")
        }
        defer { KeyRing.wipe(&key) }
        guard key.first == signatureType, key.count == keyBytes + 1 else {
            throw NoteError(.malformed, "\(what) is for Ed25519, and has \(keyBytes) bytes")
        }
        return (String(parts[0]), hash.reduce(0) { $0 << 8 | UInt32($1) }, Array(key.dropFirst()))
    }

    static func isName(_ name: String) -> Bool {
        !name.isEmpty
            && name.unicodeScalars.allSatisfy { scalar in
                !scalar.properties.isWhitespace && scalar != "+" && scalar.value >= 0x20
                    && scalar.value != 0x7F
            }
    }
}

/// A key that signs notes: Ed25519.
///
/// Its file is one line, `PRIVATE+KEY+name+hash+key`: the name and id as in the public key, and base64 of 0x01
/// and the 32 bytes of the seed. Descriptions show the public key only.
public struct NoteSigner: Sendable {
    /// The public half.
    public let verifier: NoteVerifier
    private let key: Curve25519.Signing.PrivateKey

    private static let prefix = "PRIVATE+KEY+"

    /// A new random key.
    public init(name: String) throws(NoteError) {
        key = Curve25519.Signing.PrivateKey()
        verifier = try NoteVerifier(name: name, publicKey: [UInt8](key.publicKey.rawRepresentation))
    }

    /// Reads a private key's file: one line, with or without its line feed.
    public init(file: [UInt8]) throws(NoteError) {
        var bytes = file
        defer { KeyRing.wipe(&bytes) }
        if bytes.last == 0x0A { bytes.removeLast() }
        guard let text = String(validating: bytes, as: UTF8.self), text.hasPrefix(Self.prefix)
        else {
            throw NoteError(.malformed, "a signing key is written PRIVATE+KEY+name+hash+key")
        }
        let parts = try NoteVerifier.parts(
            String(text.dropFirst(Self.prefix.count)),
            "a signing key"
        )
        var seed = parts.key
        defer { KeyRing.wipe(&seed) }
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
            throw NoteError(.malformed, "the signing key is not an Ed25519 key")
        }
        self.key = key
        verifier = try NoteVerifier(
            name: parts.name,
            publicKey: [UInt8](key.publicKey.rawRepresentation)
        )
        guard verifier.keyID == parts.hash else {
            throw NoteError(.malformed, "the hash in the signing key is not that of name and key")
        }
    }

    /// The private key's file. Anybody who has it can sign.
    public func file() -> [UInt8] {
        let head = "\(Self.prefix)\(verifier.name)+\(NoteVerifier.hex(verifier.keyID))+"
        var output = Array(head.utf8)
        Base64.encode([NoteVerifier.signatureType] + [UInt8](key.rawRepresentation), to: &output)
        output.append(0x0A)
        return output
    }

    /// The 64 bytes of the signature of a text.
    func signature(for text: [UInt8]) throws(NoteError) -> [UInt8] {
        do {
            return [UInt8](try key.signature(for: text))
        } catch {
            throw NoteError(.malformed, "the text could not be signed")
        }
    }
}

extension NoteSigner: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "NoteSigner(\(verifier))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["verifier": verifier.description]) }
}
