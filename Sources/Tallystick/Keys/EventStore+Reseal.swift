import TallystickCore
import TallystickSQLite

/// The result of a resealing run.
public struct ResealReport: Sendable, Equatable {
    /// Number of events examined.
    public var events: Int64 = 0
    /// Number of events that got a new checksum.
    public var sealed: Int64 = 0
    /// The key that made them.
    public var keyID = ""
    /// Whether the run stopped before the end. Run it again: resealed events are skipped.
    public var isInterrupted = false
}

extension EventStore {
    /// Makes checksums with the active key, for every event whose category now requires an HMAC and that has none by
    /// that key: events from before the first key, and from the time of a retired key.
    ///
    /// The new checksums are rows of `checksums`; the original record stays. Each event is first verified against its
    /// checksum, if its key is available, and the tree. Works in short transactions, each with an audit row. A
    /// cancelled task stops between two of them.
    ///
    /// - throws: `StoreError`: `keyMissing`; `integrity` for an event that differs from its record, after which no
    ///   more events are sealed.
    public func reseal(
        actor: String,
        reason: String,
        onProgress: (@Sendable (ResealReport) -> Void)? = nil
    ) async throws(StoreError) -> ResealReport {
        var report = ResealReport()
        var position: Int64 = 0
        while true {
            if Task.isCancelled {
                report.isInterrupted = true
                return report
            }
            let chunk = try await owner.reseal(after: position, actor: actor, reason: reason)
            report.events += chunk.events
            report.sealed += chunk.sealed
            report.keyID = chunk.keyID
            position += chunk.events
            if chunk.events == 0 { return report }
            onProgress?(report)
        }
    }
}

extension StoreOwner {
    fileprivate func reseal(
        after position: Int64,
        actor: String,
        reason: String
    ) throws(StoreError) -> ResealReport {
        try withWriter(Resealer.operation) { writer in
            try Resealer(writer).reseal(after: position, actor: actor, reason: reason)
        }
    }
}

/// Reseals a chunk of events, in one transaction.
private struct Resealer {
    static let operation = "seal events again"
    /// Number of events per transaction.
    private static let chunk = 8192

    private let store: StoreWriter

    init(_ store: StoreWriter) { self.store = store }

    private struct Sealed {
        var position: Int64
        var checksum: Checksum
    }

    func reseal(after position: Int64, actor: String, reason: String) throws -> ResealReport {
        try AuditText.validate(actor: actor, reason: reason, during: Self.operation)
        return try store.transaction(Self.operation) {
            let registered = try store.registeredKeys()
            let key = try registered.required(
                from: store.checksummer.ring,
                during: Self.operation,
                for: "the store"
            )
            var report = ResealReport()
            report.keyID = key.id
            let last = min(store.size(of: .events), position + Int64(Self.chunk))
            let newest = try store.checksums.newest(after: position, through: last)
            var sealed: [Sealed] = []
            let source = try EventSource(store.connection, store.checksummer)
            report.events = Int64(
                try source.forEach(
                    after: position,
                    through: last,
                    limit: Self.chunk,
                    watermark: nil
                ) { event, _ in
                    guard let event, try needsSeal(event, newest[event.position], key) else {
                        return true
                    }
                    let checksum = try event.appendedContent().withUnsafeBytes {
                        Checksum(hmac: key.hmac, of: $0)
                    }
                    sealed.append(Sealed(position: event.position, checksum: checksum))
                    return true
                }
            )
            report.sealed = Int64(sealed.count)
            try write(sealed, key, actor, reason)
            return report
        }
    }

    private func needsSeal(
        _ event: ReplayedEvent,
        _ newest: StoredChecksum?,
        _ key: KeyRing.Key
    ) throws -> Bool {
        let keyID =
            newest.map(\.keyID) ?? event.row.textIfPresent(at: EventColumn.checksumKeyID)
        guard keyID != key.id else { return false }
        let category = try event.names.name(.categories, of: event.row)
        return store.configuration?.demandsHMAC(category) == true
    }

    private func write(
        _ sealed: [Sealed],
        _ key: KeyRing.Key,
        _ actor: String,
        _ reason: String
    ) throws {
        guard !sealed.isEmpty else { return }
        let row = AuditRow(
            kind: .reseal,
            recordedAt: store.clock(),
            actor: actor,
            reason: reason,
            detail: "{\"events\":\(sealed.count),\"key_id\":\"\(key.id)\"}"
        )
        try store.addAudit(row, tables: [.checksums]) { sequence in
            var id = try store.checksums.lastID()
            for event in sealed {
                id += 1
                try store.checksums.add(
                    event.checksum,
                    keyID: key.id,
                    position: event.position,
                    id: id,
                    auditSequence: sequence
                )
            }
        }
    }
}
