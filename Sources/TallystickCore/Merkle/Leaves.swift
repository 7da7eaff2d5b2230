/// The leaves of the logs `events` and `copies` (File format, "Leaves"). Names are canonical JSON strings,
/// quotation marks included; objects and arrays canonical JSON.
public enum Leaf {
    /// Appends the leaf of an event.
    public static func writeEvent(
        position: Int64,
        revision: Int64,
        recordedAt: Int64,
        category: UnsafeRawBufferPointer,
        origin: UnsafeRawBufferPointer,
        stream: UnsafeRawBufferPointer,
        content: SHA256Digest,
        delivery: UnsafeRawBufferPointer?,
        to leaf: inout [UInt8]
    ) {
        literal("{\"category\":", to: &leaf)
        leaf.append(contentsOf: category)
        literal(",\"content\":\"", to: &leaf)
        content.writeHex(to: &leaf)
        leaf.append(0x22)
        if let delivery {
            literal(",\"delivery\":", to: &leaf)
            leaf.append(contentsOf: delivery)
        }
        literal(",\"leaf\":\"event/1\",\"origin\":", to: &leaf)
        leaf.append(contentsOf: origin)
        literal(",\"position\":", to: &leaf)
        number(position, to: &leaf)
        literal(",\"recorded_at\":", to: &leaf)
        number(recordedAt, to: &leaf)
        literal(",\"revision\":", to: &leaf)
        number(revision, to: &leaf)
        literal(",\"stream\":", to: &leaf)
        leaf.append(contentsOf: stream)
        leaf.append(0x7D)
    }

    /// Appends the leaf of a further copy.
    public static func writeCopy(
        copyID: Int64,
        position: Int64,
        recordedAt: Int64,
        origin: UnsafeRawBufferPointer,
        agreement: String,
        content: SHA256Digest,
        differsIn: UnsafeRawBufferPointer?,
        delivery: UnsafeRawBufferPointer?,
        to leaf: inout [UInt8]
    ) {
        literal("{\"agreement\":\"", to: &leaf)
        leaf.append(contentsOf: agreement.utf8)
        literal("\",\"content\":\"", to: &leaf)
        content.writeHex(to: &leaf)
        literal("\",\"copy_id\":", to: &leaf)
        number(copyID, to: &leaf)
        if let delivery {
            literal(",\"delivery\":", to: &leaf)
            leaf.append(contentsOf: delivery)
        }
        if let differsIn {
            literal(",\"differs_in\":", to: &leaf)
            leaf.append(contentsOf: differsIn)
        }
        literal(",\"leaf\":\"copy/1\",\"origin\":", to: &leaf)
        leaf.append(contentsOf: origin)
        literal(",\"position\":", to: &leaf)
        number(position, to: &leaf)
        literal(",\"recorded_at\":", to: &leaf)
        number(recordedAt, to: &leaf)
        leaf.append(0x7D)
    }

    @inline(__always)
    private static func literal(_ text: StaticString, to leaf: inout [UInt8]) {
        leaf.append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        )
    }

    /// Appends a number in decimal.
    private static func number(_ value: Int64, to leaf: inout [UInt8]) {
        var magnitude = value.magnitude
        if value < 0 { leaf.append(0x2D) }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var start = 20
            repeat {
                start -= 1
                digits[start] = UInt8(truncatingIfNeeded: 0x30 + magnitude % 10)
                magnitude /= 10
            } while magnitude > 0
            leaf.append(contentsOf: UnsafeMutableBufferPointer(rebasing: digits[start...]))
        }
    }
}
