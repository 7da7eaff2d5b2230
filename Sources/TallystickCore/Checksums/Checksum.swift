/// The algorithm of a checksum. The raw values are part of the file format.
public enum ChecksumAlgorithm: String, Sendable, CaseIterable {
    /// CRC-32 (IEEE), 4 bytes big-endian. Detects accidents; never called tamper-evident.
    case crc32
    /// SHA-256, 32 bytes.
    case sha256
    /// HMAC-SHA-256 (RFC 2104), 32 bytes.
    case hmacSHA256 = "hmac-sha256"

    /// Bytes of a checksum.
    public var byteCount: Int { self == .crc32 ? CRC32.byteCount : SHA256Digest.byteCount }
}

extension ChecksumAlgorithm {
    /// The algorithm with a stored name; nil for a name that no release wrote.
    @inlinable
    public init?(name: UnsafeRawBufferPointer) {
        // Names differ in length, so one comparison is enough.
        let algorithm: ChecksumAlgorithm
        switch name.count {
        case 5: algorithm = .crc32
        case 6: algorithm = .sha256
        case 11: algorithm = .hmacSHA256
        default: return nil
        }
        guard name.elementsEqual(algorithm.rawValue.utf8) else { return nil }
        self = algorithm
    }
}

/// A checksum over the content of an event: its algorithm and its bytes, stored inline.
package struct Checksum: Hashable, Sendable {
    package let algorithm: ChecksumAlgorithm
    /// The bytes, padded with zeros.
    private let value: SHA256Digest

    /// - returns: nil if the number of bytes does not fit the algorithm: truncated tags are refused.
    package init?(algorithm: ChecksumAlgorithm, bytes: UnsafeRawBufferPointer) {
        guard bytes.count == algorithm.byteCount else { return nil }
        self.algorithm = algorithm
        value = SHA256Digest(copying: bytes)
    }

    /// - returns: nil if the number of bytes does not fit the algorithm: truncated tags are refused.
    package init?(algorithm: ChecksumAlgorithm, bytes: [UInt8]) {
        guard
            let checksum = bytes.withUnsafeBytes({ Checksum(algorithm: algorithm, bytes: $0) })
        else { return nil }
        self = checksum
    }

    /// The CRC-32 of content.
    package init(crc32Of content: UnsafeRawBufferPointer) {
        algorithm = .crc32
        value = Swift.withUnsafeBytes(of: CRC32.checksum(content).bigEndian) {
            SHA256Digest(copying: $0)
        }
    }

    /// The SHA-256 of content, which is its content digest.
    package init(sha256 digest: SHA256Digest) {
        algorithm = .sha256
        value = digest
    }

    /// The HMAC-SHA-256 of content.
    package init(hmac: HMACSHA256, of content: UnsafeRawBufferPointer) {
        algorithm = .hmacSHA256
        value = hmac.tag(of: content)
    }

    /// Passes the bytes, as many as the algorithm makes, to `body`, which must not keep the pointer.
    @inline(__always)
    package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        value.withUnsafeBytes {
            body(UnsafeRawBufferPointer(rebasing: $0[..<algorithm.byteCount]))
        }
    }

    /// As many bytes as the algorithm makes.
    package var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

    /// Lower-case hexadecimal digits of the bytes.
    package var hex: String { withUnsafeBytes { Hex.string($0) } }

    /// Whether two checksums are equal, in a time that does not depend on where they differ.
    package func equalsInConstantTime(_ other: Checksum) -> Bool {
        algorithm == other.algorithm && value.equalsInConstantTime(other.value)
    }
}
