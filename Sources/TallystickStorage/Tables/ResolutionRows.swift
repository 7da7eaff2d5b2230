package import TallystickSQLite

/// A row of `resolutions` to be added.
package struct NewResolution {
    package var resolutionID: Int64
    package var conflictID: Int64
    package var position: Int64?
    package var afterPosition: Int64
    package var decidedAt: Int64
    package var policy: String
    package var policyVersion: String
    package var configurationVersion: Int64
    package var decision: String
    package var winnerOrigin: String?
    package var winnerCandidate: Int64?
    package var tieBreak: String?
    package var actor: String
    package var reason: String?
    package var candidatesDigest: String
    /// Of `checksumAfter`.
    package var checksumAlgorithm: String?
    package var checksumKeyID: String?
    package var checksumBefore: String?
    package var checksumAfter: String?
    package var contentDigest: String?
    package var content: [UInt8]?
    /// A JSON object.
    package var provenance: String?
    package var supersedes: Int64?

    package init(
        resolutionID: Int64,
        conflictID: Int64,
        position: Int64? = nil,
        afterPosition: Int64,
        decidedAt: Int64,
        policy: String,
        policyVersion: String,
        configurationVersion: Int64,
        decision: String,
        winnerOrigin: String? = nil,
        winnerCandidate: Int64? = nil,
        tieBreak: String? = nil,
        actor: String,
        reason: String? = nil,
        candidatesDigest: String,
        checksumAlgorithm: String? = nil,
        checksumKeyID: String? = nil,
        checksumBefore: String? = nil,
        checksumAfter: String? = nil,
        contentDigest: String? = nil,
        content: [UInt8]? = nil,
        provenance: String? = nil,
        supersedes: Int64? = nil
    ) {
        self.resolutionID = resolutionID
        self.conflictID = conflictID
        self.position = position
        self.afterPosition = afterPosition
        self.decidedAt = decidedAt
        self.policy = policy
        self.policyVersion = policyVersion
        self.configurationVersion = configurationVersion
        self.decision = decision
        self.winnerOrigin = winnerOrigin
        self.winnerCandidate = winnerCandidate
        self.tieBreak = tieBreak
        self.actor = actor
        self.reason = reason
        self.candidatesDigest = candidatesDigest
        self.checksumAlgorithm = checksumAlgorithm
        self.checksumKeyID = checksumKeyID
        self.checksumBefore = checksumBefore
        self.checksumAfter = checksumAfter
        self.contentDigest = contentDigest
        self.content = content
        self.provenance = provenance
        self.supersedes = supersedes
    }
}

/// Adds rows of `resolutions`.
package struct ResolutionRows {
    private let insert: Statement
    private let selectLast: Statement
    private let selectPolicy: Statement

    package init(in connection: Connection) throws(SQLiteError) {
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

    package func nextID() throws(SQLiteError) -> Int64 { (try selectLast.optionalInt64() ?? 0) + 1 }

    /// The policy that made a resolution; nil if there is no such resolution.
    package func policy(of resolutionID: Int64) throws(SQLiteError) -> String? {
        try selectPolicy.bind(resolutionID, at: 1)
        return try selectPolicy.first { $0.text(at: 0) }
    }

    package func add(_ row: NewResolution, auditSequence: Int64) throws(SQLiteError) {
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
