import TallystickCore

/// A decoded batch with its events in order of their identity, in which index tables are filled.
struct PreparedBatch: Sendable {
    let batch: EventBatch
    /// The settings under which it was decoded.
    let configuration: IngestConfiguration
    /// Indices of events that no earlier event of the batch duplicates, by id.
    let byIdentity: [Int32]

    init(_ batch: EventBatch, _ configuration: IngestConfiguration) {
        self.batch = batch
        self.configuration = configuration
        byIdentity = Self.order(batch)
    }

    private struct Key {
        var prefix: UInt64
        var index: Int32
    }

    private static func order(_ batch: EventBatch) -> [Int32] {
        batch.arena.withUnsafeBytes { arena in
            var keys: [Key] = []
            keys.reserveCapacity(batch.events.count)
            for (index, event) in batch.events.enumerated() where event.duplicateOf < 0 {
                keys.append(Key(prefix: prefix(arena.slice(event.id)), index: Int32(index)))
            }
            keys.sort { left, right in
                if left.prefix != right.prefix { return left.prefix < right.prefix }
                let a = arena.slice(batch.events[Int(left.index)].id)
                let b = arena.slice(batch.events[Int(right.index)].id)
                let order = a.order(to: b)
                return order == 0 ? left.index < right.index : order < 0
            }
            return keys.map(\.index)
        }
    }

    /// The first eight bytes as a big-endian number: ordered as the bytes are.
    private static func prefix(_ id: UnsafeRawBufferPointer) -> UInt64 {
        if id.count >= 8 {
            return UInt64(bigEndian: id.loadUnaligned(as: UInt64.self))
        }
        var prefix: UInt64 = 0
        for index in 0..<8 { prefix = prefix << 8 | UInt64(index < id.count ? id[index] : 0) }
        return prefix
    }
}
