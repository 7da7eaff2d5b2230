package import TallystickCore
package import TallystickSQLite

/// Consecutive positions or copies that one input brought.
package struct DeliveryRange: Equatable {
    /// What the range counts. The raw values are those of `delivery_ranges.kind`.
    package enum Kind: String {
        case event, copy
    }

    package var kind: Kind
    /// The first position or copy id.
    package var first: Int64
    package var count: Int64
    /// The name of the input.
    package var input: String
    /// The 1-based number of the record that became `first`.
    package var record: Int64
    /// The number of each record, where they are not consecutive.
    package var records: [Int64]?

    package init(
        _ kind: Kind,
        first: Int64,
        count: Int64,
        input: String,
        record: Int64,
        records: [Int64]? = nil
    ) {
        self.kind = kind
        self.first = first
        self.count = count
        self.input = input
        self.record = record
        self.records = records
    }

    /// Adds a range that follows this one in the store and in the input; false if it does not.
    package mutating func extend(by other: DeliveryRange) -> Bool {
        guard kind == other.kind, records == nil, other.records == nil,
            first + count == other.first, record + count == other.record,
            input.utf8.elementsEqual(other.input.utf8)
        else { return false }
        count += other.count
        return true
    }
}

/// Adds and reads rows of `delivery_ranges`.
package struct DeliveryRangeRows {
    /// The schema that introduced the table.
    package static let firstSchema = 5

    private let connection: Connection

    package init(in connection: Connection) { self.connection = connection }

    /// Adds a range, or makes the one that begins at the same place longer.
    package func set(_ range: DeliveryRange, of run: Int64) throws(SQLiteError) {
        let upsert = try connection.cached(
            """
            INSERT INTO delivery_ranges (kind, first, count, run, input, record, records)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT (kind, first) DO UPDATE SET count = excluded.count
            """
        )
        try upsert.bindText(range.kind.rawValue, at: 1)
        try upsert.bind(range.first, at: 2)
        try upsert.bind(range.count, at: 3)
        try upsert.bind(run, at: 4)
        try upsert.bindText(range.input, at: 5)
        try upsert.bind(range.record, at: 6)
        let records = range.records.map { "[\($0.map(String.init).joined(separator: ","))]" }
        try upsert.bindOptional(records, at: 7)
        try upsert.run()
    }

    /// The number of a run's ranges and the SHA-256 that the run's last audit row has of them: over a line for each,
    /// in order of kind and place, of kind, `first`, `count`, `record`, `records` (or nothing) and `input`, separated
    /// by tabs.
    package func digest(of run: Int64) throws(SQLiteError) -> (count: Int64, digest: SHA256Digest) {
        var hasher = SHA256Hasher()
        var count: Int64 = 0
        let ofRun = try connection.cached(
            """
            SELECT kind, first, count, record, records, input
            FROM delivery_ranges
            WHERE run = ?1
            ORDER BY kind, first
            """
        )
        try ofRun.bind(run, at: 1)
        while try ofRun.step() {
            count += 1
            let fields = (0..<6).map { ofRun.textIfPresent(at: $0) ?? "" }
            Array((fields.joined(separator: "\t") + "\n").utf8).withUnsafeBytes {
                hasher.update($0)
            }
        }
        try ofRun.reset()
        return (count, hasher.digest())
    }

    /// A run of ingest that ended, as its last audit row describes it.
    package struct FinishedRun {
        package var sequence: Int64
        package var run: Int64
        package var digest: String
    }

    /// The runs whose last rows are among the audit rows after `first`, up to `last`.
    package func finishedRuns(
        after first: Int64,
        through last: Int64
    ) throws(SQLiteError) -> [FinishedRun] {
        let finished = try connection.cached(
            """
            SELECT audit_sequence, detail
            FROM audit_trail
            WHERE kind = 'ingest' AND audit_sequence > ?1 AND audit_sequence <= ?2
            ORDER BY audit_sequence
            """
        )
        try finished.bind(first, at: 1)
        try finished.bind(last, at: 2)
        var runs: [FinishedRun] = []
        while try finished.step() {
            let sequence = finished.int64(at: 0)
            guard let detail = AuditDetail.members(of: finished.text(at: 1)),
                let digest = detail.text(IngestDetail.rangesDigest)
            else { continue }
            let run = detail.number(IngestDetail.run) ?? sequence
            runs.append(FinishedRun(sequence: sequence, run: run, digest: digest))
        }
        try finished.reset()
        return runs
    }

    /// Runs that have ranges, and no audit row of their own.
    package func strayRuns() throws(SQLiteError) -> [Int64] {
        try connection.cached(
            """
            SELECT DISTINCT run
            FROM delivery_ranges AS d
            WHERE NOT EXISTS (
                SELECT 1 FROM audit_trail AS a WHERE a.audit_sequence = d.run AND a.kind = 'ingest')
            LIMIT \(StrayRows.listed)
            """
        ).all { $0.int64(at: 0) }
    }
}

/// Names of members in the details of audit rows of kind `ingest`.
package enum IngestDetail {
    package static let run = "run"
    package static let rangesDigest = "ranges_sha256"
}
