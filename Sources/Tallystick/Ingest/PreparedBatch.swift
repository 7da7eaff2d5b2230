import TallystickCore

/// A decoded batch with its events in order of their identity, in which index tables are filled.
struct PreparedBatch: Sendable {
    let batch: EventBatch
    /// The settings under which it was decoded.
    let configuration: IngestConfiguration
    /// Indices of events that no earlier event of the batch duplicates, by id.
    let byIdentity: [Int32]
    /// The CRC-32 of their ids, in the same order, for the filters of the index.
    let idChecksums: [UInt32]
    /// What its input is called, for rejected records; nil where it has no name.
    let path: String?
    /// Where it comes from, in a run of ingest.
    let part: IngestReader.Part?

    init(
        _ batch: EventBatch,
        _ configuration: IngestConfiguration,
        path: String = "",
        part: IngestReader.Part? = nil
    ) {
        self.batch = batch
        self.path = path.isEmpty ? nil : path
        self.part = part
        self.configuration = configuration
        let order = Self.order(batch)
        byIdentity = order
        idChecksums = batch.arena.withUnsafeBytes { arena in
            order.map { CRC32.checksum(arena.slice(batch.events[Int($0)].id)) }
        }
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
                keys.append(Key(prefix: arena.slice(event.id).bigEndianPrefix, index: Int32(index)))
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
}
