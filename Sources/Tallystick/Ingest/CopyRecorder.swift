import TallystickCore
import TallystickSQLite

/// Records those events of a batch that the store has already: duplicates, confirming copies, conflicts.
///
/// Most of a second delivery is confirmed. Such copies are compared field by field with the stored rows, in
/// order of position, so that pages are read one after another and nothing is put together or
/// hashed again. What is left goes one by one, in order of arrival, to ``ConflictWriter``.
struct CopyRecorder {
    private let store: StoreWriter
    private let helper: HelperThread
    private let conflicts: ConflictWriter
    private let known: KnownCopies
    /// The settings in force.
    var configuration: IngestConfiguration {
        didSet { known.use(configuration.comparison) }
    }

    init(_ store: StoreWriter, _ configuration: IngestConfiguration, _ helper: HelperThread) throws
    {
        self.store = store
        self.helper = helper
        known = KnownCopies(store, rules: configuration.comparison)
        conflicts = try ConflictWriter(store, known)
        self.configuration = configuration
    }

    /// What the events of a batch are measured against.
    struct Delivered {
        var batch: EventBatch
        /// Positions of the batch's events, by their index.
        var positions: [Int64]
        /// Ids of the batch's types in the store, by their number; 0 or less where it is not known.
        var typeIDs: [Int64]
        var origin: String
        var originID: Int64
        var recordedAt: Int64
        var actor: String
    }

    /// Records what agrees byte for byte.
    ///
    /// - returns: the events that must be looked at one by one, in order of arrival.
    func recordAgreeing(
        _ indices: [Int32],
        _ delivered: Delivered,
        _ arena: UnsafeRawBufferPointer,
        _ result: inout BatchWriter.BatchResult
    ) throws -> [Int32] {
        let batch = delivered.batch
        var byPosition: [(position: Int64, index: Int32)] = []
        var others: [Int32] = []
        byPosition.reserveCapacity(indices.count)
        for index in indices {
            // A second delivery within a batch is compared after the first one is recorded.
            if batch.events[Int(index)].duplicateOf >= 0 {
                others.append(index)
            } else {
                byPosition.append((delivered.positions[Int(index)], index))
            }
        }
        byPosition.sort { $0.position < $1.position }
        let hasCopies = store.size(of: .copies) > 0
        var confirmed: [Int32] = []
        for (position, index) in byPosition {
            let event = batch.events[Int(index)]
            let origin = try store.reader.withRow(at: position) { row in
                Self.isSame(row, event, delivered.typeIDs[Int(event.type)], arena)
                    ? row.int64(at: EventColumn.origin) : nil
            }
            // No row at all is for the one-by-one way to report.
            guard let origin = origin ?? nil else {
                others.append(index)
                continue
            }
            if try origin == delivered.originID
                || hasCopies
                    && known.contains(event.contentDigest, from: delivered.originID, at: position)
            {
                result.outcomes.duplicate += 1
            } else {
                confirmed.append(index)
            }
        }
        try confirm(confirmed, delivered, arena)
        result.copied += confirmed
        result.outcomes.confirmed += confirmed.count
        others.sort()
        return others
    }

    /// Whether a row has the fields of an event with the same source and id, and so the same content.
    private static func isSame(
        _ row: Statement,
        _ event: BatchEvent,
        _ typeID: Int64,
        _ arena: UnsafeRawBufferPointer
    ) -> Bool {
        func isEqual(_ column: Int32, _ range: ByteRange) -> Bool {
            guard let stored = row.bytesIfPresent(at: column) else { return !range.isPresent }
            return range.isPresent && stored.isEqual(to: arena.slice(range))
        }
        return row.int64(at: EventColumn.type) == typeID
            && isEqual(EventColumn.data, event.data)
            && (row.columnType(at: EventColumn.data) == .blob) == event.dataIsBinary
            && isEqual(EventColumn.time, event.time) && isEqual(EventColumn.subject, event.subject)
            && isEqual(EventColumn.dataContentType, event.dataContentType)
            && isEqual(EventColumn.attributes, event.attributes)
    }

    private func confirm(
        _ confirmed: [Int32],
        _ delivered: Delivered,
        _ arena: UnsafeRawBufferPointer
    ) throws {
        guard !confirmed.isEmpty else { return }
        let batch = delivered.batch
        let first = store.size(of: .copies) + 1
        let leaves = LeafJob.confirmations(
            confirmed,
            of: batch,
            positions: delivered.positions,
            firstCopy: first,
            recordedAt: delivered.recordedAt,
            origin: delivered.origin
        )
        let hashes = try helper.hash(leaves) {
            for (order, index) in confirmed.enumerated() {
                let event = batch.events[Int(index)]
                try store.copies.add(
                    StoredCopy(
                        copyID: first + Int64(order),
                        originID: delivered.originID,
                        agreement: .confirmed,
                        contentDigest: event.contentDigest,
                        hasContent: false
                    ),
                    position: delivered.positions[Int(index)],
                    recordedAt: delivered.recordedAt,
                    differsIn: nil,
                    content: nil,
                    deliveryAttributes: arena.sliceIfPresent(event.deliveryAttributes)
                )
            }
        }
        store.append(hashes, to: .copies)
    }

    /// Records one event that does not simply agree, or that comes a second time in its batch.
    func recordOne(
        _ index: Int32,
        _ delivered: Delivered,
        _ arena: UnsafeRawBufferPointer
    ) throws -> ConflictWriter.Outcome {
        let event = delivered.batch.events[Int(index)]
        return try conflicts.record(
            Delivery(
                position: delivered.positions[Int(index)],
                origin: delivered.origin,
                content: arena.slice(event.content),
                digest: event.contentDigest,
                deliveryAttributes: arena.sliceIfPresent(event.deliveryAttributes),
                recordedAt: delivered.recordedAt,
                actor: delivered.actor
            ),
            originID: delivered.originID,
            severity: configuration.severity(of:)
        )
    }
}
