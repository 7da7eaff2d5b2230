/// Which events' copies are compared: a share of them, chosen by identity, the same on every machine.
///
/// An event's *sample number* comes from the first 8 bytes, big-endian, of the SHA-256 of `tallystick sample 1`, a
/// line feed, source and id, each after its number of bytes (4 bytes, big-endian): the highest 53 of these 64 bits,
/// divided by 2^53. It lies in 0 ..< 1. The event is in the sample if the number is less than the percentage / 100,
/// so a higher percentage keeps every event that a lower one has.
package enum Sampling {
    /// Whether an event is in a category's sample.
    package static func includes(
        source: String,
        id: String,
        in category: StoreSettings.Category
    ) -> Bool {
        guard category.isEnabled, category.percentage > 0 else { return false }
        guard category.percentage < 100 else { return true }
        return number(source: source, id: id) < category.percentage / 100
    }

    /// The event's sample number: 0 ..< 1.
    package static func number(source: String, id: String) -> Double {
        var bytes = Array("tallystick sample 1\n".utf8)
        for text in [source, id] {
            let count = UInt32(truncatingIfNeeded: text.utf8.count)
            withUnsafeBytes(of: count.bigEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: text.utf8)
        }
        let word = SHA256Digest(hashing: bytes).withUnsafeBytes {
            UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self))
        }
        return Double(word >> 11) * 0x1p-53
    }
}
