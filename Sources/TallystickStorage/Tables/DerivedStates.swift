import TallystickCore
package import TallystickSQLite

/// The tables of states that are derived from proved rows.
package enum StateTable: String, CaseIterable, Sendable {
    case conflicts = "conflict_states"
    case effective = "effective_state"
    case quarantine = "quarantine_states"

    package var key: String {
        switch self {
        case .conflicts: "conflict_id"
        case .effective: "position"
        case .quarantine: "quarantine_id"
        }
    }
}

/// Derives states from proved rows, and reads the stored ones, to compare or rebuild them.
///
/// A state is a list of columns as values; nil if there is, or should be, no row.
package struct DerivedStates {
    package typealias Columns = [(name: String, value: SQLValue)]

    private let connection: Connection
    private let reader: EventRowReader

    package init(in connection: Connection, _ reader: EventRowReader) {
        self.connection = connection
        self.reader = reader
    }

    /// Keys that have a state, or should have one, from `key` onwards; at most `StrayRows.chunk`.
    package func keys(of table: StateTable, from key: Int64) throws(SQLiteError) -> [Int64] {
        let proved =
            switch table {
            case .conflicts: "SELECT conflict_id FROM conflicts WHERE conflict_id >= ?1"
            case .effective:
                """
                SELECT position FROM conflicts WHERE position >= ?1
                UNION SELECT position FROM resolutions WHERE position >= ?1
                """
            case .quarantine: "SELECT quarantine_id FROM quarantine WHERE quarantine_id >= ?1"
            }
        let rows = try connection.cached(
            """
            \(proved)
            UNION SELECT \(table.key) FROM \(table.rawValue) WHERE \(table.key) >= ?1
            ORDER BY 1
            LIMIT \(StrayRows.chunk)
            """
        )
        try rows.bind(key, at: 1)
        return try rows.all { $0.int64(at: 0) }
    }

    /// Compares the state stored under a key with the one that follows from proved rows; returns both if they
    /// differ.
    package func difference(
        in table: StateTable,
        at key: Int64
    ) throws -> (expected: Columns?, stored: Columns?)? {
        let expected = try expected(in: table, at: key)
        let stored = try stored(in: table, at: key, expected)
        switch (expected, stored) {
        case (nil, nil): return nil
        case (let expected?, let stored?)
        where expected.count == stored.count
            && zip(expected, stored).allSatisfy({ Self.isSame($0.name, $0.value, $1.value) }):
            return nil
        default: return (expected, stored)
        }
    }

    private static func isSame(_ column: String, _ a: SQLValue, _ b: SQLValue) -> Bool {
        guard column == "differs_in" || column == "origins" else { return a == b }
        guard case .text(let a) = a, case .text(let b) = b else { return a == b }
        return members(of: a, column) == members(of: b, column)
    }

    /// The members of a list whose order does not matter. Earlier releases listed every place.
    private static func members(of list: String, _ column: String) -> Set<String> {
        if column == "origins" { return Set(list.split(separator: ", ").map(String.init)) }
        var places = DifferingPlaces()
        places.formUnion(list)
        return Set(places.listed)
    }

    private func stored(
        in table: StateTable,
        at key: Int64,
        _ expected: Columns?
    ) throws(SQLiteError) -> Columns? {
        let names = expected?.map(\.name) ?? [table.key]
        let row = try connection.cached(
            """
            SELECT \(names.joined(separator: ", "))
            FROM \(table.rawValue)
            WHERE \(table.key) = ?1
            """
        )
        try row.bind(key, at: 1)
        return try row.first { row in
            names.indices.map { (names[$0], row.value(at: Int32($0))) }
        }
    }

    /// The state that follows from proved rows; nil for none.
    package func expected(in table: StateTable, at key: Int64) throws -> Columns? {
        switch table {
        case .conflicts: try conflict(key)
        case .effective: try effective(key)
        case .quarantine: try quarantined(key)
        }
    }

    /// Writes the state that follows from proved rows, or removes a row that has none.
    package func restore(_ table: StateTable, at key: Int64) throws {
        guard let columns = try expected(in: table, at: key) else {
            let delete = try connection.cached(
                "DELETE FROM \(table.rawValue) WHERE \(table.key) = ?1"
            )
            try delete.bind(key, at: 1)
            try delete.run()
            return
        }
        if table == .conflicts { try addMissingConflict(key) }
        let names = columns.map(\.name)
        let marks = names.indices.map { "?\($0 + 2)" }
        let verb =
            table == .conflicts
            ? "UPDATE conflict_states SET "
                + zip(names, marks).map { "\($0) = \($1)" }.joined(separator: ", ")
                + " WHERE conflict_id = ?1"
            : "INSERT OR REPLACE INTO \(table.rawValue) (\(table.key), \(names.joined(separator: ", ")))"
                + " VALUES (?1, \(marks.joined(separator: ", ")))"
        let write = try connection.cached(verb)
        try write.bind(key, at: 1)
        for (index, column) in columns.enumerated() {
            try write.bind(column.value, at: Int32(index + 2))
        }
        try write.run()
    }

    /// The policy and what blocks it are not evidence: if a row exists, its values stay.
    private func addMissingConflict(_ id: Int64) throws(SQLiteError) {
        let insert = try connection.cached(
            """
            INSERT INTO conflict_states (conflict_id, state, policy, origins, candidates)
            SELECT conflict_id, 'open', 'manual', coalesce(origin, ''), 0
            FROM conflicts
            WHERE conflict_id = ?1
            ON CONFLICT DO NOTHING
            """
        )
        try insert.bind(id, at: 1)
        try insert.run()
    }

    // MARK: Conflicts

    private func conflict(_ id: Int64) throws -> Columns? {
        let row = try connection.cached(
            """
            SELECT c.origin,
                (SELECT max(r.resolution_id) FROM resolutions AS r WHERE r.conflict_id = c.conflict_id),
                (SELECT max(a.audit_sequence) FROM audit_trail AS a
                    WHERE a.conflict_id = c.conflict_id AND a.kind = 'conflict_reopened'),
                (SELECT max(r.audit_sequence) FROM resolutions AS r WHERE r.conflict_id = c.conflict_id)
            FROM conflicts AS c
            WHERE c.conflict_id = ?1
            """
        )
        try row.bind(id, at: 1)
        let found = try row.first { row in
            (
                row.textIfPresent(at: 0), row.int64IfPresent(at: 1), row.int64IfPresent(at: 2),
                row.int64IfPresent(at: 3)
            )
        }
        guard let (origin, resolution, reopened, decided) = found else { return nil }
        let isOpen = decided.map { $0 < reopened ?? 0 } ?? true
        let candidates = try candidates(of: id)
        let origins = candidates.origins.union([origin].compactMap { $0 }).sorted()
        return [
            ("state", .text(isOpen ? "open" : "resolved")),
            ("resolution_id", resolution.map { .integer($0) } ?? .null),
            ("origins", .text(origins.joined(separator: ", "))),
            ("candidates", .integer(Int64(candidates.count))),
            ("differs_in", candidates.places.json.map { .text($0) } ?? .null),
        ]
    }

    private func candidates(
        of id: Int64
    ) throws -> (count: Int, origins: Set<String>, places: DifferingPlaces) {
        let rows = try connection.cached(
            "SELECT origin, differs_in FROM conflict_candidates WHERE conflict_id = ?1 ORDER BY candidate"
        )
        try rows.bind(id, at: 1)
        var found = (count: 0, origins: Set<String>(), places: DifferingPlaces())
        // Most candidates differ in the same places as the one before.
        var last: String?
        while try rows.step() {
            found.count += 1
            found.origins.insert(rows.text(at: 0))
            guard let list = rows.textIfPresent(at: 1), list != last else { continue }
            found.places.formUnion(list)
            last = list
        }
        try rows.reset()
        return found
    }

    // MARK: Effective state

    private func effective(_ position: Int64) throws -> Columns? {
        let decided = try connection.cached(
            """
            SELECT resolution_id, conflict_id, decision, content, checksum_algorithm, checksum_key_id,
                checksum_after
            FROM resolutions
            WHERE position = ?1 AND decision <> 'accept_missing'
            ORDER BY resolution_id DESC
            LIMIT 1
            """
        )
        try decided.bind(position, at: 1)
        let resolution = try decided.first { row in
            Resolution(
                id: row.int64(at: 0),
                conflictID: row.int64(at: 1),
                decision: row.text(at: 2),
                content: row.isNull(at: 3) ? nil : row.blob(at: 3),
                algorithm: row.value(at: 4),
                keyID: row.value(at: 5),
                checksum: row.textIfPresent(at: 6).flatMap { Hex.bytes($0) }
            )
        }
        if let resolution { return try effective(position, resolution) }
        let disputed = try connection.cached(
            """
            SELECT max(conflict_id)
            FROM conflicts
            WHERE position = ?1 AND kind IN ('payload_differs', 'metadata_differs', 'equivocation')
            """
        )
        try disputed.bind(position, at: 1)
        guard let conflict = try disputed.optionalInt64() else { return nil }
        return [
            ("state", .text("disputed")), ("conflict_id", .integer(conflict)),
            ("resolution_id", .null), ("excluded", .integer(0)), ("replaced", .integer(0)),
        ]
            + Self.nothing
    }

    private struct Resolution {
        var id: Int64
        var conflictID: Int64
        var decision: String
        var content: [UInt8]?
        var algorithm: SQLValue
        var keyID: SQLValue
        var checksum: [UInt8]?
    }

    private static let nothing: Columns = [
        "type", "subject", "time", "data_content_type", "attributes", "data", "checksum_algorithm",
        "checksum_key_id", "checksum",
    ].map { ($0, .null) }

    private func effective(_ position: Int64, _ resolution: Resolution) throws -> Columns {
        let decided: Columns = [
            ("state", .text(resolution.decision == "merge" ? "merged" : "resolved")),
            ("conflict_id", .integer(resolution.conflictID)),
            ("resolution_id", .integer(resolution.id)),
            ("excluded", .integer(resolution.decision == "exclude" ? 1 : 0)),
        ]
        var fields: EventFields?
        if let content = resolution.content {
            // Content that is no longer an event is a finding of its own: the leaf of its row differs.
            guard let read = try? EventFields(content: content) else { return decided }
            fields = read
        }
        func text(_ text: String?) -> SQLValue { text.map { .text($0) } ?? .null }
        let counted: Columns = [
            ("replaced", .integer(fields == nil ? 0 : 1)),
            ("type", text(fields?.type)), ("subject", text(fields?.subject)),
            ("time", text(fields?.time)), ("data_content_type", text(fields?.dataContentType)),
            ("attributes", text(fields?.attributes)), ("data", fields?.data ?? .null),
            ("checksum_algorithm", resolution.algorithm), ("checksum_key_id", resolution.keyID),
        ]
        return decided + counted + (try checksum(position, resolution))
    }

    /// If the event is excluded, no resolution holds the checksum of the appended content, and its HMAC could be
    /// made only with the key.
    private func checksum(_ position: Int64, _ resolution: Resolution) throws -> Columns {
        if let checksum = resolution.checksum { return [("checksum", .blob(checksum))] }
        guard resolution.keyID == .null else { return [] }
        let appended = try reader.withRow(at: position) { row -> Checksum? in
            guard try reader.readContent(row) else { return nil }
            return resolution.algorithm == .text(ChecksumAlgorithm.crc32.rawValue)
                ? Checksum(crc32Of: reader.contentBytes) : Checksum(sha256: reader.contentDigest)
        }
        return [("checksum", (appended ?? nil).map { .blob($0.bytes) } ?? .null)]
    }

    // MARK: Quarantine

    private func quarantined(_ id: Int64) throws -> Columns? {
        let row = try connection.cached(
            "SELECT audit_sequence FROM quarantine WHERE quarantine_id = ?1"
        )
        try row.bind(id, at: 1)
        guard let held = try row.optionalInt64() else { return nil }
        let state = try connection.cached(
            """
            SELECT s.audit_sequence, a.detail
            FROM quarantine_states AS s
            JOIN audit_trail AS a ON a.audit_sequence = s.audit_sequence
            WHERE s.quarantine_id = ?1 AND s.state = 'released' AND a.kind = 'quarantine_release'
            """
        )
        try state.bind(id, at: 1)
        let released = try state.first { ($0.int64(at: 0), $0.text(at: 1)) }
        if let (sequence, detail) = released, Self.quarantineID(in: detail) == id {
            return [("state", .text("released")), ("audit_sequence", .integer(sequence))]
        }
        return [("state", .text("held")), ("audit_sequence", .integer(held))]
    }

    /// Audit rows in a range that released an input, with that input, and whether its state shows the release.
    package func releases(
        after first: Int64,
        through last: Int64
    ) throws -> [(sequence: Int64, quarantineID: Int64, isKept: Bool)] {
        let rows = try connection.cached(
            """
            SELECT audit_sequence, detail
            FROM audit_trail
            WHERE audit_sequence > ?1 AND audit_sequence <= ?2 AND kind = 'quarantine_release'
            """
        )
        try rows.bind(first, at: 1)
        try rows.bind(last, at: 2)
        let state = try connection.cached(
            """
            SELECT 1
            FROM quarantine_states
            WHERE quarantine_id = ?1 AND state = 'released' AND audit_sequence >= ?2
            """
        )
        return try rows.all { ($0.int64(at: 0), Self.quarantineID(in: $0.text(at: 1))) }.compactMap
        {
            (sequence, id) in
            guard let id else { return nil }
            try state.bind(id, at: 1)
            try state.bind(sequence, at: 2)
            return (sequence, id, try state.optionalInt64() != nil)
        }
    }

    private static func quarantineID(in detail: String) -> Int64? {
        guard let number = try? JSONDocument(Array(detail.utf8)).root["quarantine_id"],
            case .number(let text) = number.content
        else { return nil }
        return Int64(text)
    }
}
