import TallystickSQLite

/// A row of `resolutions` to be added.
struct NewResolution {
    var resolutionID: Int64
    var conflictID: Int64
    var position: Int64?
    var afterPosition: Int64
    var decidedAt: Int64
    var policy: String
    var policyVersion: String
    var configurationVersion: Int64
    var decision: String
    var winnerOrigin: String?
    var winnerCandidate: Int64?
    var tieBreak: String?
    var actor: String
    var reason: String?
    var candidatesDigest: String
    /// Of `checksumAfter`.
    var checksumAlgorithm: String?
    var checksumKeyID: String?
    var checksumBefore: String?
    var checksumAfter: String?
    var contentDigest: String?
    var content: [UInt8]?
    /// A JSON object.
    var provenance: String?
    var supersedes: Int64?
}

/// Adds rows of `resolutions`.
struct ResolutionRows {
    private let insert: Statement
    private let selectLast: Statement
    private let selectPolicy: Statement

    init(in connection: Connection) throws(SQLiteError) {
        insert = try connection.prepare(
            """
            INSERT INTO resolutions (
                resolution_id, audit_sequence, conflict_id, position, after_position, decided_at, policy,
                policy_version, configuration_version, decision, winner_origin, winner_candidate, tie_break,
                actor, reason, candidates_digest, checksum_algorithm, checksum_before, checksum_after,
                content_sha256, content, supersedes, provenance, checksum_key_id)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
                ?20, ?21, ?22, ?23, ?24)
            """
        )
        selectLast = try connection.prepare(
            "SELECT coalesce(max(resolution_id), 0) FROM resolutions"
        )
        selectPolicy = try connection.prepare(
            "SELECT policy FROM resolutions WHERE resolution_id = ?1"
        )
    }

    func nextID() throws(SQLiteError) -> Int64 { (try selectLast.optionalInt64() ?? 0) + 1 }

    /// The policy that made a resolution; nil when there is no such resolution.
    func policy(of resolutionID: Int64) throws(SQLiteError) -> String? {
        try selectPolicy.bind(resolutionID, at: 1)
        return try selectPolicy.first { $0.text(at: 0) }
    }

    func add(_ row: NewResolution, auditSequence: Int64) throws(SQLiteError) {
        try insert.bind(row.resolutionID, at: 1)
        try insert.bind(auditSequence, at: 2)
        try insert.bind(row.conflictID, at: 3)
        try insert.bindOptional(row.position, at: 4)
        try insert.bind(row.afterPosition, at: 5)
        try insert.bind(row.decidedAt, at: 6)
        try insert.bindText(row.policy, at: 7)
        try insert.bindText(row.policyVersion, at: 8)
        try insert.bind(row.configurationVersion, at: 9)
        try insert.bindText(row.decision, at: 10)
        try insert.bindOptional(row.winnerOrigin, at: 11)
        try insert.bindOptional(row.winnerCandidate, at: 12)
        try insert.bindOptional(row.tieBreak, at: 13)
        try insert.bindText(row.actor, at: 14)
        try insert.bindOptional(row.reason, at: 15)
        try insert.bindText(row.candidatesDigest, at: 16)
        try insert.bindOptional(row.checksumAlgorithm, at: 17)
        try insert.bindOptional(row.checksumBefore, at: 18)
        try insert.bindOptional(row.checksumAfter, at: 19)
        try insert.bindOptional(row.contentDigest, at: 20)
        try insert.bindOptional(row.content.map { String(decoding: $0, as: UTF8.self) }, at: 21)
        try insert.bindOptional(row.supersedes, at: 22)
        try insert.bindOptional(row.provenance, at: 23)
        try insert.bindOptional(row.checksumKeyID, at: 24)
        try insert.run()
    }
}
