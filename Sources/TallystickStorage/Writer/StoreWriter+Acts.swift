package import TallystickCore

extension StoreWriter {
    /// Records that an origin is complete over a span, in the transaction that is open.
    ///
    /// - parameter run: the run of ingest that states it; nil for a person's statement.
    /// - returns: the statement as it is stored.
    package func addCoverage(
        of origin: String,
        _ span: ClosedRange<Int64>,
        category: String?,
        source: String?,
        actor: String,
        reason: String? = nil,
        run: Int64? = nil
    ) throws -> StoredCoverage {
        var members: [(name: String, value: JSONValue)] = [("origin", .make(origin))]
        if let category { members.append(("category", .make(category))) }
        if let source { members.append(("source", .make(source))) }
        if span.lowerBound > .min {
            let from = RFC3339.string(microseconds: span.lowerBound)
            members.append(("complete_from", .make(from)))
        }
        let through = RFC3339.string(microseconds: span.upperBound)
        members.append(("complete_through", .make(through)))
        if let run { members.append((IngestDetail.run, .make(run))) }
        let sequence = try addAct(.coverage, members, actor: actor, reason: reason)
        return StoredCoverage(
            sequence: sequence,
            actor: actor,
            origin: origin,
            category: category,
            source: source,
            span: span
        )
    }

    /// Records that a statement no longer counts, in the transaction that is open.
    package func withdrawCoverage(_ sequence: Int64, actor: String, reason: String) throws {
        let members = [(name: "withdraws", value: JSONValue.make(sequence))]
        try addAct(.coverage, members, actor: actor, reason: reason)
    }

    /// Records an act that leaves the store's contents as they are, in the transaction that is open.
    package func add(_ act: RecordedAct, actor: String) throws {
        try addAct(act.kind, act.members, actor: actor)
    }

    /// Adds an audit row whose detail has these members.
    @discardableResult
    package func addAct(
        _ kind: AuditKind,
        _ members: [(name: String, value: JSONValue)],
        actor: String,
        reason: String? = nil
    ) throws -> Int64 {
        try addAudit(
            AuditRow(
                kind: kind,
                recordedAt: clock(),
                actor: actor,
                reason: reason,
                detail: String(decoding: JSONValue(.object(members)).canonical, as: UTF8.self)
            )
        )
    }
}

/// An act that leaves the store's contents as they are, and of which the audit trail has a row all the same.
package enum RecordedAct: Sendable {
    /// A head over so many events was signed by the key of that name.
    case seal(events: Int64, name: String)
    /// A copy of the store was made.
    case backup(path: String, isVerified: Bool)
    /// Events were written out; `path` is nil for standard output.
    case export(path: String?, after: Int64, events: Int)

    fileprivate var kind: AuditKind {
        switch self {
        case .seal: .seal
        case .backup: .backup
        case .export: .export
        }
    }

    fileprivate var members: [(name: String, value: JSONValue)] {
        let act = (name: "act", value: JSONValue.make(kind.rawValue))
        switch self {
        case .seal(let events, let name):
            return [act, ("events", .make(events)), ("name", .make(name))]
        case .backup(let path, let isVerified):
            return [act, ("path", .make(path)), ("verified", .make(isVerified))]
        case .export(let path, let position, let events):
            return [
                act, ("path", .make(path ?? "-")), ("after_position", .make(position)),
                ("events", .make(events)),
            ]
        }
    }
}
