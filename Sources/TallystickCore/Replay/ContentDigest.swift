/// A digest of a store's content, regardless of the order of ingest: over its effective events sorted by source and
/// id, without position, revision or origin.
///
/// It is the SHA-256 of the ASCII bytes `tallystick content 1` and a line feed, then for each effective event, in
/// ascending order of the bytes of source and then id: source and id, each after its number of bytes (4 bytes,
/// big-endian), and the SHA-256 of its content's ``ComparisonForm`` (32 bytes).
package struct ContentDigest: Sendable {
    private static let header = "tallystick content 1\n"
    private static let bufferByteCount = 1 << 15

    private var hasher = SHA256Hasher()
    private var buffer: [UInt8]
    private var lastSource: [UInt8] = []
    private var lastID: [UInt8] = []
    /// Number of events so far.
    package private(set) var count: Int64 = 0

    /// A digest of no events yet.
    package init() { buffer = Array(Self.header.utf8) }

    /// Takes in the next effective event.
    ///
    /// - returns: false, and takes in nothing, if it does not come after the previous one.
    package mutating func append(
        source: UnsafeRawBufferPointer,
        id: UnsafeRawBufferPointer,
        form: SHA256Digest
    ) -> Bool {
        let sourceIsSame = source.elementsEqual(lastSource)
        let isNext =
            count == 0 || (sourceIsSame && lastID.lexicographicallyPrecedes(id))
            || (!sourceIsSame && lastSource.lexicographicallyPrecedes(source))
        guard isNext else { return false }
        if !sourceIsSame { lastSource = [UInt8](source) }
        lastID.removeAll(keepingCapacity: true)
        lastID.append(contentsOf: id)
        write(source)
        write(id)
        form.withUnsafeBytes { buffer.append(contentsOf: $0) }
        if buffer.count >= Self.bufferByteCount { flush() }
        count += 1
        return true
    }

    /// The digest of all events so far; more can follow.
    package var digest: SHA256Digest {
        var copy = self
        copy.flush()
        return copy.hasher.digest()
    }

    private mutating func write(_ text: UnsafeRawBufferPointer) {
        let count = UInt32(truncatingIfNeeded: text.count)
        withUnsafeBytes(of: count.bigEndian) { buffer.append(contentsOf: $0) }
        buffer.append(contentsOf: text)
    }

    private mutating func flush() {
        buffer.withUnsafeBytes { hasher.update($0) }
        buffer.removeAll(keepingCapacity: true)
    }
}
