import TallystickCore
import TallystickSQLite

/// Keeps rejected inputs of one origin, each once.
struct QuarantineWriter {
    private let store: StoreWriter
    private let origin: String
    private let actor: String

    init(_ store: StoreWriter, origin: String, actor: String) {
        self.store = store
        self.origin = origin
        self.actor = actor
    }

    /// Records a rejected input, unless the same bytes of the origin are there already.
    ///
    /// - parameter path: what the input is called, as the caller gave it; `-` is standard input.
    /// - parameter severity: of a category.
    /// - returns: how a report names it.
    func record(
        _ rejected: RejectedInput,
        _ arena: UnsafeRawBufferPointer,
        of path: String?,
        at now: Int64,
        severity: (String) -> String
    ) throws -> IngestReport.QuarantinedInput {
        let input = NewQuarantine(
            origin: origin,
            path: path,
            line: rejected.place.line,
            column: rejected.place.column,
            byte: rejected.place.byte,
            code: rejected.code,
            message: rejected.message,
            length: rejected.length,
            digest: rejected.digest
        )
        let id =
            try store.quarantine.id(of: input)
            ?? keep(input, rejected, arena.slice(rejected.bytes), now, severity)
        return IngestReport.QuarantinedInput(
            id: id,
            path: path ?? "",
            line: input.line,
            column: input.column,
            byte: input.byte,
            code: input.code,
            message: input.message
        )
    }

    private func keep(
        _ input: NewQuarantine,
        _ rejected: RejectedInput,
        _ content: UnsafeRawBufferPointer,
        _ now: Int64,
        _ severity: (String) -> String
    ) throws -> Int64 {
        var id: Int64 = 0
        let row = AuditRow(kind: .quarantine, recordedAt: now, actor: actor, reason: input.code)
        let tables: [DetailTable] =
            rejected.mismatch == nil ? [.quarantine] : [.quarantine, .mismatches]
        let sequence = try store.addAudit(row, tables: tables) { sequence in
            id = try store.quarantine.add(input, content: content, auditSequence: sequence)
            guard let mismatch = rejected.mismatch else { return }
            try store.add(
                NewMismatch(
                    kind: .transit,
                    severity: severity(mismatch.category),
                    category: mismatch.category,
                    origin: origin,
                    source: mismatch.source,
                    eventID: mismatch.eventID,
                    algorithm: mismatch.algorithm,
                    expected: mismatch.expected,
                    actual: mismatch.actual
                ),
                auditSequence: sequence
            )
        }
        try store.quarantine.setState("held", of: id, auditSequence: sequence)
        return id
    }
}
