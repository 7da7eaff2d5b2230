import TallystickCore
import TallystickSQLite

/// The attributes and data of an event's content, as stored in columns.
package struct EventFields {
    package var type = ""
    package var subject: String?
    package var time: String?
    package var dataContentType: String?
    /// A canonical JSON object; nil if there are no other attributes.
    package var attributes: String?
    package var data = SQLValue.null

    /// Splits a canonical content into columns.
    package init(content: [UInt8]) throws(StoreError) {
        var decoder = EventDecoder(EventDecoderSettings())
        var batch = EventBatch()
        decoder.begin(&batch)
        let place = RecordPlace(line: 1, column: 1, byte: 0)
        _ = content.withUnsafeBytes { decoder.decode($0, at: place, into: &batch) }
        guard let event = batch.events.first else {
            throw StoreError(
                .badInput,
                during: "read an event's content",
                on: batch.rejected.first?.code ?? "content",
                batch.rejected.first?.message ?? "this is not an event"
            )
        }
        let name = batch.newTypes.names.first ?? .none
        batch.arena.withUnsafeBytes { arena in
            func text(_ range: ByteRange) -> String? {
                range.isPresent ? String(decoding: arena.slice(range), as: UTF8.self) : nil
            }
            type = String(decoding: CanonicalJSON.text(ofString: arena.slice(name)), as: UTF8.self)
            subject = text(event.subject)
            time = text(event.time)
            dataContentType = text(event.dataContentType)
            attributes = text(event.attributes)
            if event.dataIsBinary {
                data = .blob([UInt8](arena.slice(event.data)))
            } else if let json = text(event.data) {
                data = .text(json)
            }
        }
    }
}
