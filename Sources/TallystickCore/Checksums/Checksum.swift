import Crypto

/// What a checksum is made with. The raw values are part of the file format.
public enum ChecksumAlgorithm: String, Sendable, CaseIterable {
    /// CRC-32 (IEEE), 4 bytes big-endian.
    case crc32
    /// SHA-256, 32 bytes.
    case sha256
    /// HMAC-SHA-256 (RFC 2104), 32 bytes.
    case hmacSHA256 = "hmac-sha256"

    /// Bytes of a checksum.
    public var byteCount: Int { self == .crc32 ? 4 : 32 }
}

/// HMAC-SHA-256 (RFC 2104) with one key, prepared once and used for many messages.
public struct HMACSHA256: Sendable {
    /// Bytes of a tag; truncated tags are refused.
    public static let tagByteCount = 32
    private let prepared: HMAC<SHA256>

    public init(key: [UInt8]) { prepared = HMAC<SHA256>(key: SymmetricKey(data: key)) }

    /// The message's tag.
    public func tag(of message: UnsafeRawBufferPointer) -> [UInt8] {
        var code = prepared
        code.update(data: message)
        return [UInt8](code.finalize())
    }

    /// Whether a tag is the message's: compared in constant time, over all of its 32 bytes.
    public func isValid(_ tag: [UInt8], for message: UnsafeRawBufferPointer) -> Bool {
        guard tag.count == Self.tagByteCount else { return false }
        var difference: UInt8 = 0
        for (given, computed) in zip(tag, self.tag(of: message)) { difference |= given ^ computed }
        return difference == 0
    }
}
