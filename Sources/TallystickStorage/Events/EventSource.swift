package import TallystickCore
package import TallystickSQLite

/// Reads verified events, in order or individually, with the resolutions up to a watermark.
package final class EventSource {
    package let connection: Connection
    package let rows: EventRowReader
    package let resolutions: VerifiedResolutions
    private let merkle: MerkleRows
    private var leaves: LeafHashes
    private let reader: EventBlockReader
    /// Separate, for events out of order, so that `reader` keeps its tile.
    private let scattered: EventBlockReader
    /// How to open the store again when many events are read.
    private let aheadOptions: StoreOptions?
    /// The events read last, and the position before the first of them.
    private var block = EventBlock()
    private var blockStart: Int64 = 0
    private var ahead: EventReadAhead?
    /// The tree over the events read so far.
    package private(set) var consumed = MerkleFrontier()

    /// - parameter options: if given, long reads run ahead on another thread and connection. Do not pass options
    ///   when reading inside a transaction that must see its own writes.
    package init(
        _ connection: Connection,
        _ checksummer: Checksummer,
        readingAhead options: StoreOptions? = nil
    ) throws {
        self.connection = connection
        aheadOptions = options
        rows = try EventRowReader(in: connection)
        merkle = try MerkleRows(in: connection)
        leaves = LeafHashes(of: .events, merkle)
        reader = try EventBlockReader(in: connection, rows, merkle, checksummer)
        scattered = try EventBlockReader(in: connection, rows, merkle, checksummer)
        resolutions = try VerifiedResolutions(in: connection, merkle, checksummer)
    }

    package func head() throws -> Int64 { try merkle.size(of: .events) }

    /// Changes whenever another connection has written to the store.
    package func storeVersion() throws -> Int64 {
        try connection.dataVersion()
    }

    /// The first position after `position` whose event is held back by a conflict.
    ///
    /// - parameter watermark: conflicts resolved by a later resolution also hold; with nil, only open ones do.
    package func firstHeld(
        after position: Int64,
        categories: [String],
        watermark: Int64?
    ) throws -> Int64? {
        guard !categories.isEmpty else { return nil }
        let statement = try connection.cached(
            """
            SELECT min(c.position)
            FROM conflict_states AS s
            JOIN conflicts AS c ON c.conflict_id = s.conflict_id
            WHERE (s.state = 'open' OR s.resolution_id > ?3) AND c.position > ?1 AND c.category = ?2
            """
        )
        var first: Int64?
        for category in categories {
            try statement.bind(position, at: 1)
            try statement.bindText(category, at: 2)
            try statement.bind(watermark ?? .max, at: 3)
            if let held = try statement.optionalInt64() { first = min(first ?? held, held) }
        }
        return first
    }

    /// Moves to the place of a checkpoint, and verifies that the checkpoint was made from this store's history up
    /// to there.
    ///
    /// - throws: `historyDiffers`.
    package func resume(from checkpoint: Checkpoint, _ storeID: String) throws {
        beginTransaction()
        let head = try head()
        consumed = try leaves.frontier(size: min(checkpoint.position, head))
        let reason: String
        if checkpoint.storeID != storeID {
            reason = "the checkpoint was created by another store (\(checkpoint.storeID))"
        } else if checkpoint.position > head {
            reason =
                "the checkpoint is at position \(checkpoint.position); the store ends at \(head)"
        } else if consumed.root != checkpoint.root {
            reason =
                "the store's events up to position \(checkpoint.position) are not those that were consumed"
        } else if try checkpoint.watermark > resolutions.last() {
            reason =
                "the checkpoint knows resolution \(checkpoint.watermark); the store's last is \(try resolutions.last())"
        } else {
            return
        }
        throw StoreError(
            .historyDiffers,
            during: "resume the replay",
            reason,
            hint: "Restore the right store, or start again with --rebuild"
        )
    }

    /// Discards state that is valid for only one read transaction.
    package func beginTransaction() {
        leaves.forget()
        reader.beginTransaction()
        scattered.beginTransaction()
        resolutions.beginTransaction()
    }

    /// Runs a body in its own read transaction.
    package func inTransaction<Result>(_ body: () throws -> Result) throws -> Result {
        try connection.read {
            beginTransaction()
            return try body()
        }
    }

    // MARK: In order

    /// An item passed on by `forEach`: an event, or nil if a resolution excludes it, and what was consumed.
    package typealias Body = (ReplayedEvent?, ConsumedEvent) throws -> Bool

    /// The parts of a consumed event that a digest needs.
    package struct ConsumedEvent {
        package var position: Int64
        package var revision: Int64
        package var streamID: Int64
        package var content: SHA256Digest
        package var excludedBy: Int64?
    }

    /// Reads events after `position`, verified against checksum and tree, as of `watermark`.
    ///
    /// - parameter watermark: nil for events as appended.
    /// - parameter body: returns false to end the pass after its event.
    /// - returns: the number of events read.
    package func forEach(
        after position: Int64,
        through last: Int64,
        limit: Int,
        watermark: Int64?,
        _ body: Body
    ) throws -> Int {
        let end = last - position > Int64(limit) ? position + Int64(limit) : last
        let effective = try resolutions.effective(
            after: position,
            through: end,
            watermark: watermark
        )
        var next = position
        while next < end {
            try moveBlock(to: next, through: last)
            for index in Int(next - blockStart)..<block.count {
                guard next < end else { break }
                next += 1
                // Few events have a decision; usually none does.
                let resolution = effective.isEmpty ? nil : effective[next]
                let (event, consumed) = try resolved(block, index, resolution)
                let shouldContinue = try body(event, consumed)
                self.consumed.append(leafCompleting: block.proofs[index].subtree)
                if !shouldContinue { return Int(next - position) }
            }
            guard next < end else { break }
            if let failure = block.failure { throw failure }
        }
        return Int(next - position)
    }

    /// Makes `block` the one that contains the event after a position up to which everything is consumed. Few
    /// events are verified here; many are read ahead on another thread.
    private func moveBlock(to position: Int64, through last: Int64) throws {
        let end = blockStart + Int64(block.count)
        if blockStart <= position, position < end { return }
        if ahead?.position != position {
            ahead = nil
            if let aheadOptions, last - position >= ReadAheadLimits.worthAThread {
                ahead = try EventReadAhead(
                    connection.path,
                    aheadOptions,
                    after: position,
                    through: last,
                    consumed
                )
            }
        }
        blockStart = position
        if ahead?.next(&block) != true {
            ahead = nil
            block = EventBlock()
            let through = min(last, position + ReadAheadLimits.rows)
            var frontier = consumed
            reader.fill(block, after: position, through: through, &frontier)
        }
        if block.count == 0, let failure = block.failure { throw failure }
    }

    // MARK: One by one

    /// Reads the data that `verified` needs, besides the rows, for the positions after `first` up to `last`.
    ///
    /// - parameter watermark: nil for events as appended.
    /// - returns: the resolutions that apply to them.
    package func prepare(
        after first: Int64,
        through last: Int64,
        watermark: Int64?
    ) throws -> [Int64: VerifiedResolution] {
        try scattered.prepare(after: first, through: last)
        return try resolutions.effective(after: first, through: last, watermark: watermark)
    }

    /// Verifies the event of a statement's current row; the statement selects `EventColumn.list` first, and the
    /// position is among those prepared.
    ///
    /// - returns: the event, or nil if the resolution excludes it, and what was consumed.
    package func verified(
        _ row: Statement,
        _ resolution: VerifiedResolution?
    ) throws -> (event: ReplayedEvent?, consumed: ConsumedEvent) {
        let block = EventBlock()
        try scattered.add(row, to: block)
        return try resolved(block, 0, resolution)
    }

    /// Passes on the event at a position, as of a watermark.
    ///
    /// - parameter watermark: nil for the event as appended.
    package func withEvent(
        at position: Int64,
        watermark: Int64?,
        _ body: (ReplayedEvent?) throws -> Void
    ) throws {
        let effective = try prepare(after: position - 1, through: position, watermark: watermark)
        let found: Void? = try rows.withRow(at: position) { row in
            try body(try verified(row, effective[position]).event)
        }
        if found == nil { throw Self.damaged(position, "the event is missing") }
    }

    /// Passes on the event that a resolution corrects, with its effective content from then on.
    package func withCorrected(
        _ resolution: VerifiedResolution,
        _ body: (ReplayedEvent) throws -> Void
    ) throws {
        let before = try resolutions.before(resolution)
        _ = try prepare(
            after: resolution.position - 1,
            through: resolution.position,
            watermark: nil
        )
        let found: Void? = try rows.withRow(at: resolution.position) { row in
            let (appended, consumed) = try verified(row, nil)
            guard var event = appended else { return }
            try refuseOtherContent(resolution, consumed.content)
            let content = try event.appendedContent()
            var previous: [UInt8]? = content
            if let before { previous = before.isExclusion ? nil : before.content ?? content }
            let correction = ReplayedEvent.Correction(
                resolutionID: resolution.resolutionID,
                decision: resolution.decision,
                previousContent: previous,
                previousData: try previous.map { try EventFields(content: $0).data } ?? .null
            )
            var fields = try resolution.content.map { try EventFields(content: $0) }
            if resolution.isExclusion {
                // The event is excluded: its attributes as appended identify it.
                fields = try EventFields(content: content)
                fields?.data = .null
            }
            event.decision = DecidedEvent(resolution, fields, correction: correction)
            try body(event)
        }
        if found == nil { throw Self.damaged(resolution.position, "the event is missing") }
    }

    // MARK: Decisions

    /// A verified event as modified by a resolution; nil if that excludes it.
    private func resolved(
        _ block: EventBlock,
        _ index: Int,
        _ resolution: VerifiedResolution?
    ) throws -> (event: ReplayedEvent?, consumed: ConsumedEvent) {
        let row = block.row(index)
        let position = row.int64(at: EventColumn.position)
        let digest = block.proofs[index].content
        var consumed = ConsumedEvent(
            position: position,
            revision: row.int64(at: EventColumn.revision),
            streamID: row.int64(at: EventColumn.stream),
            content: digest
        )
        var event = ReplayedEvent(
            row: row,
            position: position,
            streamID: consumed.streamID,
            names: rows
        )
        guard let resolution else { return (event, consumed) }
        if resolution.isExclusion {
            consumed.excludedBy = resolution.resolutionID
            return (nil, consumed)
        }
        if let content = resolution.content, let digest = resolution.contentDigest {
            consumed.content = digest
            event.decision = DecidedEvent(resolution, try EventFields(content: content))
        } else {
            try refuseOtherContent(resolution, digest)
            event.decision = DecidedEvent(resolution, nil)
        }
        return (event, consumed)
    }

    /// A decision for the event as appended names the digest of its content.
    private func refuseOtherContent(
        _ resolution: VerifiedResolution,
        _ appended: SHA256Digest
    ) throws {
        guard resolution.content == nil, !resolution.isExclusion,
            let digest = resolution.contentDigest, digest != appended
        else { return }
        throw Self.damaged(
            resolution.position,
            "it is not the content that resolution \(resolution.resolutionID) decided for"
        )
    }

    package static func damaged(_ position: Int64, _ reason: String) -> StoreError {
        StoreError(
            .integrity,
            during: "read an event",
            on: "position \(position)",
            reason,
            hint: "The event was not applied. Run 'tally verify' to see what was changed",
            position: position > 0 ? position : nil
        )
    }
}
