import Crypto

/// A SHA-256 digest (FIPS 180-4), 32 bytes stored inline.
@frozen
public struct SHA256Digest: Hashable, Comparable, Sendable, CustomStringConvertible {
    @usableFromInline var words: (UInt64, UInt64, UInt64, UInt64)

    /// Bytes of a digest.
    public static let byteCount = 32
    /// 32 zero bytes; stands for an unknown digest.
    public static let zero = SHA256Digest()

    @usableFromInline init() { words = (0, 0, 0, 0) }

    /// Hashes bytes.
    public init(hashing bytes: UnsafeRawBufferPointer) {
        var hasher = SHA256()
        hasher.update(bufferPointer: bytes)
        self.init(hasher.finalize())
    }

    /// Hashes bytes.
    public init(hashing bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { SHA256Digest(hashing: $0) }
    }

    init(_ digest: SHA256.Digest) {
        self = digest.withUnsafeBytes { SHA256Digest(copying: $0) }
    }

    init(_ code: HMAC<SHA256>.MAC) {
        self = code.withUnsafeBytes { SHA256Digest(copying: $0) }
    }

    /// The first 32 of the given bytes; missing ones are zero.
    init(copying bytes: UnsafeRawBufferPointer) {
        self.init()
        let count = min(bytes.count, Self.byteCount)
        let source = UnsafeRawBufferPointer(rebasing: bytes[..<count])
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: source) }
    }

    /// A digest of exactly 32 bytes; nil for any other count.
    @inlinable
    public init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.byteCount else { return nil }
        self.init()
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: bytes) }
    }

    /// A digest of 64 lower-case hexadecimal digits; nil for anything else.
    public init?(hex: some StringProtocol) {
        var text = String(hex)
        guard let digest = text.withUTF8({ Self(digits: $0) }) else { return nil }
        self = digest
    }

    private init?(digits: UnsafeBufferPointer<UInt8>) {
        guard digits.count == 2 * Self.byteCount else { return nil }
        self.init()
        let isHex = withUnsafeMutableBytes(of: &words) { bytes in
            for index in 0..<Self.byteCount {
                guard let high = Hex.value(digits[2 * index]),
                    let low = Hex.value(digits[2 * index + 1])
                else { return false }
                bytes[index] = high << 4 | low
            }
            return true
        }
        guard isHex else { return nil }
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

    /// 64 lower-case hexadecimal digits.
    public var hex: String { withUnsafeBytes { Hex.string($0) } }

    public var description: String { hex }

    /// Passes the 32 bytes to `body`, which must not keep the pointer.
    @inlinable
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        Swift.withUnsafeBytes(of: words, body)
    }

    @inlinable
    public static func == (left: Self, right: Self) -> Bool {
        left.words.0 == right.words.0 && left.words.1 == right.words.1
            && left.words.2 == right.words.2 && left.words.3 == right.words.3
    }

    /// Whether two digests are equal, in a time that does not depend on where they differ.
    public func equalsInConstantTime(_ other: Self) -> Bool {
        let difference =
            (words.0 ^ other.words.0) | (words.1 ^ other.words.1)
            | (words.2 ^ other.words.2) | (words.3 ^ other.words.3)
        return difference == 0
    }

    /// The order of the bytes.
    @inlinable
    public static func < (left: Self, right: Self) -> Bool {
        if left.words.0 != right.words.0 { return left.words.0.bigEndian < right.words.0.bigEndian }
        if left.words.1 != right.words.1 { return left.words.1.bigEndian < right.words.1.bigEndian }
        if left.words.2 != right.words.2 { return left.words.2.bigEndian < right.words.2.bigEndian }
        return left.words.3.bigEndian < right.words.3.bigEndian
    }

    @inlinable
    public func hash(into hasher: inout Hasher) {
        // A digest is already evenly distributed.
        hasher.combine(words.0)
    }
}

/// SHA-256 over bytes that arrive in pieces.
package struct SHA256Hasher: Sendable {
    private var hasher = SHA256()

    package init() {}

    /// Takes in more bytes.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        hasher.update(bufferPointer: bytes)
    }

    /// The digest of all bytes so far; more can follow.
    package func digest() -> SHA256Digest { SHA256Digest(hasher.finalize()) }
}
