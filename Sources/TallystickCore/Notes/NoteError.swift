/// Why a note, a key for notes or a proof is refused.
public struct NoteError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Stable reasons.
    public enum Code: String, Sendable {
        /// It is not in the required format.
        case malformed
        /// It is larger than the limit.
        case tooLarge = "too_large"
        /// No signature is by one of the given keys.
        case unknownKey = "unknown_key"
        /// A signature that names one of the given keys is not valid for this text.
        case badSignature = "bad_signature"
        /// It is about another store.
        case anotherStore = "another_store"
        /// It does not follow from the tree head.
        case notProved = "not_proved"
    }

    /// The kind of failure.
    public let code: Code
    /// What is wrong, in one sentence.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(message) (\(code.rawValue))" }
}

/// Limits of notes and proofs.
package enum NoteLimits {
    /// Maximum bytes of a note.
    package static let noteBytes = 1 << 20
    /// Maximum bytes of a proof with its event.
    package static let proofBytes = 48 << 20
    /// Signatures of a note.
    package static let signatures = 100
    /// Hashes of a proof: a path of a tree with 2^56 leaves and its border.
    package static let hashes = 128
}
