import Crypto

/// A SHA-256 digest (FIPS 180-4), 32 bytes stored inline.
@frozen
public struct SHA256Digest: Hashable, Sendable, CustomStringConvertible {
    @usableFromInline var words: (UInt64, UInt64, UInt64, UInt64)

    /// Bytes of a digest.
    public static let byteCount = 32
    /// 32 zero bytes; the digest of nothing known.
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
        self.init()
        digest.withUnsafeBytes { source in
            withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: source) }
        }
    }

    /// A digest of exactly 32 bytes; nil for any other count.
    @inlinable
    public init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.byteCount else { return nil }
        self.init()
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: bytes) }
    }

    /// A digest of 64 hexadecimal digits; nil for anything else.
    public init?(hex: some StringProtocol) {
        guard let bytes = Hex.bytes(hex), bytes.count == Self.byteCount else { return nil }
        self.init()
        withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

    /// 64 lower-case hexadecimal digits.
    public var hex: String {
        var text: [UInt8] = []
        writeHex(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    public var description: String { hex }

    /// Appends 64 lower-case hexadecimal digits.
    public func writeHex(to output: inout [UInt8]) {
        withUnsafeBytes { Hex.write($0, to: &output) }
    }

    @inlinable
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        Swift.withUnsafeBytes(of: words, body)
    }

    @inlinable
    public static func == (left: Self, right: Self) -> Bool {
        left.words.0 == right.words.0 && left.words.1 == right.words.1
            && left.words.2 == right.words.2 && left.words.3 == right.words.3
    }

    @inlinable
    public func hash(into hasher: inout Hasher) {
        // A digest is spread evenly already.
        hasher.combine(words.0)
    }
}

/// SHA-256 over bytes that arrive in pieces.
public struct SHA256Hasher {
    private var hasher = SHA256()

    public init() {}

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        hasher.update(bufferPointer: bytes)
    }

    /// The digest of all bytes so far; the hasher can go on.
    public func digest() -> SHA256Digest { SHA256Digest(hasher.finalize()) }
}

/// Hexadecimal digits.
public enum Hex {
    /// Appends two lower-case digits a byte.
    public static func write(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        for byte in bytes {
            output.append(digit(byte >> 4))
            output.append(digit(byte & 15))
        }
    }

    public static func string(_ bytes: UnsafeRawBufferPointer) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        write(bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Lower-case digits of bytes.
    public static func string(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { string($0) } }

    /// The bytes behind digits of either case; nil for an odd count or another character.
    public static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt32?
        for character in text.utf8 {
            guard let digit = JSONCursor.hexDigit(character) else { return nil }
            if let first = high {
                bytes.append(UInt8(first << 4 | digit))
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }

    @inline(__always)
    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
}
