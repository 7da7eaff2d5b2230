package import TallystickCore

extension StoreWriter {
    /// Records that an origin is complete over a span, in the transaction that is open.
    ///
    /// - parameter run: the run of ingest that states it; nil for a person's statement.
    /// - returns: the audit row.
    @discardableResult
    package func addCoverage(
        of origin: String,
        _ span: ClosedRange<Int64>,
        category: String?,
        source: String?,
        actor: String,
        reason: String? = nil,
        run: Int64? = nil
    ) throws -> Int64 {
        var members: [(name: String, value: JSONValue)] = [("origin", JSONValue(.string(origin)))]
        func add(_ name: String, _ text: String?) {
            if let text { members.append((name, JSONValue(.string(text)))) }
        }
        add("category", category)
        add("source", source)
        if span.lowerBound > .min {
            add("complete_from", RFC3339.string(microseconds: span.lowerBound))
        }
        add("complete_through", RFC3339.string(microseconds: span.upperBound))
        if let run { members.append((IngestDetail.run, JSONValue(.number(String(run))))) }
        return try addAct(.coverage, members, actor: actor, reason: reason)
    }

    /// Records that a statement no longer counts, in the transaction that is open.
    package func withdrawCoverage(_ sequence: Int64, actor: String, reason: String) throws {
        let members = [(name: "withdraws", value: JSONValue(.number(String(sequence))))]
        try addAct(.coverage, members, actor: actor, reason: reason)
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
