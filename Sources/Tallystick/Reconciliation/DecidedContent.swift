import TallystickCore

/// Judges content that is to take the place of an event's: given by a person, merged, or returned by a
/// policy. It must be an event like any other, with the same identity.
struct DecidedContent {
    /// Names of attributes that describe a delivery, and are no content.
    let deliveryAttributes: Set<String>

    /// The content in canonical form.
    ///
    /// - throws: `StoreError` with `badInput` where it is no event, or has another source or id.
    func judged(
        _ json: [UInt8],
        source: String,
        eventID: String
    ) throws(StoreError) -> [UInt8] {
        var decoder = EventDecoder(EventDecoderSettings(deliveryAttributes: deliveryAttributes))
        var batch = EventBatch()
        decoder.begin(&batch)
        let place = RecordPlace(line: 1, column: 1, byte: 0)
        _ = json.withUnsafeBytes { decoder.decode($0, at: place, into: &batch) }
        if let rejected = batch.rejected.first {
            throw StoreError(
                .badInput,
                during: "read the content",
                on: "line \(rejected.place.line), column \(rejected.place.column)",
                "\(rejected.message) (\(rejected.code))"
            )
        }
        guard let event = batch.events.first, let name = batch.newSources.names.first else {
            throw StoreError(.badInput, during: "read the content", "there is no event")
        }
        let content = batch.arena.withUnsafeBytes { arena -> [UInt8]? in
            let isSame =
                CanonicalJSON.text(ofString: arena.slice(name)).elementsEqual(source.utf8)
                && arena.slice(event.id).elementsEqual(eventID.utf8)
            return isSame ? [UInt8](arena.slice(event.content)) : nil
        }
        guard let content else {
            throw StoreError(
                .badInput,
                during: "read the content",
                on: "event '\(eventID)' of '\(source)'",
                "the content has another source or id",
                hint: "Keep source and id; everything else may change"
            )
        }
        return content
    }
}
