import TallystickCore
import TallystickSQLite

/// A person's wish that a replay leaves an event out that it cannot apply.
///
/// It is put on record before the checkpoint moves past the event. A run that is killed in between comes to
/// the same event again and finds the record, so that there is one for each event however often it is run.
struct ProjectionSkip: Sendable {
    var definition: ReplayDefinition
    var place: LogPlace
    var reason: String
    var actor: String

    /// Adds the audit row, unless it is there.
    func record(with writer: StoreWriter) throws {
        let detail = detail
        let known = try writer.connection.cached(
            """
            SELECT 1
            FROM audit_trail
            WHERE position = ?1 AND kind = ?2 AND detail = ?3
            LIMIT 1
            """
        )
        try known.bind(place.position, at: 1)
        try known.bindText(AuditKind.projectionSkip.rawValue, at: 2)
        try known.bindText(detail, at: 3)
        guard try known.optionalInt64() == nil else { return }
        try writer.addAudit(
            AuditRow(
                kind: .projectionSkip,
                recordedAt: writer.clock(),
                actor: actor,
                reason: "replay \(definition.name): \(reason)",
                position: place.position,
                detail: detail
            )
        )
    }

    /// What was skipped, as canonical JSON: the same for each attempt.
    private var detail: String {
        var members: [(name: String, value: JSONValue)] = [
            ("definition_sha256", JSONValue(.string(definition.digest.hex))),
            ("projection_version", JSONValue(.number(String(definition.version)))),
            ("replay", JSONValue(.string(definition.name))),
        ]
        if place.resolutionID != 0 {
            members.append(("resolution_id", JSONValue(.number(String(place.resolutionID)))))
        }
        return String(decoding: JSONValue(.object(members)).canonical, as: UTF8.self)
    }
}
