/// The leaves of the logs `events` and `copies` (File format, "Leaves"). Names are canonical JSON strings,
/// quotation marks included; objects and arrays canonical JSON.
package enum Leaf {
    /// Appends the leaf of an event.
    package static func writeEvent(
        position: Int64,
        revision: Int64,
        recordedAt: Int64,
        category: UnsafeRawBufferPointer,
        origin: UnsafeRawBufferPointer,
        stream: UnsafeRawBufferPointer,
        content: SHA256Digest,
        delivery: UnsafeRawBufferPointer?,
        to leaf: inout ByteBuffer
    ) {
        leaf.append("{\"category\":")
        leaf.append(contentsOf: category)
        leaf.append(",\"content\":\"")
        content.withUnsafeBytes { leaf.appendHex($0) }
        leaf.append(0x22)
        if let delivery {
            leaf.append(",\"delivery\":")
            leaf.append(contentsOf: delivery)
        }
        leaf.append(",\"leaf\":\"event/1\",\"origin\":")
        leaf.append(contentsOf: origin)
        leaf.append(",\"position\":")
        leaf.append(decimal: position)
        leaf.append(",\"recorded_at\":")
        leaf.append(decimal: recordedAt)
        leaf.append(",\"revision\":")
        leaf.append(decimal: revision)
        leaf.append(",\"stream\":")
        leaf.append(contentsOf: stream)
        leaf.append(0x7D)
    }

    /// Appends the leaf of a further copy.
    package static func writeCopy(
        copyID: Int64,
        position: Int64,
        recordedAt: Int64,
        origin: UnsafeRawBufferPointer,
        agreement: String,
        content: SHA256Digest,
        differsIn: UnsafeRawBufferPointer?,
        delivery: UnsafeRawBufferPointer?,
        to leaf: inout ByteBuffer
    ) {
        leaf.append("{\"agreement\":\"")
        var agreement = agreement
        agreement.withUTF8 { leaf.append(contentsOf: UnsafeRawBufferPointer($0)) }
        leaf.append("\",\"content\":\"")
        content.withUnsafeBytes { leaf.appendHex($0) }
        leaf.append("\",\"copy_id\":")
        leaf.append(decimal: copyID)
        if let delivery {
            leaf.append(",\"delivery\":")
            leaf.append(contentsOf: delivery)
        }
        if let differsIn {
            leaf.append(",\"differs_in\":")
            leaf.append(contentsOf: differsIn)
        }
        leaf.append(",\"leaf\":\"copy/1\",\"origin\":")
        leaf.append(contentsOf: origin)
        leaf.append(",\"position\":")
        leaf.append(decimal: position)
        leaf.append(",\"recorded_at\":")
        leaf.append(decimal: recordedAt)
        leaf.append(0x7D)
    }
}
