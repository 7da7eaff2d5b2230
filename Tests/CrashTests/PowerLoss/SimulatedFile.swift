/// One file of a simulated disk: its synced content, later writes, and pages that a failed sync left in doubt.
///
/// After a failed sync Linux keeps the written pages in its cache, marked clean: later syncs do not write them, and
/// they are lost when the power is cut. A write to such a page makes the whole page dirty again.
struct SimulatedFile {
    enum Change {
        case write(offset: Int, bytes: [UInt8])
        case resize(to: Int)
    }

    /// A change and its place in the global order.
    struct Pending {
        var order: Int
        var change: Change
    }

    static let pageBytes = 4096

    /// The content in every state after a power cut.
    private(set) var durable: [UInt8]
    /// The content as processes read it.
    private(set) var cached: [UInt8]
    /// The changes since the last sync.
    private(set) var pending: [Pending] = []
    /// Pages that a failed sync may or may not have written, by number.
    private(set) var doubtful: [Int: [UInt8]] = [:]

    /// Whether pages in doubt stay so when they are written again: a canary.
    let forgetsRewrites: Bool

    init(durable: [UInt8] = [], forgetsRewrites: Bool = false) {
        self.forgetsRewrites = forgetsRewrites
        self.durable = durable
        cached = durable
    }

    mutating func write(_ bytes: [UInt8], at offset: Int, order: Int) {
        Self.apply(.write(offset: offset, bytes: bytes), to: &cached)
        let pages = Self.pages(of: offset..<offset + bytes.count)
        guard pages.contains(where: { doubtful[$0] != nil }) else {
            pending.append(Pending(order: order, change: .write(offset: offset, bytes: bytes)))
            return
        }
        if forgetsRewrites { return }
        for page in pages { doubtful[page] = nil }
        let range =
            pages.lowerBound
            * Self.pageBytes..<min(
                pages.upperBound * Self.pageBytes,
                cached.count
            )
        let whole = Change.write(offset: range.lowerBound, bytes: Array(cached[range]))
        pending.append(Pending(order: order, change: whole))
    }

    mutating func resize(to size: Int, order: Int) {
        guard size != cached.count else { return }
        Self.apply(.resize(to: size), to: &cached)
        doubtful = doubtful.filter { $0.key * Self.pageBytes < size }
        pending.append(Pending(order: order, change: .resize(to: size)))
    }

    mutating func sync() {
        for change in pending { Self.apply(change.change, to: &durable) }
        pending = []
        // The size is metadata, not a page of data.
        Self.apply(.resize(to: cached.count), to: &durable)
    }

    mutating func failSync() {
        for change in pending {
            guard case .write(let offset, let bytes) = change.change else {
                // Sizes are in the file system's journal, which did not fail.
                Self.apply(change.change, to: &durable)
                continue
            }
            for page in Self.pages(of: offset..<offset + bytes.count) {
                let end = min((page + 1) * Self.pageBytes, cached.count)
                guard page * Self.pageBytes < end else { continue }
                doubtful[page] = Array(cached[page * Self.pageBytes..<end])
            }
        }
        pending = []
    }

    private static func pages(of range: Range<Int>) -> Range<Int> {
        range.lowerBound / pageBytes..<(range.upperBound + pageBytes - 1) / pageBytes
    }

    static func apply(_ change: Change, to content: inout [UInt8]) {
        switch change {
        case .resize(let size):
            if size < content.count {
                content.removeLast(content.count - size)
            } else {
                content.append(contentsOf: repeatElement(0, count: size - content.count))
            }
        case .write(let offset, let bytes):
            let end = offset + bytes.count
            if end > content.count {
                content.append(contentsOf: repeatElement(0, count: end - content.count))
            }
            content.withUnsafeMutableBytes { target in
                UnsafeMutableRawBufferPointer(rebasing: target[offset..<end]).copyBytes(from: bytes)
            }
        }
    }
}
