/// A running digest of a replay: of what it consumed, or of what it did with it.
///
/// It is the ``ChainedDigest`` of one record after the other, in the order in which things happened.
/// Numbers are 8 bytes, big-endian. Records of what was consumed:
///
/// | record | bytes |
/// |---|---|
/// | an event | `E`, position, revision, SHA-256 of its content, stream |
/// | an event that a resolution excluded | `X`, position, id of the resolution |
/// | a correction | `C`, position, id of the resolution, SHA-256 of the content, decision |
///
/// Without content the SHA-256 is 32 zero bytes. Stream and decision are UTF-8 after their number of bytes
/// (4 bytes, big-endian). Records of what was done: `a` (applied), `p` (parked), `s` (skipped) or `r` (retried),
/// position, id of the resolution or 0.
///
/// Neither digest depends on batches, interruptions, machines or the time of recording.
package struct ReplayDigest: Sendable, Equatable {
    /// The outcome for an event or a correction. The raw values are part of the format.
    package enum Action: UInt8, Sendable, CaseIterable {
        /// Applied in its place.
        case applied = 0x61
        /// Set aside with its error, or because an earlier event of its stream was.
        case parked = 0x70
        /// Left out, on request.
        case skipped = 0x73
        /// Applied later, after it had been parked.
        case retried = 0x72
    }

    private var chain: ChainedDigest

    /// A digest of nothing yet.
    package init() { chain = ChainedDigest() }

    /// A digest that resumes from the state of a checkpoint.
    ///
    /// - returns: nil if it is not a valid state.
    package init?(state: [UInt8]) {
        guard let chain = ChainedDigest(state: state) else { return nil }
        self.chain = chain
    }

    /// The state, to be stored with a checkpoint: 32 to 1055 bytes, whose SHA-256 is ``value``.
    package var state: [UInt8] { chain.state }

    /// The digest of all records so far; more can follow. Each call costs a hash.
    package var value: SHA256Digest { chain.digest }

    /// Takes in an event that was consumed.
    ///
    /// - parameter stream: its stream's name as UTF-8.
    package mutating func addEvent(
        position: Int64,
        revision: Int64,
        content: SHA256Digest,
        stream: UnsafeRawBufferPointer
    ) {
        chain.append(kind: 0x45, position, revision, content, text: stream)
    }

    /// Takes in an event that was consumed.
    package mutating func addEvent(
        position: Int64,
        revision: Int64,
        content: SHA256Digest,
        stream: String
    ) {
        var stream = stream
        stream.withUTF8 { text in
            addEvent(
                position: position,
                revision: revision,
                content: content,
                stream: UnsafeRawBufferPointer(text)
            )
        }
    }

    /// Takes in an event that was skipped, because a resolution excluded it.
    package mutating func addExcluded(position: Int64, resolutionID: Int64) {
        chain.append(kind: 0x58, position, resolutionID)
    }

    /// Takes in a correction that was consumed.
    ///
    /// - parameter content: of the event's effective content from now on; zero if it is excluded.
    package mutating func addCorrection(
        resolutionID: Int64,
        position: Int64,
        content: SHA256Digest,
        decision: String
    ) {
        var decision = decision
        decision.withUTF8 { text in
            chain.append(
                kind: 0x43,
                position,
                resolutionID,
                content,
                text: UnsafeRawBufferPointer(text)
            )
        }
    }

    /// Takes in the outcome for an event or a correction.
    ///
    /// - parameter resolutionID: 0 for an event.
    package mutating func add(_ action: Action, position: Int64, resolutionID: Int64 = 0) {
        chain.append(kind: action.rawValue, position, resolutionID)
    }
}
