import TallystickCore
package import TallystickSQLite

/// What an audit row records. The raw values are part of the file format.
package enum AuditKind: String, CaseIterable {
    case storeCreated = "store_created"
    case configuration
    case mismatch
    case conflict
    case conflictReopened = "conflict_reopened"
    case candidate
    case resolution
    case quarantine
    case quarantineRelease = "quarantine_release"
    case breaker
    case breakerOverride = "breaker_override"
    case projectionSkip = "projection_skip"
    /// A key is registered, rotated or retired.
    case key
    /// Checksums are recomputed.
    case reseal
    case manual
    /// A run of ingest begins, goes on, or ends.
    case ingest
    /// An origin is stated to be complete over a span of time, or the statement is withdrawn.
    case coverage
    /// A tree head is signed.
    case seal
    /// A copy of the store is made.
    case backup
    /// Events are written out.
    case export
}

/// A detail table of the audit trail, and its columns that are part of a leaf.
///
/// The columns are those of schema 1, sorted by name: a later migration may add columns, but never change the
/// contents of an existing leaf.
package enum DetailTable: CaseIterable {
    case checksums, configurations, conflictCandidates, conflicts, keys, mismatches, quarantine
    case resolutions

    package var name: String {
        switch self {
        case .checksums: "checksums"
        case .configurations: "configurations"
        case .conflictCandidates: "conflict_candidates"
        case .conflicts: "conflicts"
        case .keys: "keys"
        case .mismatches: "mismatches"
        case .quarantine: "quarantine"
        case .resolutions: "resolutions"
        }
    }

    package var primaryKey: String {
        switch self {
        case .checksums: "checksum_id"
        case .configurations: "version"
        case .conflictCandidates: "candidate_id"
        case .conflicts: "conflict_id"
        case .keys: "key_row"
        case .mismatches: "mismatch_id"
        case .quarantine: "quarantine_id"
        case .resolutions: "resolution_id"
        }
    }

    package var columns: [String] {
        switch self {
        case .checksums:
            ["algorithm", "audit_sequence", "checksum", "checksum_id", "key_id", "position"]
        case .configurations:
            ["audit_sequence", "content", "content_sha256", "version"]
        case .conflictCandidates:
            [
                "audit_sequence", "candidate", "candidate_id", "conflict_id", "content_sha256",
                "copy_id", "differs_in", "origin",
            ]
        case .conflicts:
            [
                "audit_sequence", "category", "conflict_id", "detail", "event_id", "kind",
                "opened_at", "origin", "position", "severity", "source",
            ]
        case .keys:
            ["algorithm", "audit_sequence", "fingerprint", "key_id", "key_row", "state"]
        case .mismatches:
            [
                "actual", "algorithm", "audit_sequence", "category", "copy_id", "differs_in",
                "event_id", "expected", "kind", "mismatch_id", "origin", "position", "severity",
                "source",
            ]
        case .quarantine:
            [
                "audit_sequence", "byte_offset", "code", "column_number", "content", "length",
                "line", "message", "origin", "path", "quarantine_id", "sha256",
            ]
        case .resolutions:
            [
                "actor", "after_position", "audit_sequence", "candidates_digest",
                "checksum_after", "checksum_algorithm", "checksum_before", "checksum_key_id",
                "configuration_version", "conflict_id", "content", "content_sha256", "decided_at",
                "decision", "policy", "policy_version", "position", "provenance", "reason",
                "resolution_id", "supersedes", "tie_break", "winner_candidate", "winner_origin",
            ]
        }
    }
}

/// Adds rows to `audit_trail`.
package struct AuditInsertion {
    private let insert: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        insert = try connection.prepare(
            """
            INSERT INTO audit_trail (
                audit_sequence, recorded_at, kind, actor, reason, position, conflict_id, detail)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """
        )
    }

    package func add(_ row: AuditRow, sequence: Int64) throws(SQLiteError) {
        try insert.bind(sequence, at: 1)
        try insert.bind(row.recordedAt, at: 2)
        try insert.bindText(row.kind.rawValue, at: 3)
        try insert.bindText(row.actor, at: 4)
        try insert.bindOptional(row.reason, at: 5)
        try insert.bindOptional(row.position, at: 6)
        try insert.bindOptional(row.conflictID, at: 7)
        try insert.bindOptional(row.detail, at: 8)
        try insert.run()
    }
}

/// A row of `audit_trail` to be added.
package struct AuditRow {
    package var kind: AuditKind
    /// Microseconds since 1970.
    package var recordedAt: Int64
    package var actor: String
    package var reason: String?
    package var position: Int64?
    package var conflictID: Int64?
    /// A JSON object.
    package var detail: String?

    package init(
        kind: AuditKind,
        recordedAt: Int64,
        actor: String,
        reason: String? = nil,
        position: Int64? = nil,
        conflictID: Int64? = nil,
        detail: String? = nil
    ) {
        self.kind = kind
        self.recordedAt = recordedAt
        self.actor = actor
        self.reason = reason
        self.position = position
        self.conflictID = conflictID
        self.detail = detail
    }
}

/// The contents of `detail` in rows of the audit trail.
package enum AuditDetail {
    /// SQL: the head of the event log when the row of `audit_trail AS a` was written, 0 if it does not say.
    package static let afterPosition =
        "CASE WHEN json_valid(a.detail) THEN coalesce(json_extract(a.detail, '$.after_position'), 0) ELSE 0 END"

    /// The members of a `detail`; nil for a text that is not a JSON object. Stored text can be damaged: with
    /// SQLite's JSON operators the whole statement would fail.
    package static func members(of detail: String) -> Members? {
        guard let object = try? JSONDocument(Array(detail.utf8)).root.object else { return nil }
        return Members(object: object)
    }

    package struct Members {
        fileprivate let object: [(name: String, value: JSONValue)]

        package func names(_ name: String) -> Bool { object.contains { $0.name == name } }

        /// A member that is text; nil if there is none.
        package func text(_ name: String) -> String? {
            object.first { $0.name == name }?.value.string
        }

        /// A member that is a whole number, 0 or more; nil if there is none.
        package func number(_ name: String) -> Int64? {
            guard let value = object.first(where: { $0.name == name })?.value,
                case .number(let digits) = value.content, let number = Int64(digits), number >= 0
            else { return nil }
            return number
        }
    }
}

/// Builds the leaf of an audit row from the stored rows, in order to write or verify it.
package struct AuditLeafReader {
    private let trail: Statement
    private let trailShape: RowShape
    private let details: [(table: DetailTable, rows: Statement, shape: RowShape)]
    private static let trailColumns = [
        "actor", "audit_sequence", "conflict_id", "detail", "kind", "position", "reason",
        "recorded_at",
    ]

    package init(in connection: Connection) throws(SQLiteError) {
        trail = try connection.prepare(
            """
            SELECT \(Self.trailColumns.joined(separator: ", "))
            FROM audit_trail
            WHERE audit_sequence = ?1
            """
        )
        trailShape = try RowShape(of: Self.trailColumns, in: "audit_trail", connection)
        var details: [(table: DetailTable, rows: Statement, shape: RowShape)] = []
        for table in DetailTable.allCases {
            let rows = try connection.prepare(
                """
                SELECT \(table.columns.joined(separator: ", "))
                FROM \(table.name)
                WHERE audit_sequence = ?1
                ORDER BY \(table.primaryKey)
                """
            )
            let shape = try RowShape(of: table.columns, in: table.name, connection)
            details.append((table, rows, shape))
        }
        self.details = details
    }

    /// Writes the leaf of a row to `leaf`; false if there is no such row.
    ///
    /// - parameter tables: the detail tables to read; a verifier reads all of them.
    /// - parameter onFault: called for columns with values of another type, which the leaf may not reveal.
    package func write(
        sequence: Int64,
        tables: some Collection<DetailTable> = DetailTable.allCases,
        to leaf: inout [UInt8],
        onFault: (String) -> Void = { _ in }
    ) throws(SQLiteError) -> Bool {
        try trail.bind(sequence, at: 1)
        guard try trail.step() else {
            try trail.reset()
            return false
        }
        if let fault = trailShape.fault(in: trail) { onFault("audit_trail: \(fault)") }
        var members = CanonicalMembers(into: &leaf)
        for (index, column) in Self.trailColumns.enumerated() {
            if column > "leaf" && !members.hasLeaf { members.addLeaf("audit/1") }
            members.add(column, from: trail, at: Int32(index))
        }
        try trail.reset()
        var hasRows = false
        for (table, rows, shape) in details where tables.contains(table) {
            try rows.bind(sequence, at: 1)
            var isFirst = true
            while try rows.step() {
                if isFirst {
                    members.raw(hasRows ? ",\"\(table.name)\":[" : ",\"rows\":{\"\(table.name)\":[")
                } else {
                    members.raw(",")
                }
                (isFirst, hasRows) = (false, true)
                if let fault = shape.fault(in: rows) { onFault("\(table.name): \(fault)") }
                members.beginObject()
                for (index, column) in table.columns.enumerated() {
                    members.add(column, from: rows, at: Int32(index))
                }
                members.endObject()
            }
            try rows.reset()
            if !isFirst { members.raw("]") }
        }
        if hasRows { members.raw("}") }
        members.endObject()
        leaf = members.bytes
        return true
    }
}

/// Writes canonical JSON objects whose members arrive sorted by name.
private struct CanonicalMembers {
    private(set) var bytes: [UInt8]
    private(set) var hasLeaf = false
    private var isFirst = true

    init(into buffer: inout [UInt8]) {
        bytes = []
        swap(&bytes, &buffer)
        bytes.removeAll(keepingCapacity: true)
        beginObject()
    }

    mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func beginObject() {
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
    }

    mutating func endObject() { bytes.append(UInt8(ascii: "}")) }

    mutating func addLeaf(_ kind: String) {
        hasLeaf = true
        raw(",\"leaf\":\"\(kind)\"")
    }

    /// One column as a member; nothing when it is NULL.
    mutating func add(_ name: String, from statement: Statement, at column: Int32) {
        let type = statement.columnType(at: column)
        guard type != .null else { return }
        raw(isFirst ? "\"\(name)\":" : ",\"\(name)\":")
        isFirst = false
        switch type {
        case .integer:
            raw(String(statement.int64(at: column)))
        case .blob:
            let digest = statement.withBytes(at: column) { SHA256Digest(hashing: $0) }
            raw("\"sha256:\(digest.hex)\"")
        case .text, .real, .null:
            statement.withBytes(at: column) { CanonicalJSON.writeString($0, to: &bytes) }
        }
    }
}
