import TallystickCore
import TallystickSQLite

/// Writes batches of one run, each in one transaction or a few: decides what each input is, and records it.
final class BatchWriter {
    private let store: StoreWriter
    private let origin: String
    private let actor: String
    private var configuration: IngestConfiguration
    private let helper: HelperThread
    private var sources: NameMap
    private var types: NameMap
    private var streams: NameMap
    private let categoryRows: DictionaryRows
    private let originRows: DictionaryRows
    private let lastRevision: Statement
    private let findIdentity: Statement
    /// By index of the stream: the next revision, or -1 where it is not known.
    private var nextRevision: [Int64] = []
    private var categoryIDs: [Int64] = []
    private var originID: Int64 = 0
    private var nameGeneration = 0
    private var storeGeneration = -1
    /// Whether the last batch had no event that the store knew, so that the next one is tried as new.
    private var expectsNew = true
    private var copies: CopyRecorder
    private let quarantine: QuarantineWriter
    private let breakers: BreakerBook

    init(
        _ store: StoreWriter,
        origin: String,
        actor: String,
        configuration: IngestConfiguration,
        helper: HelperThread
    ) throws {
        self.store = store
        self.origin = origin
        self.actor = actor
        self.helper = helper
        self.configuration = configuration
        sources = try NameMap(.sources, in: store.connection)
        types = try NameMap(.types, in: store.connection)
        streams = try NameMap(.streams, in: store.connection)
        categoryRows = try DictionaryRows(.categories, in: store.connection)
        originRows = try DictionaryRows(.origins, in: store.connection)
        lastRevision = try store.connection.prepare(
            "SELECT coalesce(max(revision), -1) FROM stream_revisions WHERE stream_id = ?1"
        )
        findIdentity = try store.connection.prepare(
            "SELECT position FROM event_identities WHERE event_id = ?1 AND source_id = ?2"
        )
        copies = try CopyRecorder(store, configuration, helper)
        quarantine = QuarantineWriter(store, origin: origin, actor: actor)
        breakers = try BreakerBook(store)
    }

    /// What a batch became, or a part of it.
    struct Result: Sendable {
        var outcomes = OutcomeCounts()
        var conflictsOpened = 0
        var positions: ClosedRange<Int64>?
        var quarantine: [IngestReport.QuarantinedInput] = []
        /// For each event of the batch its position.
        var positionOfEvent: [Int64] = []
        /// Set where the time for one transaction was used up.
        var rest: Rest?
        /// How long the batch's first transaction took, which is in proportion to its size.
        var microseconds: Int64 = 0

        mutating func add(_ other: Result) {
            outcomes += other.outcomes
            conflictsOpened += other.conflictsOpened
            quarantine += other.quarantine
            rest = other.rest
        }
    }

    /// What is left of a batch, in order of arrival.
    struct Rest: Sendable {
        /// Events that are looked at one by one: conflicts, and further deliveries within the batch.
        var events: ArraySlice<Int32>
        /// Rejected inputs.
        var rejected: Range<Int>
    }

    /// The identity index had an entry for an event that was taken for new.
    private struct NotAllNew: Error {}

    /// Records a batch: in one transaction, or in several where it has so many conflicts or rejected inputs
    /// that one would take long. Each leaves the store whole.
    func write(
        _ prepared: PreparedBatch,
        during operation: String
    ) throws(StoreError) -> Result {
        accept(prepared)
        var result = try writeFirst(prepared, during: operation)
        result.microseconds = store.transactionMicroseconds
        while let rest = result.rest {
            result.add(
                try store.transaction(operation) {
                    let part = try recordRest(rest, prepared, result.positionOfEvent)
                    if part.rest == nil { try countCall(result.outcomes + part.outcomes) }
                    return part
                }
            )
        }
        return result
    }

    private func writeFirst(
        _ prepared: PreparedBatch,
        during operation: String
    ) throws(StoreError) -> Result {
        if expectsNew {
            let result = try store.attempt(operation) {
                do {
                    return try begin(prepared, lookingUp: false)
                } catch is NotAllNew {
                    return nil
                }
            }
            if let result { return result }
        }
        let result = try store.transaction(operation) { try begin(prepared, lookingUp: true) }
        let outcomes = result.outcomes
        expectsNew = outcomes.duplicate + outcomes.confirmed + outcomes.conflicting == 0
        return result
    }

    private func begin(_ prepared: PreparedBatch, lookingUp: Bool) throws -> Result {
        let result = try record(prepared, lookingUp: lookingUp, isTimed: true)
        if result.rest == nil { try countCall(result.outcomes) }
        return result
    }

    /// Counts a whole batch as a call of the origin's breaker: failed where too many of its inputs were no events,
    /// or disagreed with what the store has. An open breaker never keeps anything out.
    private func countCall(_ outcomes: OutcomeCounts) throws {
        let mismatches = Double(outcomes.conflicting + outcomes.quarantined)
        let limit = configuration.mismatchLimit(of: origin) * Double(outcomes.total)
        try breakers.record(.origin, origin, failed: mismatches > limit, actor: actor)
    }

    private func accept(_ prepared: PreparedBatch) {
        if prepared.configuration.version != configuration.version {
            configuration = prepared.configuration
            copies.configuration = configuration
            storeGeneration = -1
        }
        acceptNames(of: prepared.batch)
    }

    /// Takes over the names that a batch uses for the first time. Every batch of the decoder has to come by, in
    /// order, whether it is recorded or not: later ones refer to its names.
    func acceptNames(of batch: EventBatch) {
        if batch.generation != nameGeneration {
            nameGeneration = batch.generation
            sources.removeAll()
            types.removeAll()
            streams.removeAll()
            nextRevision.removeAll()
        }
        batch.arena.withUnsafeBytes { bytes in
            sources.accept(batch.newSources, bytes)
            types.accept(batch.newTypes, bytes)
            streams.accept(batch.newStreams, bytes)
        }
        while nextRevision.count < streams.count { nextRevision.append(-1) }
    }

    /// Forgets what another process, or a rollback, may have made untrue.
    private func revalidate() throws {
        guard storeGeneration != store.generation else { return }
        storeGeneration = store.generation
        sources.forgetIDs()
        types.forgetIDs()
        streams.forgetIDs()
        for index in nextRevision.indices { nextRevision[index] = -1 }
        categoryIDs = [Int64](
            repeating: 0,
            count: configuration.classification.categories.count
        )
        originID = 0
    }

    /// Records a batch whose events are all new, in the transaction that is open.
    func recordNew(_ prepared: PreparedBatch) throws -> [AppendedEvent] {
        accept(prepared)
        let before = store.size(of: .events)
        var revisions: [Int64] = []
        _ = try record(prepared, lookingUp: false, isTimed: false) { revisions = $0 }
        return revisions.enumerated().map { order, revision in
            AppendedEvent(
                position: Position(before + Int64(order) + 1),
                revision: Revision(revision)
            )
        }
    }

    /// Records a batch in the transaction that is open, whatever the store has.
    func recordInTransaction(_ prepared: PreparedBatch) throws -> Result {
        accept(prepared)
        return try record(prepared, lookingUp: true, isTimed: false)
    }

    // MARK: One transaction

    /// - parameter isTimed: whether a part may be left for a further transaction.
    private func record(
        _ prepared: PreparedBatch,
        lookingUp: Bool,
        isTimed: Bool,
        onRevisions: ([Int64]) -> Void = { _ in }
    ) throws -> Result {
        let deadline = isTimed ? deadline() : nil
        try revalidate()
        let batch = prepared.batch
        return try batch.arena.withUnsafeBytes { arena in
            let now = store.clock()
            var result = Result()
            result.positionOfEvent = [Int64](repeating: 0, count: batch.events.count)
            var isNew = [Bool](repeating: true, count: batch.events.count)
            if lookingUp { try lookUp(prepared, arena, &result, &isNew) }
            let new = assignPositions(batch, isNew, &result)
            if !new.isEmpty {
                onRevisions(try insert(new, prepared, arena, now, lookingUp, result))
                result.outcomes.appended = new.count
            }
            var others: [Int32] = []
            if new.count < batch.events.count {
                let known = batch.events.indices.filter {
                    !isNew[$0] || batch.events[$0].duplicateOf >= 0
                }
                others = try copies.recordAgreeing(
                    known.map(Int32.init),
                    try delivered(batch, result.positionOfEvent, now),
                    arena,
                    &result.outcomes
                )
            }
            let rest = Rest(events: others[...], rejected: batch.rejected.indices)
            try recordOneByOne(rest, batch, arena, now, deadline, &result)
            return result
        }
    }

    /// Records what an earlier transaction left of a batch.
    private func recordRest(
        _ rest: Rest,
        _ prepared: PreparedBatch,
        _ positions: [Int64]
    ) throws -> Result {
        let deadline = deadline()
        try revalidate()
        return try prepared.batch.arena.withUnsafeBytes { arena in
            var result = Result()
            result.positionOfEvent = positions
            let now = store.clock()
            try recordOneByOne(rest, prepared.batch, arena, now, deadline, &result)
            return result
        }
    }

    private func recordOneByOne(
        _ rest: Rest,
        _ batch: EventBatch,
        _ arena: UnsafeRawBufferPointer,
        _ now: Int64,
        _ deadline: Int64?,
        _ result: inout Result
    ) throws {
        var rest = rest
        func goesOn() -> Bool { deadline.map { SystemClock.monotonicMicroseconds() < $0 } ?? true }
        // One of them at least, so that every transaction brings the batch forward.
        var isFirst = true
        if !rest.events.isEmpty {
            let delivered = try delivered(batch, result.positionOfEvent, now)
            while let index = rest.events.first, isFirst || goesOn() {
                let outcome = try copies.recordOne(index, delivered, arena)
                result.outcomes[outcome.outcome] += 1
                if outcome.opensConflict { result.conflictsOpened += 1 }
                rest.events.removeFirst()
                isFirst = false
            }
        }
        while rest.events.isEmpty, let index = rest.rejected.first, isFirst || goesOn() {
            let input = try quarantine.record(
                batch.rejected[index],
                arena,
                at: now,
                severity: configuration.severity(of:)
            )
            result.outcomes.quarantined += 1
            if result.quarantine.count < IngestLimits.reportedQuarantine {
                result.quarantine.append(input)
            }
            rest.rejected.removeFirst()
            isFirst = false
        }
        result.rest = rest.events.isEmpty && rest.rejected.isEmpty ? nil : rest
        try count(result)
    }

    private func deadline() -> Int64 {
        SystemClock.monotonicMicroseconds() + store.limits.transactionMicroseconds
    }

    private func delivered(
        _ batch: EventBatch,
        _ positions: [Int64],
        _ now: Int64
    ) throws -> CopyRecorder.Delivered {
        try resolveOrigin()
        return CopyRecorder.Delivered(
            batch: batch,
            positions: positions,
            typeIDs: try types.knownIDs(),
            origin: origin,
            originID: originID,
            recordedAt: now,
            actor: actor
        )
    }

    /// Finds the positions of events that the store has.
    private func lookUp(
        _ prepared: PreparedBatch,
        _ arena: UnsafeRawBufferPointer,
        _ result: inout Result,
        _ isNew: inout [Bool]
    ) throws {
        for index in prepared.byIdentity {
            let event = prepared.batch.events[Int(index)]
            guard let source = try sources.find(Int(event.source)) else { continue }
            try findIdentity.bindText(arena.slice(event.id), at: 1, copy: false)
            try findIdentity.bind(source, at: 2)
            if try findIdentity.step() {
                result.positionOfEvent[Int(index)] = findIdentity.int64(at: 0)
                isNew[Int(index)] = false
            }
            try findIdentity.reset()
        }
    }

    /// Gives new events positions in order of arrival; returns their indices.
    private func assignPositions(
        _ batch: EventBatch,
        _ isNew: [Bool],
        _ result: inout Result
    ) -> [Int32] {
        var new: [Int32] = []
        new.reserveCapacity(batch.events.count)
        var position = store.size(of: .events)
        for index in batch.events.indices {
            let original = batch.events[index].duplicateOf
            if original >= 0 {
                result.positionOfEvent[index] = result.positionOfEvent[Int(original)]
            } else if isNew[index] {
                position += 1
                result.positionOfEvent[index] = position
                new.append(Int32(index))
            }
        }
        if let first = new.first {
            result.positions = result.positionOfEvent[Int(first)]...position
        }
        return new
    }

    private func insert(
        _ new: [Int32],
        _ prepared: PreparedBatch,
        _ arena: UnsafeRawBufferPointer,
        _ now: Int64,
        _ lookedUp: Bool,
        _ result: Result
    ) throws -> [Int64] {
        let batch = prepared.batch
        try resolveNames(new, batch)
        let revisions = try assignRevisions(new, batch)
        try insertIdentities(prepared, arena, lookedUp, result)
        // Only now is it sure that the events are new.
        let demanded = try demandedChecksums(new, batch, arena)
        let leaves = LeafJob.events(
            new,
            of: batch,
            firstPosition: store.size(of: .events) + 1,
            revisions: revisions,
            recordedAt: now,
            origin: origin,
            categories: configuration.classification.categories
        )
        let hashes = try helper.hash(leaves) {
            try insertRows(new, batch, arena, now, revisions, demanded)
            try insertRevisions(new, batch, revisions)
        }
        store.append(hashes, to: .events)
        return revisions
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
        try streams.resolve(new.map { batch.events[Int($0)].stream }) { nextRevision[$0] = 0 }
        for index in new {
            let category = Int(batch.events[Int(index)].category)
            if categoryIDs[category] == 0 {
                categoryIDs[category] = try id(
                    of: configuration.classification.categories[category],
                    categoryRows
                )
            }
        }
        try resolveOrigin()
    }

    private func resolveOrigin() throws {
        if originID == 0 { originID = try id(of: origin, originRows) }
    }

    /// The id of a name, which is added where it is new.
    private func id(of name: String, _ rows: DictionaryRows) throws -> Int64 {
        try Array(name.utf8).withUnsafeBytesTyped { bytes throws(SQLiteError) in
            if let id = try rows.id(of: bytes) { return id }
            let id = try rows.lastID() + 1
            try rows.add(bytes, id: id)
            return id
        }
    }

    private func assignRevisions(_ new: [Int32], _ batch: EventBatch) throws -> [Int64] {
        var revisions: [Int64] = []
        revisions.reserveCapacity(new.count)
        for index in new {
            let stream = Int(batch.events[Int(index)].stream)
            if nextRevision[stream] < 0 {
                try lastRevision.bind(streams.ids[stream], at: 1)
                nextRevision[stream] = try (lastRevision.optionalInt64() ?? -1) + 1
            }
            revisions.append(nextRevision[stream])
            nextRevision[stream] += 1
        }
        return revisions
    }

    /// Fills the identity index in order of its key.
    private func insertIdentities(
        _ prepared: PreparedBatch,
        _ arena: UnsafeRawBufferPointer,
        _ lookedUp: Bool,
        _ result: Result
    ) throws {
        let first = result.positions?.lowerBound ?? 0
        let statement = store.events.identity
        let before = store.connection.totalChanges
        var added: Int64 = 0
        for index in prepared.byIdentity {
            let position = result.positionOfEvent[Int(index)]
            guard position >= first else { continue }
            let event = prepared.batch.events[Int(index)]
            try statement.bindText(arena.slice(event.id), at: 1, copy: false)
            try statement.bind(sources.ids[Int(event.source)], at: 2)
            try statement.bind(position, at: 3)
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
        try statement.bind(originID, at: 8)
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

    /// Fills the revision index in order of its key.
    private func insertRevisions(_ new: [Int32], _ batch: EventBatch, _ revisions: [Int64]) throws {
        let first = store.size(of: .events) + 1
        var keys: [(stream: Int64, order: Int32)] = []
        keys.reserveCapacity(new.count)
        for (order, index) in new.enumerated() {
            keys.append((streams.ids[Int(batch.events[Int(index)].stream)], Int32(order)))
        }
        keys.sort { ($0.stream, $0.order) < ($1.stream, $1.order) }
        let statement = store.events.revision
        for key in keys {
            try statement.bind(key.stream, at: 1)
            try statement.bind(revisions[Int(key.order)], at: 2)
            try statement.bind(first + Int64(key.order), at: 3)
            try statement.run()
        }
    }

    // MARK: Counters

    private func count(_ result: Result) throws {
        // Appended events of a single append have rows that say it all.
        guard result.outcomes.total > result.outcomes.appended else { return }
        for outcome in IngestOutcome.allCases where outcome != .appended {
            try store.counters.add(result.outcomes[outcome], to: outcome.rawValue, origin: origin)
        }
    }
}

/// The algorithms' names as bytes that stay in place.
private struct AlgorithmNames {
    private static let crc32: StaticString = "crc32"
    private static let sha256: StaticString = "sha256"
    private static let hmac: StaticString = "hmac-sha256"

    @inline(__always)
    func bytes(_ algorithm: ChecksumAlgorithm) -> UnsafeRawBufferPointer {
        let name =
            switch algorithm {
            case .crc32: Self.crc32
            case .sha256: Self.sha256
            case .hmacSHA256: Self.hmac
            }
        return UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    }
}
