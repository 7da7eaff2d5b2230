/// A checksum that a sender declared for its event, with the delivery attributes `checksum`, `checksumalgorithm` and
/// `checksumkeyid`.
struct DeclaredChecksum {
    /// Hexadecimal digits, if the sender keeps to the format.
    private let text: String
    let algorithm: String
    private let keyID: String?

    /// - parameter algorithm: nil where the sender does not name it: the count of digits tells.
    init(_ text: String, algorithm: String?, keyID: String?) {
        self.text = text
        self.algorithm = algorithm ?? (text.count == 8 ? "crc32" : "sha256")
        self.keyID = keyID
    }

    /// Evaluates the content that arrived.
    func evaluate(
        _ content: UnsafeRawBufferPointer,
        _ digest: SHA256Digest,
        with checksummer: Checksummer
    ) -> ChecksumVerdict {
        let isKeyed = algorithm == ChecksumAlgorithm.hmacSHA256.rawValue
        // An HMAC whose key is not named is one that nobody can evaluate.
        if isKeyed, keyID == nil { return .keyMissing }
        let key = Array((keyID ?? "").utf8)
        let stored = Hex.bytes(text) ?? []
        return stored.withUnsafeBytes { stored in
            key.withUnsafeBytes { key in
                Array(algorithm.utf8).withUnsafeBytes { algorithm in
                    checksummer.evaluate(
                        stored,
                        algorithm: algorithm,
                        keyID: isKeyed ? key : nil,
                        content: content,
                        digest: digest
                    )
                }
            }
        }
    }

    /// Why an event with this verdict is refused; nil where it is not.
    func rejection(for verdict: ChecksumVerdict) -> EventRejection? {
        switch verdict {
        case .holds: nil
        // Only a holder of the key can evaluate it; it is kept with the delivery.
        case .keyMissing: nil
        case .differs:
            EventRejection(
                "checksum_mismatch",
                "the content does not have the \(algorithm) checksum that the sender declared"
            )
        case .unknownAlgorithm:
            EventRejection(
                "unsupported_checksum",
                "the declared checksum's algorithm is unknown; use crc32, sha256 or hmac-sha256"
            )
        }
    }
}
