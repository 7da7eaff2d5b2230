/// What became of an event, or of a correction, in a projection. The raw values are part of the format.
public enum ReplayOutcome: UInt8, Sendable, CaseIterable {
    /// Applied in its place.
    case applied = 1
    /// Set aside with its error, or because an earlier event of its stream was.
    case parked = 2
    /// Left out, on request.
    case skipped = 3
    /// Applied later, after it had been parked.
    case retried = 4
}

/// The two running digests of a replay: of what it consumed, and of what it did with it.
///
/// Both are ``ChainedDigest``s over records, in the order in which things happened; numbers are 8 bytes,
/// texts begin with their number of bytes in 4 bytes, all big-endian. The first begins with the
/// ASCII bytes `tallystick consumed 1` and a line feed, followed by
///
/// | record | bytes |
/// |---|---|
/// | event | 0x01, position, revision, content digest (32 bytes), stream as text |
/// | correction | 0x02, resolution id, content digest (32 bytes; zeros when it leaves no content), decision as text |
///
/// The second begins with `tallystick applied 1` and a line feed; each record is the outcome (1 applied,
/// 2 parked, 3 skipped, 4 retried), the position, and the resolution id (0 for an event).
///
/// Neither depends on batches, interruptions, machines or the time of recording.
public struct ReplayDigest: Sendable, Equatable {
    private var consumed: ChainedDigest
    private var applied: ChainedDigest

    private static let consumedHeader = Array("tallystick consumed 1\n".utf8)
    private static let appliedHeader = Array("tallystick applied 1\n".utf8)

    /// Nothing consumed yet.
    public init() {
        consumed = ChainedDigest()
        applied = ChainedDigest()
        Self.consumedHeader.withUnsafeBytes { consumed.append($0) }
        Self.appliedHeader.withUnsafeBytes { applied.append($0) }
    }

    /// Digests that go on from the states of a checkpoint.
    ///
    /// - returns: nil when a state is none.
    public init?(consumedState: [UInt8], appliedState: [UInt8]) {
        guard let consumed = ChainedDigest(state: consumedState),
            let applied = ChainedDigest(state: appliedState)
        else { return nil }
        self.consumed = consumed
        self.applied = applied
    }

    /// The digest of what was consumed.
    public var digest: SHA256Digest { consumed.digest }
    /// The digest of what was applied, parked, skipped and retried.
    public var appliedDigest: SHA256Digest { applied.digest }
    /// The state of ``digest``, to be stored with a checkpoint.
    public var consumedState: [UInt8] { consumed.state }
    /// The state of ``appliedDigest``, to be stored with a checkpoint.
    public var appliedState: [UInt8] { applied.state }

    /// Takes in an event that was read.
    ///
    /// - parameter stream: the stream's name as UTF-8.
    public mutating func consumeEvent(
        position: Int64,
        revision: Int64,
        stream: UnsafeRawBufferPointer,
        content: SHA256Digest
    ) {
        consumed.append(byte: 0x01)
        consumed.append(number: position)
        consumed.append(number: revision)
        consumed.append(digest: content)
        consumed.append(text: stream)
    }

    /// Takes in a correction that was read.
    ///
    /// - parameter content: the digest of the content that counts from now on; nil when none does.
    public mutating func consumeCorrection(
        resolution: Int64,
        decision: String,
        content: SHA256Digest?
    ) {
        consumed.append(byte: 0x02)
        consumed.append(number: resolution)
        consumed.append(digest: content ?? .zero)
        var decision = decision
        decision.withUTF8 { consumed.append(text: UnsafeRawBufferPointer($0)) }
    }

    /// Takes in what became of an event, or of a correction.
    ///
    /// - parameter resolution: 0 for an event.
    public mutating func record(_ outcome: ReplayOutcome, position: Int64, resolution: Int64 = 0) {
        applied.append(byte: outcome.rawValue)
        applied.append(number: position)
        applied.append(number: resolution)
        applied.hashChunks()
    }
}
