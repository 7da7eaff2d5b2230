package import TallystickCore
package import TallystickSQLite

/// Reads events in order on one connection, and verifies each against its checksum and the tree.
package final class EventBlockReader {
    private let rows: EventRowReader
    private let shape: EventShape
    private let checksums: RowChecksums
    private var leaves: LeafHashes
    private let range: Statement

    package init(
        in connection: Connection,
        _ rows: EventRowReader,
        _ merkle: MerkleRows,
        _ checksummer: Checksummer
    ) throws {
        self.rows = rows
        shape = try EventShape(in: connection)
        checksums = try RowChecksums(rows, in: connection, checksummer, nil)
        leaves = LeafHashes(of: .events, merkle)
        range = try connection.prepare(
            """
            SELECT \(EventColumn.list)
            FROM events AS e
            WHERE e.position > ?1 AND e.position <= ?2
            ORDER BY e.position
            """
        )
    }

    /// Discards state that is valid for only one read transaction.
    package func beginTransaction() { leaves.forget() }

    /// Fills a block with the events after `first`, up to `last` or until it is full. It ends before the first
    /// event that differs from its record, with the reason.
    ///
    /// - parameter frontier: the tree over the events up to `first`; on return it also covers the block's events.
    package func fill(
        _ block: EventBlock,
        after first: Int64,
        through last: Int64,
        _ frontier: inout MerkleFrontier
    ) {
        block.removeAll()
        do {
            try prepare(after: first, through: last)
            try range.bind(first, at: 1)
            try range.bind(last, at: 2)
            do {
                try copyAndVerify(block, after: first, through: last, &frontier)
            } catch {
                // The statement must be ready for the next pass, and hold no snapshot.
                try range.reset()
                throw error
            }
            try range.reset()
        } catch {
            block.failure = error
        }
    }

    private func copyAndVerify(
        _ block: EventBlock,
        after first: Int64,
        through last: Int64,
        _ frontier: inout MerkleFrontier
    ) throws {
        var expected = first
        while !block.isFull, try range.step() {
            guard range.int64(at: EventColumn.position) == expected + 1 else { break }
            expected += 1
            block.copy(range)
            if block.copied - block.count == EventBlock.rowsAtOnce {
                try verifyCopied(block, &frontier)
            }
        }
        try verifyCopied(block, &frontier)
        if expected < last, !block.isFull {
            throw EventSource.damaged(expected + 1, "the event is missing")
        }
    }

    private func verifyCopied(_ block: EventBlock, _ frontier: inout MerkleFrontier) throws {
        rows.prefetchNames(of: block, block.count..<block.copied)
        while block.count < block.copied {
            try verify(block.row(block.count), in: block, &frontier)
        }
    }

    /// Reads the data that `add` needs, besides the rows, for the positions after `first` up to `last`.
    package func prepare(after first: Int64, through last: Int64) throws(SQLiteError) {
        try checksums.prepare(after: first, through: last)
    }

    /// Verifies a statement's current row, whose position is among those prepared, and adds it to a block.
    package func add(_ row: Statement, to block: EventBlock) throws {
        block.copy(row)
        // No tree is needed for a single event.
        var frontier = MerkleFrontier()
        try verify(block.row(block.count), in: block, &frontier)
    }

    private func verify(
        _ row: EventRow,
        in block: EventBlock,
        _ frontier: inout MerkleFrontier
    ) throws {
        let position = row.int64(at: EventColumn.position)
        if let fault = shape.fault(in: row) { throw EventSource.damaged(position, fault) }
        guard try rows.readContent(row) else {
            throw EventSource.damaged(position, "a name is missing")
        }
        let digest = rows.contentDigest
        switch checksums.evaluate(row, digest: digest) {
        // Without the key, only the leaf vouches for the content.
        case .holds, .notChecked: break
        case .finding:
            throw EventSource.damaged(
                position,
                "its content does not have the checksum stored with it"
            )
        }
        guard let leaf = try rows.leafHash(row, content: digest) else {
            throw EventSource.damaged(position, "a name is missing")
        }
        guard try leaves.hash(at: position - 1) == leaf else {
            throw EventSource.damaged(position, "it does not have the leaf hash in the tree")
        }
        frontier.append(leaf)
        let proof = EventBlock.Proof(content: digest, subtree: frontier.lastSubtree ?? leaf)
        rows.withStreamName(of: row) { stream in
            block.accept(stream: stream, proof)
        }
    }
}
