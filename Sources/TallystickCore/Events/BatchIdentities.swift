/// The identities of a batch's events, used to find a second delivery within the batch.
struct BatchIdentities: Sendable {
    /// An open hash table: the number of an event, starting at 1; 0 for an empty slot.
    private var slots: [Int32] = []

    /// Forgets the last batch.
    mutating func removeAll() { slots.removeAll(keepingCapacity: true) }

    /// The event of the batch with the same source and id as one that is about to be added; -1 if there is none, and
    /// the new one is remembered.
    mutating func find(_ event: BatchEvent, in batch: borrowing EventBatch) -> Int32 {
        let number = batch.events.count
        if (number + 1) * 2 > slots.count { grow(batch) }
        return batch.arena.withUnsafeBytes { arena in
            let id = arena.slice(event.id)
            let mask = slots.count - 1
            var slot = Int(truncatingIfNeeded: hash(event, arena)) & mask
            while slots[slot] != 0 {
                let other = batch.events[Int(slots[slot]) - 1]
                if other.source == event.source, arena.slice(other.id).isEqual(to: id) {
                    return slots[slot] - 1
                }
                slot = (slot + 1) & mask
            }
            slots[slot] = Int32(truncatingIfNeeded: number + 1)
            return -1
        }
    }

    private mutating func grow(_ batch: borrowing EventBatch) {
        slots = [Int32](repeating: 0, count: max(16, slots.count * 4))
        let mask = slots.count - 1
        batch.arena.withUnsafeBytes { arena in
            for (index, event) in batch.events.enumerated() where event.duplicateOf < 0 {
                var slot = Int(truncatingIfNeeded: hash(event, arena)) & mask
                while slots[slot] != 0 { slot = (slot + 1) & mask }
                slots[slot] = Int32(truncatingIfNeeded: index + 1)
            }
        }
    }

    private func hash(_ event: BatchEvent, _ arena: UnsafeRawBufferPointer) -> UInt64 {
        ByteHash.hash(arena.slice(event.id), seed: UInt64(truncatingIfNeeded: event.source))
    }
}
