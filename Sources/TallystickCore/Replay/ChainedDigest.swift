/// A digest of a growing sequence of bytes whose state is small and can be stored, so that it goes on
/// after an interruption. How the bytes were cut into pieces makes no difference.
///
/// The bytes are cut into chunks of 1024. A chain value begins as 32 zero bytes; each complete chunk makes
/// it SHA-256(chain value ‖ chunk). The digest is SHA-256(chain value ‖ the bytes after the last
/// complete chunk). In Python:
///
/// ```python
/// def chained_digest(data):
///     chain = bytes(32)
///     while len(data) >= 1024:
///         chain, data = sha256(chain + data[:1024]).digest(), data[1024:]
///     return sha256(chain + data).hexdigest()
/// ```
///
/// Plain SHA-256 would do, if the state of the library's hasher could be stored; a hash for each record
/// costs several times as much.
package struct ChainedDigest: Sendable, Equatable {
    /// Bytes of a chunk.
    package static let chunkByteCount = 1024
    /// Maximum bytes of a ``state``.
    package static let maximumStateByteCount = SHA256Digest.byteCount + chunkByteCount - 1

    /// The chain value, and the bytes after the last complete chunk.
    private var buffer: [UInt8]

    /// A digest of no bytes yet.
    package init() {
        buffer = SHA256Digest.zero.bytes
        buffer.reserveCapacity(2 * Self.chunkByteCount)
    }

    /// A digest that resumes from a stored state.
    ///
    /// - returns: nil if a state cannot have that number of bytes.
    package init?(state: [UInt8]) {
        guard (SHA256Digest.byteCount...Self.maximumStateByteCount).contains(state.count) else {
            return nil
        }
        buffer = state
        buffer.reserveCapacity(2 * Self.chunkByteCount)
    }

    /// The state to be stored: the chain value (32 bytes), then the bytes after the last complete chunk
    /// (0 to 1023). Its SHA-256 is the digest.
    package var state: [UInt8] { buffer }

    /// The digest of all bytes so far; more can follow.
    package var digest: SHA256Digest { SHA256Digest(hashing: buffer) }

    /// Takes in more bytes.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        buffer.append(contentsOf: bytes)
        hashChunks()
    }

    /// Takes in a record: a byte and two numbers of 8 bytes, big-endian.
    mutating func append(kind: UInt8, _ first: Int64, _ second: Int64) {
        withUnsafeTemporaryAllocation(byteCount: 17, alignment: 8) { record in
            Self.write(kind, first, second, to: record)
            buffer.append(contentsOf: UnsafeRawBufferPointer(record))
        }
        hashChunks()
    }

    /// Takes in a record: a byte and two numbers of 8 bytes, big-endian; the 32 bytes of a digest; a
    /// text's number of bytes (4 bytes, big-endian), and the text.
    mutating func append(
        kind: UInt8,
        _ first: Int64,
        _ second: Int64,
        _ digest: SHA256Digest,
        text: UnsafeRawBufferPointer
    ) {
        // One append for all fields of fixed size: appends dominate the cost here.
        withUnsafeTemporaryAllocation(byteCount: 53, alignment: 8) { record in
            Self.write(kind, first, second, to: record)
            digest.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: record[17..<49]).copyMemory(from: $0)
            }
            let count = UInt32(truncatingIfNeeded: text.count)
            record.storeBytes(of: count.bigEndian, toByteOffset: 49, as: UInt32.self)
            buffer.append(contentsOf: UnsafeRawBufferPointer(record))
        }
        buffer.append(contentsOf: text)
        hashChunks()
    }

    @inline(__always)
    private static func write(
        _ kind: UInt8,
        _ first: Int64,
        _ second: Int64,
        to record: UnsafeMutableRawBufferPointer
    ) {
        record[0] = kind
        record.storeBytes(of: first.bigEndian, toByteOffset: 1, as: Int64.self)
        record.storeBytes(of: second.bigEndian, toByteOffset: 9, as: Int64.self)
    }

    /// Hashes complete chunks.
    private mutating func hashChunks() {
        let whole = SHA256Digest.byteCount + Self.chunkByteCount
        guard buffer.count >= whole else { return }
        var start = 0
        while buffer.count - start >= whole {
            let chain = buffer.withUnsafeBytes {
                SHA256Digest(hashing: UnsafeRawBufferPointer(rebasing: $0[start..<start + whole]))
            }
            // The new chain value replaces the chunk's last bytes, just before the next chunk.
            start += Self.chunkByteCount
            chain.withUnsafeBytes { bytes in
                for index in 0..<SHA256Digest.byteCount { buffer[start + index] = bytes[index] }
            }
        }
        buffer.removeFirst(start)
    }
}
