public import TallystickCore
import TallystickSQLite

extension EventStore {
    /// Gives a quarantined input another chance: it is decoded again, perhaps with a map, and recorded with an
    /// ordinary outcome as a delivery by its origin.
    ///
    /// - throws: `StoreError`: `notFound`; `alreadyDecided` when it was released; `badInput` when it is still not an
    ///   event; nothing is changed then.
    @discardableResult
    public func releaseQuarantined(
        _ id: Int64,
        actor: String,
        reason: String,
        mapping: EventMapping? = nil
    ) async throws(StoreError) -> IngestOutcome {
        try await owner.releaseQuarantined(
            id,
            actor: actor,
            reason: reason,
            mapping: mapping,
            configuration: settings.configuration
        )
    }
}

/// Records quarantined inputs after all.
struct QuarantineRelease {
    private let store: StoreWriter
    private let configuration: IngestConfiguration
    private let helper: HelperThread

    init(_ store: StoreWriter, _ configuration: IngestConfiguration, _ helper: HelperThread) {
        self.store = store
        self.configuration = configuration
        self.helper = helper
    }

    func release(
        _ id: Int64,
        actor: String,
        reason: String,
        mapping: EventMapping?
    ) throws -> IngestOutcome {
        let row = try store.connection.prepare(
            """
            SELECT q.origin, q.content, q.length, s.state
            FROM quarantine AS q
            LEFT JOIN quarantine_states AS s ON s.quarantine_id = q.quarantine_id
            WHERE q.quarantine_id = ?1
            """
        )
        try row.bind(id, at: 1)
        let found = try row.first {
            ($0.text(at: 0), $0.blob(at: 1), $0.int64(at: 2), $0.text(at: 3))
        }
        guard let (origin, content, length, state) = found else {
            throw StoreError(
                .notFound,
                during: "release from quarantine",
                on: "input \(id)",
                "there is no such input",
                hint: "See 'tally quarantine list'"
            )
        }
        guard state != "released" else {
            let done = try DoneActRows(in: store.connection).release(of: id)
            throw StoreError(
                .alreadyDecided,
                during: "release from quarantine",
                on: "input \(id)",
                "this was already done" + (done.map { " \($0.text)" } ?? ""),
                hint: "There is nothing left to do; see 'tally audit list'"
            )
        }
        guard length == Int64(content.count) else {
            throw StoreError(
                .badInput,
                during: "release from quarantine",
                on: "input \(id)",
                "only its first \(content.count) of \(length) bytes are kept"
            )
        }
        let prepared = try decode(content, id, mapping)
        let writer = try BatchWriter(
            store,
            origin: origin,
            actor: actor,
            configuration: configuration,
            helper: helper
        )
        return try store.transaction("release from quarantine") {
            let result = try writer.recordInTransaction(prepared)
            let outcome = IngestOutcome.allCases.first { result.outcomes[$0] > 0 } ?? .duplicate
            let sequence = try store.addAudit(
                AuditRow(
                    kind: .quarantineRelease,
                    recordedAt: store.clock(),
                    actor: actor,
                    reason: reason,
                    position: result.positionOfEvent.first,
                    detail: "{\"outcome\":\"\(outcome.rawValue)\",\"quarantine_id\":\(id)}"
                )
            )
            try store.quarantine.setState("released", of: id, auditSequence: sequence)
            return outcome
        }
    }

    private func decode(_ content: [UInt8], _ id: Int64, _ mapping: EventMapping?) throws
        -> PreparedBatch
    {
        var decoder = EventDecoder(configuration.decoderSettings(mapping: mapping))
        var batch = EventBatch()
        decoder.begin(&batch)
        let place = RecordPlace(line: 1, column: 1, byte: 0)
        _ = content.withUnsafeBytes { decoder.decode($0, at: place, into: &batch) }
        if let rejected = batch.rejected.first {
            throw StoreError(
                .badInput,
                during: "release from quarantine",
                on: "input \(id)",
                "it is still not an event: \(rejected.message) (\(rejected.code))",
                hint: "Name a map with --map, or leave it where it is"
            )
        }
        return PreparedBatch(batch, configuration)
    }
}
