import TallystickCore
import TallystickSQLite

/// Recomputes the leaves of the audit trail, and finds detail rows that none of them covers.
final class AuditVerifier {
    private let audit: AuditLeafReader
    private let stray: StrayRows
    private let lost: RecordedDecision.LostRows
    private let states: DerivedStates
    /// Nil in a store of an earlier schema, which has none.
    private let ranges: DeliveryRangeRows?
    private var leaves: StoredLeaves
    private var leaf: [UInt8] = []

    init(in connection: Connection, _ states: DerivedStates) throws {
        self.states = states
        audit = try AuditLeafReader(in: connection)
        stray = StrayRows(in: connection)
        lost = try RecordedDecision.LostRows(in: connection)
        ranges =
            try StoreSchema.version(of: connection) >= DeliveryRangeRows.firstSchema
            ? DeliveryRangeRows(in: connection) : nil
        leaves = try StoredLeaves(.audit, in: connection)
    }

    /// Checks the audit rows after `first`, up to `last`.
    func check(after first: Int64, through last: Int64, _ report: inout VerifyReport) throws {
        var differing: Set<Int64> = []
        for sequence in (first + 1)..<(last + 1) {
            if try !check(sequence, &report) { differing.insert(sequence) }
        }
        for decision in try lost.read(after: first, through: last)
        where !differing.contains(decision.sequence) {
            report.add(
                .init(
                    record: "audit_trail \(decision.sequence)",
                    position: decision.position,
                    finding: .content,
                    expected: "the row of the decision that it records",
                    actual: "none, or one for another event or conflict"
                )
            )
        }
        try checkRanges(after: first, through: last, except: differing, &report)
        for release in try states.releases(after: first, through: last) where !release.isKept {
            report.add(
                .init(
                    record: "quarantine_states \(release.quarantineID)",
                    finding: .derived,
                    expected: "released, by audit row \(release.sequence)",
                    actual: "no such state"
                )
            )
        }
    }

    /// Compares the ranges of finished runs of ingest with what their last audit rows have of them.
    private func checkRanges(
        after first: Int64,
        through last: Int64,
        except differing: Set<Int64>,
        _ report: inout VerifyReport
    ) throws {
        guard let ranges else { return }
        for run in try ranges.finishedRuns(after: first, through: last)
        where !differing.contains(run.sequence) {
            let actual = try ranges.digest(of: run.run).digest.hex
            if actual == run.digest { continue }
            report.add(
                .init(
                    record: "delivery_ranges of run \(run.run)",
                    finding: .derived,
                    expected: "\(run.digest), by audit row \(run.sequence)",
                    actual: actual
                )
            )
        }
        guard first == 0 else { return }
        for run in try ranges.strayRuns() {
            report.add(
                .init(
                    record: "delivery_ranges of run \(run)",
                    finding: .derived,
                    expected: "an audit row of kind ingest",
                    actual: "none"
                )
            )
        }
    }

    /// - returns: whether the row exists and matches its leaf.
    private func check(_ sequence: Int64, _ report: inout VerifyReport) throws -> Bool {
        var faults: [String] = []
        guard try audit.write(sequence: sequence, to: &leaf, onFault: { faults.append($0) }) else {
            report.addMissing("audit_trail", sequence..<sequence + 1)
            return false
        }
        report.auditRows += 1
        for fault in faults {
            report.add(
                .init(
                    record: "audit_trail \(sequence)",
                    finding: .content,
                    expected: "the table's own types",
                    actual: fault
                )
            )
        }
        let hash = MerkleHash.leaf(leaf)
        let stored = try leaves.hash(sequence - 1)
        guard hash != stored else { return true }
        report.add(
            .init(
                record: "audit_trail \(sequence)",
                finding: .leaf,
                expected: stored?.hex ?? "no leaf hash is stored",
                actual: hash.hex
            )
        )
        return false
    }

    /// Finds detail rows whose audit row does not exist.
    ///
    /// - returns: the key from which to continue; nil at the end.
    func findUncovered(
        in table: DetailTable,
        from key: Int64,
        _ report: inout VerifyReport
    ) throws -> Int64? {
        let rows = try stray.details(of: table, from: key)
        for row in rows where !row.isCovered {
            report.add(
                .init(
                    record: "\(table.name) \(row.key)",
                    finding: .leaf,
                    expected: "an audit row that covers it",
                    actual: "none"
                )
            )
        }
        guard rows.count == StrayRows.chunk, let last = rows.last?.key, last < .max else {
            return nil
        }
        return last + 1
    }
}
