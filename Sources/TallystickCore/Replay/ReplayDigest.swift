/// The two digests of a checkpoint: chains of SHA-256, one link a record, so that they do not depend on how
/// the records were batched.
///
/// A link is `SHA-256(previous ‖ record)`; the first previous is 32 zero bytes. Numbers are 8 bytes,
/// big-endian. Records of what was consumed:
/// - an event: `E`, position, revision, SHA-256 of its content, its stream's name (UTF-8);
/// - an event that a resolution excluded: `X`, position, id of the resolution;
/// - a correction: `C`, id of the resolution, position, SHA-256 of the content (zeros for none), its
///   decision (UTF-8).
///
/// Records of what was done: `a` (applied), `p` (parked), `s` (skipped) or `r` (retried), position, id of
/// the resolution or 0.
public struct ReplayDigest: Sendable, Equatable {
    public private(set) var value: SHA256Digest

    public init() { value = .zero }
    public init(_ value: SHA256Digest) { self.value = value }

    public enum Action: UInt8, Sendable {
        case applied = 0x61
        case parked = 0x70
        case skipped = 0x73
        case retried = 0x72
    }

    public mutating func addEvent(
        position: Int64,
        revision: Int64,
        content: SHA256Digest,
        stream: UnsafeRawBufferPointer
    ) {
        link(extra: stream.count) { buffer, offset in
            Self.putByte(0x45, in: buffer, &offset)
            Self.put(position, in: buffer, &offset)
            Self.put(revision, in: buffer, &offset)
            content.withUnsafeBytes { Self.put($0, in: buffer, &offset) }
            Self.put(stream, in: buffer, &offset)
        }
    }

    public mutating func addEvent(
        position: Int64,
        revision: Int64,
        content: SHA256Digest,
        stream: String
    ) {
        var stream = stream
        stream.withUTF8 {
            addEvent(
                position: position, revision: revision, content: content,
                stream: UnsafeRawBufferPointer($0))
        }
    }

    public mutating func addExcluded(position: Int64, resolutionID: Int64) {
        link(extra: 0) { buffer, offset in
            Self.putByte(0x58, in: buffer, &offset)
            Self.put(position, in: buffer, &offset)
            Self.put(resolutionID, in: buffer, &offset)
        }
    }

    public mutating func addCorrection(
        resolutionID: Int64,
        position: Int64,
        content: SHA256Digest,
        decision: String
    ) {
        let decision = Array(decision.utf8)
        link(extra: decision.count) { buffer, offset in
            Self.putByte(0x43, in: buffer, &offset)
            Self.put(resolutionID, in: buffer, &offset)
            Self.put(position, in: buffer, &offset)
            content.withUnsafeBytes { Self.put($0, in: buffer, &offset) }
            decision.withUnsafeBytes { Self.put($0, in: buffer, &offset) }
        }
    }

    public mutating func add(_ action: Action, position: Int64, resolutionID: Int64 = 0) {
        link(extra: 0) { buffer, offset in
            Self.putByte(action.rawValue, in: buffer, &offset)
            Self.put(position, in: buffer, &offset)
            Self.put(resolutionID, in: buffer, &offset)
        }
    }

    private mutating func link(
        extra: Int,
        _ fill: (UnsafeMutableRawBufferPointer, inout Int) -> Void
    ) {
        let previous = value
        value = withUnsafeTemporaryAllocation(byteCount: 96 + extra, alignment: 8) { buffer in
            var offset = 0
            previous.withUnsafeBytes { Self.put($0, in: buffer, &offset) }
            fill(buffer, &offset)
            return SHA256Digest(hashing: UnsafeRawBufferPointer(rebasing: buffer[..<offset]))
        }
    }

    private static func putByte(_ byte: UInt8, in buffer: UnsafeMutableRawBufferPointer, _ offset: inout Int) {
        buffer[offset] = byte
        offset += 1
    }

    private static func put(_ value: Int64, in buffer: UnsafeMutableRawBufferPointer, _ offset: inout Int) {
        withUnsafeBytes(of: value.bigEndian) { bytes in
            UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + 8]).copyMemory(from: bytes)
        }
        offset += 8
    }

    private static func put(
        _ bytes: UnsafeRawBufferPointer,
        in buffer: UnsafeMutableRawBufferPointer,
        _ offset: inout Int
    ) {
        guard !bytes.isEmpty else { return }
        UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + bytes.count])
            .copyMemory(from: bytes)
        offset += bytes.count
    }
}
