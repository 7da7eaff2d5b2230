package import TallystickCore

extension StoreWriter {
    /// Stores the head of the logs, in the open transaction.
    ///
    /// - parameter key: vouches for the head.
    /// - parameter note: the head, sealed.
    @discardableResult
    package func addHead(
        key: KeyRing.Key?,
        sealedBy note: (TreeHead) throws -> SignedNote? = { _ in nil }
    ) throws -> StoredHead {
        let head = try treeHead()
        let storeID = String(head.origin.dropFirst(TreeHead.origin(of: "").count))
        var row = StoredHead(
            number: (try heads.last(of: storeID)?.number ?? 0) + 1,
            recordedAt: clock(),
            head: head
        )
        row.note = try note(head).map { String(decoding: $0.bytes, as: UTF8.self) }
        if let key {
            let text = head.authenticatedText(number: row.number, recordedAt: row.recordedAt)
            row.keyID = key.id
            row.hmac = key.hmac.tag(of: text).hex
        }
        try heads.add(row)
        return row
    }

    /// The key that vouches for heads: the one that makes HMACs, if this process has it.
    package func headKey() throws -> KeyRing.Key? {
        checksummer.ring.isEmpty ? nil : try registeredKeys().usable(in: checksummer.ring)
    }

    /// Stores the head of the logs if there is a key to vouch for it, and the logs grew since the last one.
    package func addHeadIfKeyed() throws {
        guard let key = try headKey() else { return }
        let head = try treeHead()
        let storeID = String(head.origin.dropFirst(TreeHead.origin(of: "").count))
        guard try heads.last(of: storeID)?.head != head else { return }
        try addHead(key: key)
    }

    /// Stores a head when the handle is closed. If that fails, because another process writes or the disk is full,
    /// nothing is lost: an earlier head remains, and another one will follow.
    package func storeClosingHead() {
        guard !checksummer.ring.isEmpty, !isOutwaited else { return }
        try? transaction("store the tree head", recordingOverrides: false) { try addHeadIfKeyed() }
    }
}
