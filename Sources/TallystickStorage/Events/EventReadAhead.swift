package import TallystickCore
import TallystickSQLite

/// Reads and verifies events on its own thread and connection, ahead of their consumer.
///
/// Recorded events never change, so each block can be read in a short transaction of its own.
package final class EventReadAhead {
    private let blocks = BlockingQueue<EventBlock>(bound: ReadAheadLimits.blocks)
    /// Used blocks, to be filled again.
    private let spare = BlockingQueue<EventBlock>()
    /// The position before the next block's first event.
    package private(set) var position: Int64

    /// - parameter last: the last position to read; the store must have that many events.
    /// - parameter frontier: the tree over the events up to `position`.
    /// - throws: `StoreError` if the operating system refuses another thread.
    package init(
        _ path: String,
        _ options: StoreOptions,
        after position: Int64,
        through last: Int64,
        _ frontier: MerkleFrontier
    ) throws {
        self.position = position
        try startThread { [blocks, spare] in
            defer { blocks.finish() }
            do {
                let connection = try StoreFile.openForReading(path, options)
                try connection.execute("PRAGMA cache_size = -\(ReadAheadLimits.cacheKibibytes)")
                let reader = try EventBlockReader(
                    in: connection,
                    try EventRowReader(in: connection),
                    try MerkleRows(in: connection),
                    options.checksummer
                )
                var (next, frontier) = (position, frontier)
                while next < last {
                    let block = spare.nextIfAny() ?? EventBlock()
                    let end = min(last, next + ReadAheadLimits.rows)
                    try connection.read {
                        reader.beginTransaction()
                        reader.fill(block, after: next, through: end, &frontier)
                    }
                    next += Int64(block.count)
                    let isLast = block.failure != nil
                    if !blocks.put(block) || isLast { return }
                }
            } catch {
                let block = EventBlock()
                block.failure = error
                blocks.put(block)
            }
        }
    }

    deinit { blocks.finish() }

    /// Replaces a used block with the next one; false at the end.
    package func next(_ block: inout EventBlock) -> Bool {
        guard let next = blocks.next() else { return false }
        position += Int64(next.count)
        // If somebody still holds one of its rows, they keep the block.
        if isKnownUniquelyReferenced(&block) { spare.put(block) }
        block = next
        return true
    }
}
