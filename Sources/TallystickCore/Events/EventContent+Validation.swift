extension EventContent {
    /// The code of a rejection of content whose source or id differ.
    package static let otherIdentity = "other_identity"

    /// Validates content that did not come from ingest, by the same rules: the canonical form of an event with that
    /// identity.
    ///
    /// - parameter delivery: names of the store's delivery attributes, which are not part of content.
    /// - throws: `EventRejection`; its code is ``otherIdentity`` if source or id differ.
    package static func validated(
        _ json: [UInt8],
        source: String,
        id: String,
        delivery: Set<String> = EventAttributes.builtInDelivery
    ) throws(EventRejection) -> [UInt8] {
        try validate(json, source: source, id: id, delivery: delivery).content
    }

    /// Validated content, and its SHA-256.
    struct Validated {
        var content: [UInt8]
        var digest: SHA256Digest
    }

    /// Like ``validated(_:source:id:delivery:)``.
    static func validate(
        _ json: [UInt8],
        source: String,
        id: String,
        delivery: Set<String> = EventAttributes.builtInDelivery
    ) throws(EventRejection) -> Validated {
        var decoder = EventDecoder(
            EventDecoderSettings(deliveryAttributes: delivery),
            expectedNames: 4
        )
        var batch = EventBatch()
        decoder.begin(&batch)
        let place = RecordPlace(line: 1, column: 1, byte: 0)
        _ = json.withUnsafeBytes { decoder.decode($0, at: place, into: &batch) }
        if let rejected = batch.rejected.first {
            throw EventRejection(
                rejected.code,
                at: Int(rejected.place.byte),
                rejected.message
            )
        }
        guard let event = batch.events.first, let name = batch.newSources.names.first else {
            throw EventRejection("json_unexpected_end", "there is no event")
        }
        let content: [UInt8]? = batch.arena.withUnsafeBytes { arena in
            let isIt =
                CanonicalJSON.text(ofString: arena.slice(name)).elementsEqual(source.utf8)
                && arena.slice(event.id).elementsEqual(id.utf8)
            return isIt ? [UInt8](arena.slice(event.content)) : nil
        }
        guard let content else {
            throw EventRejection(
                otherIdentity,
                "the content has another source or id"
            )
        }
        return Validated(content: content, digest: event.contentDigest)
    }
}
