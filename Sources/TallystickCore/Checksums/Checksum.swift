/// What a checksum is made with. The raw values are part of the file format.
public enum ChecksumAlgorithm: String, Sendable, CaseIterable {
    /// CRC-32 (IEEE), 4 bytes big-endian. Finds accidents; never called tamper-evident.
    case crc32
    /// SHA-256, 32 bytes.
    case sha256
    /// HMAC-SHA-256 (RFC 2104), 32 bytes.
    case hmacSHA256 = "hmac-sha256"

    /// Bytes of a checksum.
    public var byteCount: Int { self == .crc32 ? CRC32.byteCount : SHA256Digest.byteCount }
}

/// A checksum over the content of an event: what made it, with which key, and its bytes.
public struct Checksum: Hashable, Sendable {
    public let algorithm: ChecksumAlgorithm
    /// The key's id, for `hmac-sha256` only.
    public let keyID: String?
    /// As many bytes as the algorithm makes.
    public let bytes: [UInt8]

    /// - returns: nil when the number of bytes is not the algorithm's (truncated tags are refused), or
    ///   a key id is missing or superfluous.
    public init?(algorithm: ChecksumAlgorithm, keyID: String? = nil, bytes: [UInt8]) {
        guard bytes.count == algorithm.byteCount, (keyID != nil) == (algorithm == .hmacSHA256)
        else { return nil }
        self.algorithm = algorithm
        self.keyID = keyID
        self.bytes = bytes
    }

    /// The CRC-32 of content.
    public init(crc32Of content: UnsafeRawBufferPointer) {
        algorithm = .crc32
        keyID = nil
        bytes = withUnsafeBytes(of: CRC32.checksum(content).bigEndian) { [UInt8]($0) }
    }

    /// The SHA-256 of content, which is its content digest.
    public init(sha256 digest: SHA256Digest) {
        algorithm = .sha256
        keyID = nil
        bytes = digest.bytes
    }

    /// The HMAC-SHA-256 of content.
    public init(hmac: HMACSHA256, keyID: String, of content: UnsafeRawBufferPointer) {
        algorithm = .hmacSHA256
        self.keyID = keyID
        bytes = hmac.tag(of: content).bytes
    }

    /// Whether this is the checksum of content.
    ///
    /// - parameter hmac: the key that `keyID` names; nil for the other algorithms.
    /// - returns: nil when that cannot be told because the key is missing.
    public func matches(_ content: UnsafeRawBufferPointer, hmac: HMACSHA256?) -> Bool? {
        switch algorithm {
        case .crc32:
            return self == Checksum(crc32Of: content)
        case .sha256:
            return self == Checksum(sha256: SHA256Digest(hashing: content))
        case .hmacSHA256:
            guard let hmac else { return nil }
            return bytes.withUnsafeBytes { hmac.isValid($0, for: content) }
        }
    }

    /// Lower-case hexadecimal digits of the bytes.
    public var hex: String { Hex.string(bytes) }
}
