import TallystickCore
import TallystickSQLite

/// An event as a replay hands it on. Valid only while it is applied.
struct ReplayedEvent {
    /// The row, positioned at the event as appended.
    var row: Statement
    var position: Int64
    var streamID: Int64
    /// Gives the row's names, when they are asked for.
    var names: EventRowReader
    /// What the event's content is by the resolutions that count; nil for the event as appended.
    var replacement: EventFields?
    /// Set where the event is a correction of one that was consumed before.
    var correction: (resolutionID: Int64, decision: String, previousData: SQLValue)?

    /// The type that counts.
    func type() throws(SQLiteError) -> String {
        if let replacement { return replacement.type }
        return try names.name(.types, of: row)
    }
}

/// Reads verified events in order, with the resolutions up to a watermark.
final class EventSource {
    let connection: Connection
    let rows: EventRowReader
    private let merkle: MerkleRows
    private let checksums: RowChecksums
    private let range: Statement
    private let resolutions: Statement
    private let corrections: Statement
    private var tile: (index: Int64, hashes: [SHA256Digest]) = (-1, [])
    private var tail: [Int64: SHA256Digest] = [:]
    /// The tree over the events read so far.
    private(set) var consumed = MerkleFrontier()

    init(_ connection: Connection, _ checksummer: Checksummer) throws {
        self.connection = connection
        rows = try EventRowReader(in: connection)
        checksums = try RowChecksums(rows, in: connection, checksummer, judgingDemands: false)
        merkle = try MerkleRows(in: connection)
        range = try connection.prepare(
            """
            SELECT \(EventColumn.list)
            FROM events AS e
            WHERE e.position > ?1 AND e.position <= ?2
            ORDER BY e.position
            LIMIT ?3
            """
        )
        resolutions = try connection.prepare(
            """
            SELECT position, resolution_id, decision, content
            FROM resolutions
            WHERE position > ?1 AND position <= ?2 AND resolution_id <= ?3
            ORDER BY resolution_id
            """
        )
        corrections = try connection.prepare(
            """
            SELECT resolution_id, position, after_position
            FROM resolutions
            WHERE resolution_id > ?1 AND resolution_id <= ?2 AND position IS NOT NULL
            ORDER BY resolution_id
            """
        )
    }

    func head() throws -> Int64 { try merkle.size(of: .events) }

    func lastResolution() throws -> Int64 {
        try connection.prepare("SELECT coalesce(max(resolution_id), 0) FROM resolutions")
            .optionalInt64() ?? 0
    }

    /// The first position after `position` whose event is held back by an open conflict.
    func firstHeld(after position: Int64, categories: [String]) throws -> Int64? {
        guard !categories.isEmpty else { return nil }
        let statement = try connection.prepare(
            """
            SELECT min(c.position)
            FROM conflict_states AS s
            JOIN conflicts AS c ON c.conflict_id = s.conflict_id
            WHERE s.state = 'open' AND c.position > ?1 AND c.category = ?2
            """
        )
        var first: Int64?
        for category in categories {
            try statement.bind(position, at: 1)
            try statement.bindText(category, at: 2)
            if let held = try statement.optionalInt64() { first = min(first ?? held, held) }
        }
        return first
    }

    /// Whether a resolution after a watermark concerns an event up to a position.
    func hasCorrection(after watermark: Int64, through position: Int64) throws -> Bool {
        let statement = try connection.prepare(
            "SELECT 1 FROM resolutions WHERE resolution_id > ?1 AND position <= ?2 LIMIT 1"
        )
        try statement.bind(watermark, at: 1)
        try statement.bind(position, at: 2)
        return try statement.optionalInt64() != nil
    }

    /// Goes to where a checkpoint stands, and makes sure that the store's history up to there is the one it
    /// was made from.
    ///
    /// - throws: `historyDiffers`.
    func resume(from checkpoint: Checkpoint, _ storeID: String) throws {
        tile = (-1, [])
        consumed = try frontier(size: min(checkpoint.position, try head()))
        let reason: String
        if checkpoint.storeID != storeID {
            reason = "the checkpoint was made by another store (\(checkpoint.storeID))"
        } else if try checkpoint.position > head() {
            reason =
                "the checkpoint is at position \(checkpoint.position); the store ends at \(try head())"
        } else if consumed.root != checkpoint.root {
            reason =
                "the store's events up to position \(checkpoint.position) are not those that were consumed"
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

    /// The tree over the first `size` events, from tiles.
    private func frontier(size: Int64) throws -> MerkleFrontier {
        let width = Int64(MerkleLog.tileWidth)
        let log = try merkle.log(.events)
        guard log != nil else {
            throw StoreError(
                .integrity,
                during: "read the tree",
                on: "log events",
                "tiles or tail rows are missing",
                hint: "Run 'tally verify'"
            )
        }
        var frontier = MerkleFrontier()
        // From the highest level down: whole subtrees first.
        var level = MerkleLog.levels(size: size) - 1
        var leaves: Int64 = 0
        while level > 0 {
            let under = MerkleLog.leaves(level)
            while leaves + under <= size {
                let index = leaves / under
                let hashes = try merkle.tile(of: .events, level: level, index: index / width) ?? []
                guard index % width < hashes.count else { throw missingTile(level, index / width) }
                frontier.append(subtree: hashes[Int(index % width)], leaves: under)
                leaves += under
            }
            level -= 1
        }
        while leaves < size {
            guard let hash = try leafHash(leaves) else { throw missingTile(0, leaves / width) }
            frontier.append(hash)
            leaves += 1
        }
        return frontier
    }

    private func missingTile(_ level: Int, _ index: Int64) -> StoreError {
        StoreError(
            .integrity,
            during: "read the tree",
            on: "merkle_tiles events/\(level)/\(index)",
            "the tile is missing",
            hint: "Run 'tally verify'"
        )
    }

    private func leafHash(_ index: Int64) throws -> SHA256Digest? {
        let width = Int64(MerkleLog.tileWidth)
        if tile.index != index / width {
            let hashes = try merkle.tile(of: .events, level: 0, index: index / width)
            tile = (index / width, hashes ?? [])
            if hashes == nil {
                tail = [:]
                for (index, hash) in try merkle.tail(of: .events) { tail[index] = hash }
            }
        }
        let offset = Int(index % width)
        return offset < tile.hashes.count ? tile.hashes[offset] : tail[index]
    }

    /// Forgets tail hashes read in an earlier transaction, which may have become a tile.
    func beginTransaction() { tile = (-1, []) }

    /// What `forEach` hands on: an event, its content's digest, and the resolution that excluded it, if any.
    typealias Body = (ReplayedEvent?, ConsumedEvent) throws -> Bool

    /// What a digest needs of a consumed event.
    struct ConsumedEvent {
        var position: Int64
        var revision: Int64
        var streamID: Int64
        var content: SHA256Digest
        var excludedBy: Int64?
    }

    /// Reads events after `position`, verified against checksum and tree, as of `watermark`.
    ///
    /// - parameter watermark: nil for events as appended.
    /// - parameter body: false ends the pass after its event.
    /// - returns: how many events were read.
    func forEach(
        after position: Int64,
        through last: Int64,
        limit: Int,
        watermark: Int64?,
        _ body: Body
    ) throws -> Int {
        let effective = try effectiveContents(position, last, watermark)
        try checksums.prepare(
            after: position,
            through: position + min(last - position, Int64(limit))
        )
        try range.bind(position, at: 1)
        try range.bind(last, at: 2)
        try range.bind(Int64(limit), at: 3)
        var expected = position
        var count = 0
        do {
            while try range.step() {
                expected += 1
                let (event, consumed, leaf) = try verified(expected, effective)
                let goesOn = try body(event, consumed)
                self.consumed.append(leaf)
                count += 1
                if !goesOn { break }
            }
        } catch {
            // The statement must be ready for the next pass, and hold no snapshot.
            try range.reset()
            throw error
        }
        try range.reset()
        return count
    }

    private struct Effective {
        var resolutionID: Int64
        var isExcluded: Bool
        var content: [UInt8]?
    }

    private func effectiveContents(
        _ first: Int64,
        _ last: Int64,
        _ watermark: Int64?
    ) throws -> [Int64: Effective] {
        guard let watermark, watermark > 0 else { return [:] }
        try resolutions.bind(first, at: 1)
        try resolutions.bind(last, at: 2)
        try resolutions.bind(watermark, at: 3)
        var contents: [Int64: Effective] = [:]
        while try resolutions.step() {
            let text = resolutions.isNull(at: 3) ? nil : resolutions.blob(at: 3)
            contents[resolutions.int64(at: 0)] = Effective(
                resolutionID: resolutions.int64(at: 1),
                isExcluded: resolutions.text(at: 2) == Decision.exclude.rawValue,
                content: text
            )
        }
        try resolutions.reset()
        return contents
    }

    private func verified(
        _ expected: Int64,
        _ effective: [Int64: Effective]
    ) throws -> (ReplayedEvent?, ConsumedEvent, SHA256Digest) {
        let position = range.int64(at: EventColumn.position)
        guard position == expected else { throw damaged(expected, "the event is missing") }
        guard try rows.readContent(range) else { throw damaged(position, "a name is missing") }
        let digest = SHA256Digest(hashing: rows.content)
        switch checksums.judge(range, digest: digest) {
        // Without the key the leaf alone speaks for the content.
        case .holds, .notChecked: break
        case .finding:
            throw damaged(position, "its content does not have the checksum stored with it")
        }
        guard let leaf = try rows.leafHash(range, content: digest) else {
            throw damaged(position, "a name is missing")
        }
        guard try leafHash(position - 1) == leaf else {
            throw damaged(position, "it does not have the leaf hash in the tree")
        }
        var consumed = ConsumedEvent(
            position: position,
            revision: range.int64(at: EventColumn.revision),
            streamID: range.int64(at: EventColumn.stream),
            content: digest
        )
        var event = ReplayedEvent(
            row: range,
            position: position,
            streamID: consumed.streamID,
            names: rows
        )
        guard let resolved = effective[position] else { return (event, consumed, leaf) }
        if resolved.isExcluded {
            consumed.excludedBy = resolved.resolutionID
            return (nil, consumed, leaf)
        }
        if let content = resolved.content {
            consumed.content = SHA256Digest(hashing: content)
            event.replacement = try EventFields(content: content)
        }
        return (event, consumed, leaf)
    }

    private func damaged(_ position: Int64, _ reason: String) -> StoreError {
        StoreError(
            .integrity,
            during: "read an event",
            on: "position \(position)",
            reason,
            hint: "The event was not applied. Run 'tally verify' to see what was changed"
        )
    }

    // MARK: Corrections

    /// The resolution that comes next in the log after a watermark, and the head when it was made.
    func nextCorrection(after watermark: Int64) throws -> (
        resolutionID: Int64, afterPosition: Int64
    )? {
        try corrections.bind(watermark, at: 1)
        try corrections.bind(Int64.max, at: 2)
        return try corrections.first {
            (resolutionID: $0.int64(at: 0), afterPosition: $0.int64(at: 2))
        }
    }

    /// A resolution as a replay consumes it.
    struct Correction {
        var resolutionID: Int64
        var position: Int64
        var decision: String
        /// What the event's content is from now on; nil for the event as appended, or none.
        var content: [UInt8]?
        /// Of that content; zeros where the event is excluded.
        var digest: SHA256Digest
        /// The content before; nil for the event as appended.
        var previous: [UInt8]?
    }

    func correction(_ resolutionID: Int64) throws -> Correction {
        let statement = try connection.cached(
            """
            SELECT r.position, r.decision, r.content, r.content_sha256,
                (SELECT p.content FROM resolutions AS p
                    WHERE p.position = r.position AND p.resolution_id < r.resolution_id
                    ORDER BY p.resolution_id DESC LIMIT 1)
            FROM resolutions AS r
            WHERE r.resolution_id = ?1
            """
        )
        try statement.bind(resolutionID, at: 1)
        let correction = try statement.first { row in
            Correction(
                resolutionID: resolutionID,
                position: row.int64(at: 0),
                decision: row.text(at: 1),
                content: row.isNull(at: 2) ? nil : row.blob(at: 2),
                digest: SHA256Digest(hex: row.text(at: 3)) ?? .zero,
                previous: row.isNull(at: 4) ? nil : row.blob(at: 4)
            )
        }
        guard let correction else { throw damaged(0, "resolution \(resolutionID) is missing") }
        return correction
    }

    /// Hands on the event that a resolution corrects.
    func withCorrected(_ correction: Correction, _ body: (ReplayedEvent) throws -> Void) throws {
        let found: Void? = try rows.withRow(at: correction.position) { row in
            let appended =
                row.columnType(at: EventColumn.data) == .null
                ? .null : row.value(at: EventColumn.data)
            let previous =
                try correction.previous.map { try EventFields(content: $0).data } ?? appended
            var event = ReplayedEvent(
                row: row,
                position: correction.position,
                streamID: row.int64(at: EventColumn.stream),
                names: rows
            )
            event.replacement = try correction.content.map { try EventFields(content: $0) }
            event.correction = (correction.resolutionID, correction.decision, previous)
            try body(event)
        }
        if found == nil { throw damaged(correction.position, "the event is missing") }
    }
}
