/// Makes and verifies checksums over content: the one place that implements each algorithm and knows which key it
/// needs.
///
/// A value is small, may be copied and shared, and holds each key of its ring prepared.
package struct Checksummer: Sendable {
    /// The keys for making and verifying HMACs; empty if none were given.
    package let ring: KeyRing

    package init(_ ring: KeyRing = KeyRing()) { self.ring = ring }

    /// The checksum of content.
    ///
    /// - parameter digest: the content's SHA-256, which every caller already has.
    /// - parameter keyID: the key, for `hmac-sha256` only.
    /// - returns: nil if the key is missing.
    @inline(__always)
    package func checksum(
        _ algorithm: ChecksumAlgorithm,
        keyID: String? = nil,
        of content: UnsafeRawBufferPointer,
        digest: SHA256Digest
    ) -> Checksum? {
        switch algorithm {
        case .crc32: return Checksum(crc32Of: content)
        case .sha256: return Checksum(sha256: digest)
        case .hmacSHA256:
            guard let keyID, let key = ring[keyID] else { return nil }
            return Checksum(hmac: key.hmac, of: content)
        }
    }

    /// Verifies a stored or declared checksum, given its columns. A matching checksum needs no allocation.
    ///
    /// - parameter algorithm: the stored name.
    /// - parameter keyID: nil if none is stored.
    /// - parameter digest: the content's SHA-256.
    package func evaluate(
        _ bytes: UnsafeRawBufferPointer,
        algorithm: UnsafeRawBufferPointer,
        keyID: UnsafeRawBufferPointer?,
        content: UnsafeRawBufferPointer,
        digest: SHA256Digest
    ) -> ChecksumVerdict {
        guard let algorithm = ChecksumAlgorithm(name: algorithm) else { return .unknownAlgorithm }
        // Every HMAC has a key id, and no other checksum does.
        guard (keyID != nil) == (algorithm == .hmacSHA256) else {
            return .differs(
                expected: keyID == nil ? "a key id for hmac-sha256" : "no key id for its algorithm"
            )
        }
        guard algorithm == .hmacSHA256, let keyID else {
            let actual =
                algorithm == .crc32 ? Checksum(crc32Of: content) : Checksum(sha256: digest)
            return actual == Checksum(algorithm: algorithm, bytes: bytes)
                ? .holds : .differs(expected: actual.hex)
        }
        guard let stored = Checksum(algorithm: algorithm, bytes: bytes) else {
            return .differs(expected: "\(algorithm.byteCount) bytes")
        }
        guard let key = ring.key(keyID) else { return .keyMissing }
        // The correct HMAC is never disclosed: it would be a signature for the content.
        return Checksum(hmac: key.hmac, of: content).equalsInConstantTime(stored)
            ? .holds : .differs(expected: Self.withheld)
    }

    /// Stands for an HMAC that only a holder of the key may make.
    package static let withheld = "another HMAC (not shown)"
}

/// The result of comparing a checksum with its content.
package enum ChecksumVerdict: Sendable, Equatable {
    case holds
    /// The content, the checksum or its description was changed. HMACs are not shown.
    case differs(expected: String)
    /// Can be checked only with the key.
    case keyMissing
    /// A name that no release wrote.
    case unknownAlgorithm
}

extension ChecksumVerdict {
    /// The correct checksum of the content, as shown in a finding.
    package var actual: String {
        switch self {
        case .holds: "the same"
        case .differs(let expected): expected
        case .keyMissing: "unknown without the key"
        case .unknownAlgorithm: "unknown algorithm"
        }
    }
}
