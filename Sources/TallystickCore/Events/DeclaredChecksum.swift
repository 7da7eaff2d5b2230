/// A checksum that a sender declared for its event, with the delivery attributes `checksum`, `checksumalgorithm` and
/// `checksumkeyid`.
struct DeclaredChecksum {
    /// Hexadecimal digits, if the sender follows the format.
    private let text: String
    let algorithm: String
    private let keyID: String?

    /// - parameter algorithm: nil if the sender does not name it: the number of digits determines it.
    init(_ text: String, algorithm: String?, keyID: String?) {
        self.text = text
        self.algorithm = algorithm ?? (text.count == 8 ? "crc32" : "sha256")
        self.keyID = keyID
    }

    /// Verifies the content that arrived.
    func evaluate(
        _ content: UnsafeRawBufferPointer,
        _ digest: SHA256Digest,
        with checksummer: Checksummer
    ) -> ChecksumVerdict {
        let isKeyed = algorithm == ChecksumAlgorithm.hmacSHA256.rawValue
        // An HMAC without a key id cannot be checked.
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

    /// Why an event with this verdict is refused; nil if it is accepted.
    func rejection(for verdict: ChecksumVerdict) -> EventRejection? {
        switch verdict {
        case .holds: nil
        // It can be checked only with the key; it is kept with the delivery.
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
