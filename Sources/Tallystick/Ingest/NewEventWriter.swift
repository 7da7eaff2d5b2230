import TallystickCore
import TallystickSQLite

/// Adds the new events of one run's batches: names and their ids, revisions, rows, index entries and leaves.
final class NewEventWriter {
    /// The identity index had an entry for an event that was taken for new.
    struct NotAllNew: Error {}

    private let store: StoreWriter
    private let origin: String
    private var configuration: IngestConfiguration
    private let helper: HelperThread
    private var sources: NameMap
    private var types: NameMap
    private var streams: NameMap
    private let categoryRows: DictionaryRows
    private let originRows: DictionaryRows
    private var revisions: RevisionWriter
    private let index: IdentityIndex
    private var categoryIDs: [Int64] = []
    private var knownOrigin: Int64 = 0
    /// The segment to which rows are being added; -1 where it is not known whether it is listed.
    private var openSegment: Int64 = -1
    private var nameGeneration = 0
    private var storeGeneration = -1

    init(
        _ store: StoreWriter,
        origin: String,
        _ configuration: IngestConfiguration,
        _ helper: HelperThread
    ) throws {
        self.store = store
        self.origin = origin
        self.configuration = configuration
        self.helper = helper
        sources = try NameMap(.sources, in: store.connection)
        types = try NameMap(.types, in: store.connection)
        streams = try NameMap(.streams, in: store.connection)
        categoryRows = try DictionaryRows(.categories, in: store.connection)
        originRows = try DictionaryRows(.origins, in: store.connection)
        revisions = try RevisionWriter(in: store.connection, store.events)
        index = try IdentityIndex(in: store.connection)
    }

    /// Goes by other settings from now on.
    func use(_ configuration: IngestConfiguration) {
        self.configuration = configuration
        storeGeneration = -1
    }

    /// Takes over the names that a batch uses for the first time. Every batch of the decoder has to come by, in
    /// order, whether it is recorded or not: later ones refer to its names.
    func acceptNames(of batch: EventBatch) {
        if batch.generation != nameGeneration {
            nameGeneration = batch.generation
            sources.removeAll()
            types.removeAll()
            streams.removeAll()
            revisions.forgetStreams()
        }
        batch.arena.withUnsafeBytes { bytes in
            sources.accept(batch.newSources, bytes)
            types.accept(batch.newTypes, bytes)
            streams.accept(batch.newStreams, bytes)
        }
        revisions.accept(streams.count)
    }

    /// Forgets what another process, or a rollback, may have made untrue.
    func revalidate() throws {
        guard storeGeneration != store.generation else { return }
        storeGeneration = store.generation
        revisions.forget()
        sources.forgetIDs()
        types.forgetIDs()
        streams.forgetIDs()
        categoryIDs = [Int64](
            repeating: 0,
            count: configuration.classification.categories.count
        )
        knownOrigin = 0
        openSegment = -1
    }

    /// Finds the positions of events that the store has.
    func lookUp(
        _ prepared: PreparedBatch,
        _ arena: UnsafeRawBufferPointer,
        _ positions: inout [Int64],
        _ isNew: inout [Bool]
    ) throws {
        let (keys, events) = try keys(of: prepared, arena) { try sources.find($0) }
        try index.find(
            keys,
            before: IdentityIndex.segment(of: store.size(of: .events)) + 1
        ) { key, position in
            positions[Int(events[key])] = position
            isNew[Int(events[key])] = false
            return true
        }
    }

    /// What to look for in the index, and for each the event's index in the batch.
    ///
    /// - parameter source: the id of a source by its index; nil where the store has no such source.
    private func keys(
        of prepared: PreparedBatch,
        _ arena: UnsafeRawBufferPointer,
        source: (Int) throws -> Int64?
    ) rethrows -> (keys: [IdentityIndex.Key], events: [Int32]) {
        var (keys, events): ([IdentityIndex.Key], [Int32]) = ([], [])
        keys.reserveCapacity(prepared.byIdentity.count)
        events.reserveCapacity(prepared.byIdentity.count)
        for (order, index) in prepared.byIdentity.enumerated() {
            let event = prepared.batch.events[Int(index)]
            guard let source = try source(Int(event.source)) else { continue }
            let checksum = prepared.idChecksums[order]
            keys.append(
                IdentityIndex.Key(
                    id: arena.slice(event.id),
                    source: source,
                    hash: IdentityFilter.hash(idChecksum: checksum, source: source)
                )
            )
            events.append(index)
        }
        return (keys, events)
    }

    // MARK: New events

    /// Records new events with their names and index entries, and adds them to the tree.
    ///
    /// - parameter new: their indices in the batch, in order of arrival.
    /// - parameter positions: by index in the batch.
    /// - parameter lookedUp: whether the index was asked whether they are new.
    /// - returns: their revisions.
    /// - throws: `NotAllNew` where the index has one that was not looked up.
    func insert(
        _ new: [Int32],
        _ prepared: PreparedBatch,
        _ arena: UnsafeRawBufferPointer,
        at now: Int64,
        positions: [Int64],
        lookedUp: Bool
    ) throws -> [Int64] {
        let batch = prepared.batch
        try resolveNames(new, batch)
        let assigned = try revisions.assign(
            new.map { batch.events[Int($0)].stream },
            ids: streams.ids,
            firstPosition: store.size(of: .events) + 1
        )
        try openSegments(for: new.count, of: prepared.byIdentity.count)
        if !lookedUp { try checkOlderSegments(prepared, arena, new.count) }
        try insertIdentities(prepared, arena, positions, lookedUp)
        // Only now is it sure that the events are new.
        let demanded = try demandedChecksums(new, batch, arena)
        let leaves = LeafJob.events(
            new,
            of: batch,
            firstPosition: store.size(of: .events) + 1,
            revisions: assigned,
            recordedAt: now,
            origin: origin,
            categories: configuration.classification.categories
        )
        let hashes = try helper.hash(leaves) {
            try insertRows(new, batch, arena, now, assigned, demanded)
        }
        store.append(hashes, to: .events)
        return assigned
    }

    /// What the categories of new events demand by the settings and keys of this moment.
    private struct DemandedChecksums {
        /// The key of every HMAC of the batch.
        var keyID: String?
        /// Checksums that differ from those that the decoder made, by index of the event.
        var again: [Int32: Checksum] = [:]
    }

    /// Makes sure, in the transaction, that no event is stored with less than its category demands.
    ///
    /// Batches are decoded ahead, perhaps before a key was registered or rotated.
    private func demandedChecksums(
        _ new: [Int32],
        _ batch: EventBatch,
        _ arena: UnsafeRawBufferPointer
    ) throws -> DemandedChecksums {
        var demanded = DemandedChecksums()
        let categories = configuration.classification.categories
        // By category: whether it was looked at, and its key.
        var keys = [KeyRing.Key??](repeating: nil, count: categories.count)
        for index in new {
            let event = batch.events[Int(index)]
            let category = Int(event.category)
            let key: KeyRing.Key?
            if let known = keys[category] {
                key = known
            } else {
                key = try store.demandedKey(for: categories[category], during: "record an event")
                keys[category] = .some(key)
            }
            let isKeyed = event.checksum.algorithm == .hmacSHA256
            guard let key else {
                // The settings no longer ask for an HMAC: a SHA-256 is never less than they do.
                if isKeyed { demanded.again[index] = Checksum(sha256: event.contentDigest) }
                continue
            }
            demanded.keyID = key.id
            if isKeyed, batch.keyID == key.id { continue }
            demanded.again[index] = Checksum(hmac: key.hmac, of: arena.slice(event.content))
        }
        return demanded
    }

    private func resolveNames(_ new: [Int32], _ batch: EventBatch) throws {
        try sources.resolve(new.map { batch.events[Int($0)].source })
        try types.resolve(new.map { batch.events[Int($0)].type })
        try streams.resolve(new.map { batch.events[Int($0)].stream }) { revisions.begin($0) }
        for index in new {
            let category = Int(batch.events[Int(index)].category)
            if categoryIDs[category] == 0 {
                categoryIDs[category] = try id(
                    of: configuration.classification.categories[category],
                    categoryRows
                )
            }
        }
    }

    /// The id of the run's origin, which is added where it is new.
    func originID() throws -> Int64 {
        if knownOrigin == 0 { knownOrigin = try id(of: origin, originRows) }
        return knownOrigin
    }

    /// The ids of the batch's types, as far as they are known.
    func typeIDs() throws -> [Int64] { try types.knownIDs() }

    /// The id of a name, which is added where it is new.
    private func id(of name: String, _ rows: DictionaryRows) throws -> Int64 {
        try Array(name.utf8).withUnsafeBytesTyped { bytes throws(SQLiteError) in
            if let id = try rows.id(of: bytes) { return id }
            let id = try rows.lastID() + 1
            try rows.add(bytes, id: id)
            return id
        }
    }

    /// Makes room in the index for so many events, and one filter where a segment was completed and the batch is
    /// large enough to need it.
    private func openSegments(for count: Int, of batch: Int) throws {
        let first = store.size(of: .events) + 1
        let last = first + Int64(count) - 1
        if IdentityIndex.segment(of: last) != openSegment {
            try index.addSegments(for: first...last)
            openSegment = IdentityIndex.segment(of: last)
        }
        if batch >= IdentityIndex.worthFilter {
            try index.makeFilter(before: IdentityIndex.segment(of: first))
        }
    }

    /// Makes sure that no older segment has an event that is taken for new. The segment to which all rows are
    /// added says so itself.
    private func checkOlderSegments(
        _ prepared: PreparedBatch,
        _ arena: UnsafeRawBufferPointer,
        _ count: Int
    ) throws {
        let last = IdentityIndex.segment(of: store.size(of: .events) + Int64(count))
        guard last > 0 else { return }
        let (keys, _) = keys(of: prepared, arena) { sources.ids[$0] }
        var isAnyKnown = false
        try index.find(keys, before: last) { _, _ in
            isAnyKnown = true
            return false
        }
        if isAnyKnown { throw NotAllNew() }
    }

    /// Fills the identity index in order of its key.
    private func insertIdentities(
        _ prepared: PreparedBatch,
        _ arena: UnsafeRawBufferPointer,
        _ positions: [Int64],
        _ lookedUp: Bool
    ) throws {
        let first = store.size(of: .events) + 1
        let statement = store.events.identity
        let before = store.connection.totalChanges
        var added: Int64 = 0
        for index in prepared.byIdentity {
            let position = positions[Int(index)]
            guard position >= first else { continue }
            let event = prepared.batch.events[Int(index)]
            try statement.bindText(arena.slice(event.id), at: 1, copy: false)
            try statement.bind(sources.ids[Int(event.source)], at: 2)
            try statement.bind(position, at: 3)
            try statement.bind(IdentityIndex.segment(of: position), at: 4)
            try statement.run()
            added += 1
        }
        guard store.connection.totalChanges - before == added else {
            if !lookedUp { throw NotAllNew() }
            throw StoreError(
                .integrity,
                during: "record an event",
                on: "index event_identities",
                "the index has an entry for an event that it did not find before",
                hint: "Run 'tally verify'"
            )
        }
    }

    private func insertRows(
        _ new: [Int32],
        _ batch: EventBatch,
        _ arena: UnsafeRawBufferPointer,
        _ now: Int64,
        _ revisions: [Int64],
        _ demanded: DemandedChecksums
    ) throws {
        let statement = store.events.event
        let algorithms = AlgorithmNames()
        var hasKeyID = false
        var position = store.size(of: .events)
        try statement.bind(originID(), at: 8)
        try statement.bind(now, at: 9)
        try statement.bindNull(at: 11)
        for (order, index) in new.enumerated() {
            let event = batch.events[Int(index)]
            let checksum =
                demanded.again.isEmpty
                ? event.checksum : demanded.again[index] ?? event.checksum
            position += 1
            try statement.bind(position, at: 1)
            try statement.bind(sources.ids[Int(event.source)], at: 2)
            try statement.bindText(arena.slice(event.id), at: 3, copy: false)
            try statement.bind(streams.ids[Int(event.stream)], at: 4)
            try statement.bind(revisions[order], at: 5)
            try statement.bind(types.ids[Int(event.type)], at: 6)
            try statement.bind(categoryIDs[Int(event.category)], at: 7)
            try statement.bindText(algorithms.bytes(checksum.algorithm), at: 10, copy: false)
            if hasKeyID != (checksum.algorithm == .hmacSHA256) {
                hasKeyID.toggle()
                try statement.bindOptional(hasKeyID ? demanded.keyID : nil, at: 11)
            }
            try bindOptional(event.subject, statement, 13, arena)
            try bindOptional(event.time, statement, 14, arena)
            try bindOptional(event.dataContentType, statement, 15, arena)
            try bindOptional(event.attributes, statement, 16, arena)
            try bindOptional(event.deliveryAttributes, statement, 17, arena)
            if event.dataIsBinary {
                try statement.bindBlob(arena.slice(event.data), at: 18, copy: false)
            } else {
                try bindOptional(event.data, statement, 18, arena)
            }
            try Self.bindChecksum(checksum, statement, 12)
        }
    }

    /// Binds the checksum, which lives on the stack, and runs the statement while it does.
    private static func bindChecksum(
        _ checksum: Checksum,
        _ statement: Statement,
        _ index: Int32
    ) throws(SQLiteError) {
        let outcome: Swift.Result<Void, SQLiteError> = checksum.withUnsafeBytes { bytes in
            do throws(SQLiteError) {
                try statement.bindBlob(bytes, at: index, copy: false)
                try statement.run()
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try outcome.get()
    }

    @inline(__always)
    private func bindOptional(
        _ range: ByteRange,
        _ statement: Statement,
        _ index: Int32,
        _ arena: UnsafeRawBufferPointer
    ) throws(SQLiteError) {
        if range.isPresent {
            try statement.bindText(arena.slice(range), at: index, copy: false)
        } else {
            try statement.bindNull(at: index)
        }
    }

    /// Fills the revision index with what the transaction's batches brought; see `RevisionWriter`.
    func insertRevisions() throws(SQLiteError) { try revisions.write() }
}
