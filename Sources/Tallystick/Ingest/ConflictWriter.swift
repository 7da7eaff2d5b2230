import TallystickCore
import TallystickSQLite

/// A delivery of an event that the store has.
struct Delivery {
    var position: Int64
    var origin: String
    var content: UnsafeRawBufferPointer
    var digest: SHA256Digest
    var deliveryAttributes: UnsafeRawBufferPointer?
    var recordedAt: Int64
    var actor: String
}

/// Records further deliveries: duplicates, confirming copies, and conflicts.
struct ConflictWriter {
    private let store: StoreWriter
    private let known: KnownCopies
    private let damaged: DamagedEvents
    private let history: ConfigurationHistory

    init(_ store: StoreWriter, _ known: KnownCopies) throws {
        self.store = store
        self.known = known
        damaged = DamagedEvents(store)
        history = try ConfigurationHistory(in: store.connection)
    }

    /// What a delivery became.
    struct Outcome {
        var outcome: IngestOutcome
        var opensConflict = false
    }

    /// Decides a delivery against the set of (origin, content) already stored for its event, and
    /// records it.
    func record(
        _ delivery: Delivery,
        originID: Int64,
        severity: (String) -> String
    ) throws -> Outcome {
        let appended = try store.reader.withRow(at: delivery.position) { row in
            guard try store.reader.readContent(row) else { throw missing(delivery.position) }
            let isSame = store.reader.contentBytes.isEqual(to: delivery.content)
            return (
                origin: row.int64(at: EventColumn.origin), isSame: isSame,
                damage: isSame ? nil : MismatchRecorder(store).checksumDamage(row)
            )
        }
        guard let appended else { throw missing(delivery.position) }
        let content = store.reader.content
        let isSame = appended.isSame
        if isSame, originID == appended.origin { return Outcome(outcome: .duplicate) }
        if try known.contains(delivery.digest, from: originID, at: delivery.position) {
            return Outcome(outcome: .duplicate)
        }
        if isSame {
            try add(.confirmed, delivery, originID, differsIn: nil, storesContent: false)
            return Outcome(outcome: .confirmed)
        }
        // The copy is kept all the same: it may be what is left of the event.
        if let damage = appended.damage { try damaged.record(damage, actor: delivery.actor) }
        let difference = try content.withUnsafeBytesTyped { bytes throws(JSONError) in
            try known.difference(bytes, delivery.content)
        }
        if difference.agrees {
            try add(.confirmed, delivery, originID, differsIn: difference.json, storesContent: true)
            return Outcome(outcome: .confirmed)
        }
        let hasDelivered = try known.hasCopy(from: originID, at: delivery.position)
        let copyID = try add(
            .conflicting,
            delivery,
            originID,
            differsIn: difference.json,
            storesContent: true
        )
        let names = try store.reader.withRow(at: delivery.position) { row in
            (event: try store.reader.names(row), id: row.text(at: EventColumn.id))
        }
        guard let names else { throw missing(delivery.position) }
        let finding = CopyDisagreement(
            delivery: delivery,
            copyID: copyID,
            difference: difference,
            isEquivocation: appended.origin == originID || hasDelivered,
            names: names.event,
            eventID: names.id,
            severity: severity(names.event.category),
            appendedDigest: SHA256Digest(hashing: content)
        )
        guard try isCompared(finding) else { return Outcome(outcome: .conflicting) }
        let opens = try open(finding)
        return Outcome(outcome: .conflicting, opensConflict: opens)
    }

    private struct CopyDisagreement {
        var delivery: Delivery
        var copyID: Int64
        var difference: ContentDifference
        var isEquivocation: Bool
        var names: EventNames
        var eventID: String
        var severity: String
        var appendedDigest: SHA256Digest

        var kind: ConflictKind {
            isEquivocation
                ? .equivocation : difference.dataDiffers ? .payloadDiffers : .metadataDiffers
        }
        var differsIn: String? { difference.json.map { String(decoding: $0, as: UTF8.self) } }
    }

    /// Whether a disagreement counts: by the settings in force when the event was recorded, which category's events are
    /// compared, and which share of them. The copy is stored in any case.
    private func isCompared(_ finding: CopyDisagreement) throws -> Bool {
        try history.refresh()
        let settings = history.settings(at: finding.delivery.position)
        guard let category = settings[category: finding.names.category] else { return true }
        return Sampling.includes(
            source: finding.names.source,
            id: finding.eventID,
            in: category
        )
    }

    private func missing(_ position: Int64) -> StoreError {
        StoreError(
            .integrity,
            during: "compare a copy",
            on: "position \(position)",
            "the event, or a name that it uses, is missing",
            hint: "Run 'tally verify'"
        )
    }

    @discardableResult
    private func add(
        _ agreement: Agreement,
        _ delivery: Delivery,
        _ originID: Int64,
        differsIn: [UInt8]?,
        storesContent: Bool
    ) throws -> Int64 {
        let copy = StoredCopy(
            copyID: store.size(of: .copies) + 1,
            originID: originID,
            agreement: agreement,
            contentDigest: delivery.digest,
            hasContent: storesContent
        )
        try store.copies.add(
            copy,
            position: delivery.position,
            recordedAt: delivery.recordedAt,
            differsIn: differsIn,
            content: storesContent ? delivery.content : nil,
            deliveryAttributes: delivery.deliveryAttributes
        )
        var leaf = ByteBuffer(capacity: 512)
        var origin: [UInt8] = []
        CanonicalJSON.writeString(delivery.origin, to: &origin)
        let differences = differsIn ?? []
        origin.withUnsafeBytes { origin in
            differences.withUnsafeBytes { differences in
                Leaf.writeCopy(
                    copyID: copy.copyID,
                    position: delivery.position,
                    recordedAt: delivery.recordedAt,
                    origin: origin,
                    agreement: agreement.rawValue,
                    content: delivery.digest,
                    differsIn: differsIn == nil ? nil : differences,
                    delivery: delivery.deliveryAttributes,
                    to: &leaf
                )
            }
        }
        store.append(CollectionOfOne(MerkleHash.leaf(leaf.bytes)), to: .copies)
        return copy.copyID
    }

    /// Records a disagreement: a mismatch always, and a conflict, a candidate, or support for one.
    private func open(_ finding: CopyDisagreement) throws -> Bool {
        try addMismatch(finding)
        guard let conflict = try store.conflicts.conflict(at: finding.delivery.position) else {
            try openConflict(finding)
            return true
        }
        let delivery = finding.delivery
        // A candidate that is not a copy of the event as appended may have this content already.
        let isKnown = try known.hasConflictingCopy(
            agreeingWith: delivery.content,
            delivery.digest,
            at: delivery.position,
            before: finding.copyID
        )
        if !isKnown { try addCandidate(finding, to: conflict) }
        if !conflict.isOpen { try store.conflicts.states.markNewEvidence(on: conflict.conflictID) }
        return false
    }

    private func addMismatch(_ finding: CopyDisagreement) throws {
        let delivery = finding.delivery
        let row = AuditRow(
            kind: .mismatch,
            recordedAt: delivery.recordedAt,
            actor: delivery.actor,
            position: delivery.position
        )
        try store.addAudit(row, tables: [.mismatches]) { sequence in
            try store.add(
                NewMismatch(
                    kind: .copy,
                    severity: finding.severity,
                    category: finding.names.category,
                    origin: delivery.origin,
                    position: delivery.position,
                    copyID: finding.copyID,
                    source: finding.names.source,
                    eventID: finding.eventID,
                    algorithm: ChecksumAlgorithm.sha256.rawValue,
                    expected: finding.appendedDigest.hex,
                    actual: delivery.digest.hex,
                    differsIn: finding.differsIn
                ),
                auditSequence: sequence
            )
        }
    }

    private func openConflict(_ finding: CopyDisagreement) throws {
        let delivery = finding.delivery
        let conflictID = try store.conflicts.nextConflictID()
        let row = AuditRow(
            kind: .conflict,
            recordedAt: delivery.recordedAt,
            actor: delivery.actor,
            position: delivery.position,
            conflictID: conflictID
        )
        try store.addAudit(row, tables: [.conflicts, .conflictCandidates]) { sequence in
            try store.add(
                ConflictRecord(
                    conflictID: conflictID,
                    kind: finding.kind,
                    severity: finding.severity,
                    category: finding.names.category,
                    position: delivery.position,
                    source: finding.names.source,
                    eventID: finding.eventID,
                    origin: delivery.origin,
                    openedAt: delivery.recordedAt
                ),
                auditSequence: sequence
            )
            let appended = StoredCandidate(
                candidate: 1,
                origin: finding.names.origin,
                copyID: nil,
                contentDigest: finding.appendedDigest
            )
            try store.conflicts.add(
                appended,
                to: conflictID,
                differsIn: nil,
                auditSequence: sequence
            )
            let copy = StoredCandidate(
                candidate: 2,
                origin: delivery.origin,
                copyID: finding.copyID,
                contentDigest: delivery.digest
            )
            try store.conflicts.add(
                copy,
                to: conflictID,
                differsIn: finding.differsIn,
                auditSequence: sequence
            )
        }
        let origins = Self.joined(finding.names.origin, delivery.origin)
        try store.conflicts.states.set(
            ConflictState(
                isOpen: true,
                policy: "manual",
                origins: origins,
                candidates: 2,
                differsIn: finding.differsIn
            ),
            of: conflictID
        )
        try store.effective.dispute(position: delivery.position, conflictID: conflictID)
    }

    private func addCandidate(_ finding: CopyDisagreement, to conflict: StoredConflict) throws {
        let delivery = finding.delivery
        let row = AuditRow(
            kind: .candidate,
            recordedAt: delivery.recordedAt,
            actor: delivery.actor,
            position: delivery.position,
            conflictID: conflict.conflictID
        )
        try store.addAudit(row, tables: [.conflictCandidates]) { sequence in
            let candidate = StoredCandidate(
                candidate: conflict.candidates + 1,
                origin: delivery.origin,
                copyID: finding.copyID,
                contentDigest: delivery.digest
            )
            try store.conflicts.add(
                candidate,
                to: conflict.conflictID,
                differsIn: finding.differsIn,
                auditSequence: sequence
            )
        }
        try store.conflicts.states.addCandidate(
            from: delivery.origin,
            differsIn: finding.differsIn,
            to: conflict.conflictID
        )
    }

    private static func joined(_ origins: String, _ origin: String) -> String {
        let names = origins.split(separator: ", ").map(String.init)
        return names.contains(origin) ? origins : (names + [origin]).joined(separator: ", ")
    }
}

/// Puts on record which events were found damaged while copies were compared with them, each once.
private final class DamagedEvents {
    /// Events that are remembered; more are looked up again.
    private static let remembered = 4096

    private let store: StoreWriter
    private let recorder: MismatchRecorder
    private var recorded: Set<Int64> = []
    /// After a rollback nothing that was recorded is sure.
    private var generation: Int?

    init(_ store: StoreWriter) {
        self.store = store
        recorder = MismatchRecorder(store)
    }

    func record(_ damage: DamagedRecord, actor: String) throws {
        if generation != store.generation || recorded.count >= Self.remembered {
            recorded.removeAll(keepingCapacity: true)
            generation = store.generation
        }
        guard let position = damage.position, recorded.insert(position).inserted else { return }
        try recorder.record([damage], as: .atRest, actor: actor)
    }
}
