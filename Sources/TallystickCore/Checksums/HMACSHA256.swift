import Crypto

/// HMAC-SHA-256 (RFC 2104) with one key, prepared once and used for many messages.
///
/// Preparing costs as much as several messages, so keep the value; it may be copied and shared.
package struct HMACSHA256: Sendable {
    private let prepared: HMAC<SHA256>

    /// Prepares a key of any length.
    package init(key: UnsafeRawBufferPointer) {
        prepared = HMAC<SHA256>(key: SymmetricKey(data: key))
    }

    /// Prepares a key of any length.
    package init(key: [UInt8]) {
        self = key.withUnsafeBytes { HMACSHA256(key: $0) }
    }

    /// The message's tag.
    package func tag(of message: UnsafeRawBufferPointer) -> SHA256Digest {
        var code = prepared
        code.update(data: message)
        return SHA256Digest(code.finalize())
    }

    /// The message's tag.
    package func tag(of message: [UInt8]) -> SHA256Digest {
        message.withUnsafeBytes { tag(of: $0) }
    }

    /// Whether a tag is the message's: compared in constant time, over all of its 32 bytes.
    package func isValid(_ tag: SHA256Digest, for message: UnsafeRawBufferPointer) -> Bool {
        self.tag(of: message).equalsInConstantTime(tag)
    }

    /// Whether a tag is the message's; false for a tag of fewer or more than 32 bytes.
    package func isValid(
        _ tag: UnsafeRawBufferPointer,
        for message: UnsafeRawBufferPointer
    ) -> Bool {
        guard let tag = SHA256Digest(bytes: tag) else { return false }
        return isValid(tag, for: message)
    }

    /// Whether a tag is the message's; false for a tag of fewer or more than 32 bytes.
    package func isValid(_ tag: [UInt8], for message: [UInt8]) -> Bool {
        tag.withUnsafeBytes { tag in message.withUnsafeBytes { isValid(tag, for: $0) } }
    }
}
