public import TallystickCore
import TallystickSQLite

/// A head of the three logs that was signed and stored.
public struct SealedHead: Sendable {
    /// The head's number among those that the store keeps.
    public var number: Int64
    /// The sizes and roots of the three logs.
    public var head: TreeHead
    /// The head as a signed note.
    public var note: SignedNote
}

extension EventStore {
    /// Signs the head of the three logs, and stores it. Keep the note out of reach of anybody who can change the
    /// store: a rollback can be detected only against it.
    ///
    /// A head is signed only if the store still has everything that was sealed before. The head covers an audit row
    /// about its own sealing, so that each seal has another head.
    ///
    /// - parameters:
    ///   - signer: the key that signs.
    ///   - actor: who seals, for the audit trail.
    /// - throws: `StoreError` with `historyDiffers` if it does not; `invalidArgument` for an empty actor.
    public func seal(
        with signer: NoteSigner,
        actor: String = "local"
    ) async throws(StoreError) -> SealedHead {
        try AuditText.validate(actor: actor, during: "seal the store")
        return try await owner.seal(signer, actor: actor)
    }

    /// Proves that an event is in the log, to somebody who has only the public key.
    ///
    /// - parameter position: the event's place in the store.
    /// - parameter note: a sealed head of this store; nil for the newest one that covers the event.
    /// - parameter showsContent: whether the proof contains the event's content, or only its digest.
    /// - throws: `StoreError`: `notFound` for a position that does not exist, or if no head that covers it was
    ///   sealed; `historyDiffers` for a note that is not this store's; `integrity` if the row does not match the
    ///   tree.
    public func proveEvent(
        at position: Position,
        in note: SignedNote? = nil,
        showingContent showsContent: Bool = true
    ) async throws(StoreError) -> EventProof {
        let proofs = try await proveEvents(at: [position], in: note, showingContent: showsContent)
        guard let proof = proofs.first else {
            throw StoreError(.bug, during: "prove the event", "there is no proof")
        }
        return proof
    }

    /// Proves many events at once, in the given order: the store is opened only once, and neighbouring events are
    /// read together. Otherwise like the method for one event.
    public func proveEvents(
        at positions: [Position],
        in note: SignedNote? = nil,
        showingContent showsContent: Bool = true
    ) async throws(StoreError) -> [EventProof] {
        try await withProver("prove the event") { prover in
            try prover.events(positions.map(\.rawValue), in: note, showsContent)
        }
    }

    /// Proves that everything sealed earlier is unchanged in a later head.
    ///
    /// - parameter earlier: the sealed head from which the log has grown.
    /// - parameter later: nil for the newest sealed head.
    /// - throws: `StoreError`: `notFound`, `historyDiffers`.
    public func proveConsistency(
        from earlier: SignedNote,
        to later: SignedNote? = nil
    ) async throws(StoreError) -> HeadConsistency {
        try await withProver("prove consistency") { try $0.consistency(from: earlier, to: later) }
    }

    /// The place of an event.
    ///
    /// - returns: nil if the store has no event with that source and id.
    public func position(ofSource source: String, id: String) async throws(StoreError) -> Position?
    {
        try await withProver("find the event") { try $0.position(source, id) }
    }

    private func withProver<Result: Sendable>(
        _ operation: String,
        _ body: @escaping @Sendable (Prover) throws -> Result
    ) async throws(StoreError) -> Result {
        let storeID = storeID
        // One snapshot: rows, tiles and sizes belong together.
        return try await reading(operation) { try body(try Prover($0, storeID, operation)) }
    }
}

extension StoreOwner {
    fileprivate func seal(
        _ signer: NoteSigner,
        actor: String
    ) throws(StoreError) -> SealedHead {
        let operation = "seal the store"
        return try withWriter(operation) { writer in
            try writer.transaction(operation) {
                let key = try writer.headKey()
                var sealed: (TreeHead, SignedNote)?
                try writer.add(
                    .seal(events: writer.size(of: .events), name: signer.verifier.name),
                    actor: actor
                )
                let row = try writer.addHead(key: key) { head in
                    try Self.refuseOtherHistory(head, writer, operation)
                    do throws(NoteError) {
                        let note = try SignedNote(head.noteText, signedBy: [signer])
                        sealed = (head, note)
                        return note
                    } catch {
                        throw StoreError(.invalidArgument, during: operation, error.message)
                    }
                }
                guard let sealed else {
                    throw StoreError(.bug, during: operation, "a head was stored unsealed")
                }
                return SealedHead(number: row.number, head: sealed.0, note: sealed.1)
            }
        }
    }

    /// No store may sign two histories.
    private static func refuseOtherHistory(
        _ head: TreeHead,
        _ writer: StoreWriter,
        _ operation: String
    ) throws {
        let storeID = String(head.origin.dropFirst(TreeHead.origin(of: "").count))
        guard let last = try writer.heads.newestSealed(covering: 0, of: storeID) else { return }
        let comparison = try HeadComparison(in: writer.connection, storeID: storeID)
        let findings = try comparison.findings(last.head, record: "tree_heads \(last.number)")
        guard let finding = findings.first else { return }
        throw StoreError(
            .historyDiffers,
            during: operation,
            on: finding.record,
            "the store does not match what was sealed before: expected \(finding.expected), found \(finding.actual)",
            hint: "Nothing was signed. Run 'tally verify'"
        )
    }
}

/// Makes proofs, in one read transaction.
private struct Prover {
    private let connection: Connection
    private let comparison: HeadComparison
    private let storeID: String
    private let operation: String

    init(_ connection: Connection, _ storeID: String, _ operation: String) throws {
        self.connection = connection
        self.storeID = storeID
        self.operation = operation
        comparison = try HeadComparison(in: connection, storeID: storeID)
    }

    func position(_ source: String, _ id: String) throws -> Position? {
        let find = try connection.prepare(
            """
            SELECT position FROM event_log WHERE event_id = ?2 AND source = ?1
            """
        )
        try find.bindText(source, at: 1)
        try find.bindText(id, at: 2)
        return try find.optionalInt64().map { Position($0) }
    }

    func events(
        _ positions: [Int64],
        in note: SignedNote?,
        _ showsContent: Bool
    ) throws -> [EventProof] {
        let count = try MerkleRows(in: connection).size(of: .events)
        if let unknown = positions.first(where: { $0 < 1 || $0 > count }) {
            throw StoreError(
                .notFound,
                during: operation,
                on: "position \(unknown)",
                "there is no such position: the store has \(count) events"
            )
        }
        let (note, head) = try sealed(note, covering: positions.max() ?? 0)
        let reader = try EventRowReader(in: connection)
        let tree = comparison.tree(of: .events)
        return try positions.map { position in
            try event(position, in: note, head, reader, tree, showsContent)
        }
    }

    private func event(
        _ position: Int64,
        in note: SignedNote,
        _ head: TreeHead,
        _ reader: EventRowReader,
        _ tree: MerkleTree<SQLiteError>,
        _ showsContent: Bool
    ) throws -> EventProof {
        guard position >= 1, position <= head.events.size else {
            throw StoreError(
                .notFound,
                during: operation,
                on: "position \(position)",
                "the sealed head covers \(head.events.size) events",
                hint: "Seal the store again, or name another position"
            )
        }
        let leaf: [UInt8]?? = try reader.withRow(at: position) { row in
            guard try reader.readContent(row) else { return nil }
            return try reader.leaf(row, content: reader.contentDigest)
        }
        guard let leaf = leaf ?? nil else {
            throw damaged(position, "the event, or one of its names, is missing")
        }
        guard let path = try tree.inclusionProof(of: position - 1, in: head.events.size) else {
            throw damaged(position, "tiles of the tree are missing")
        }
        let proof = EventProof(
            leaf: leaf,
            content: showsContent ? reader.content : nil,
            leafIndex: position - 1,
            hashes: path.hashes,
            note: note
        )
        guard path.isValid(leafHash: MerkleHash.leaf(leaf), root: head.events.root) else {
            throw damaged(position, "the event is not the one that was sealed")
        }
        return proof
    }

    func consistency(from earlier: SignedNote, to later: SignedNote?) throws -> HeadConsistency {
        let (_, before) = try sealed(earlier, covering: 0)
        let (note, after) = try sealed(later, covering: before.events.size)
        var logs: [HeadConsistency.Log] = []
        for name in MerkleLogName.allCases {
            let (first, second) = (name.log(of: before).size, name.log(of: after).size)
            guard first <= second else {
                throw StoreError(
                    .invalidArgument,
                    during: operation,
                    on: "log \(name.rawValue)",
                    "the first note is the later one: it has \(first) leaves, the other \(second)",
                    hint: "Seal the store, or swap the notes"
                )
            }
            guard let log = try comparison.consistency(name, from: first, to: second) else {
                throw StoreError(
                    .integrity,
                    during: operation,
                    on: "log \(name.rawValue)",
                    "tiles of the tree are missing",
                    hint: "Run 'tally verify'"
                )
            }
            logs.append(log)
        }
        return HeadConsistency(events: logs[0], copies: logs[1], audit: logs[2], note: note)
    }

    /// A note with its head, which must be one of this store; the newest stored one if none is given.
    private func sealed(
        _ note: SignedNote?,
        covering events: Int64
    ) throws -> (SignedNote, TreeHead) {
        let note = try note ?? stored(covering: events)
        let head: TreeHead
        do throws(NoteError) {
            head = try TreeHead(noteText: note.text)
        } catch {
            throw StoreError(.badInput, during: operation, on: "the note", error.message)
        }
        if let finding = try comparison.findings(head, record: "the note").first {
            throw StoreError(
                .historyDiffers,
                during: operation,
                on: finding.record,
                "the store does not match the note: expected \(finding.expected), found \(finding.actual)",
                hint: "Use a note of this store; if it is one, run 'tally verify --against'"
            )
        }
        return (note, head)
    }

    private func stored(covering events: Int64) throws -> SignedNote {
        let isThere = try StoreSchema.version(of: connection) >= 3
        let row =
            isThere
            ? try HeadRows(in: connection).newestSealed(covering: events, of: storeID) : nil
        guard let text = row?.note else {
            throw StoreError(
                .notFound,
                during: operation,
                on: events == 0 ? "" : "position \(events)",
                "no head that covers it was sealed",
                hint: "Run 'tally seal' first"
            )
        }
        do throws(NoteError) {
            return try SignedNote(parsing: Array(text.utf8))
        } catch {
            throw StoreError(
                .integrity,
                during: operation,
                on: "tree_heads \(row?.number ?? 0)",
                "its note is not valid: \(error.message)",
                hint: "Name a note with --note"
            )
        }
    }

    private func damaged(_ position: Int64, _ reason: String) -> StoreError {
        StoreError(
            .integrity,
            during: operation,
            on: "position \(position)",
            reason,
            hint: "Run 'tally verify'"
        )
    }
}
