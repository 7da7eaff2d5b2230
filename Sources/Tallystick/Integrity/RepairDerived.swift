import TallystickCore
import TallystickSQLite

/// The result of a repair of derived rows.
package struct RepairReport: Sendable {
    /// The findings before the repair.
    package var before: VerifyReport
    /// The findings after it.
    package var after: VerifyReport
    /// Rows rebuilt or removed, by table.
    package var repaired: [(table: String, rows: Int)] = []
}

extension EventStore {
    /// Rebuilds derived data that differs from proved rows: index tables, states, and tiles that a hash one level up
    /// vouches for. Each change is a row of the audit trail.
    ///
    /// Dictionaries cannot be rebuilt: leaves hold names, which are stored nowhere else.
    ///
    /// - throws: `StoreError`: `integrity` if proved rows, names, or hashes that nothing vouches for are damaged;
    ///   nothing is changed then.
    package func repairDerived(
        actor: String,
        reason: String
    ) async throws(StoreError) -> RepairReport {
        let before = try await inspect()
        guard !before.isIntact else { return RepairReport(before: before, after: before) }
        let repaired = try await owner.repairDerived(before, actor: actor, reason: reason)
        return RepairReport(before: before, after: try await inspect(), repaired: repaired)
    }
}

/// Rebuilds derived rows, in short transactions.
struct DerivedRepair {
    private let store: StoreWriter
    private let states: DerivedStates
    private let stray: StrayRows
    private let actor: String
    private let reason: String

    init(_ store: StoreWriter, actor: String, reason: String) {
        self.store = store
        self.actor = actor
        self.reason = reason
        states = DerivedStates(in: store.connection, store.reader)
        stray = StrayRows(in: store.connection)
    }

    func run(_ report: VerifyReport) throws -> [(table: String, rows: Int)] {
        let tiles = try TileRepair(store).plan(report)
        var repaired: [(table: String, rows: Int)] = []
        func add(_ table: String, _ rows: Int) {
            if rows > 0 { repaired.append((table, rows)) }
        }
        add("merkle_tiles", try rebuild(tiles))
        for table in IndexTable.allCases { add(table.rawValue, try rebuild(table)) }
        add("identity_segments", try rebuildSegments())
        for table in StateTable.allCases { add(table.rawValue, try rebuild(table)) }
        return repaired
    }

    /// One transaction that changes rows of a table and records that in the audit trail.
    private func repair(_ table: String, _ rows: Int, _ body: () throws -> Void) throws {
        guard rows > 0 else { return }
        try store.transaction("repair derived rows") {
            try body()
            try store.addAudit(
                AuditRow(
                    kind: .manual,
                    recordedAt: store.clock(),
                    actor: actor,
                    reason: reason,
                    detail: "{\"act\":\"repair_derived\",\"rows\":\(rows),\"table\":\"\(table)\"}"
                )
            )
        }
    }

    private func rebuild(_ tiles: [TileRepair.Plan]) throws -> Int {
        try repair("merkle_tiles", tiles.count) {
            for plan in tiles {
                if plan.tile.hashes.isEmpty {
                    try store.merkle.removeTile(plan.tile, of: plan.log, in: store.connection)
                } else {
                    try store.merkle.store(.init(tiles: [plan.tile]), in: plan.log)
                }
            }
        }
        return tiles.count
    }

    private func rebuild(_ table: IndexTable) throws -> Int {
        let index = try IndexRows(table, in: store.connection)
        let lastSegment = IdentityIndex.segment(of: max(1, try store.merkle.size(of: .events)))
        var count = 0
        var key: [SQLValue]? = []
        while let start = key {
            var rows: [[SQLValue]] = []
            key = try index.scan(after: start) { row, _, _ in rows.append(IndexRows.values(row)) }
            if start.isEmpty { rows += try index.outside(through: lastSegment) }
            let stray = try rows.filter { try index.isStray($0) }
            try repair(table.rawValue, stray.count) {
                for row in stray {
                    try IndexRows.remove(row, from: table, in: store.connection)
                }
            }
            count += stray.count
        }
        let last = try store.merkle.size(of: .events)
        var next: Int64 = 0
        while next < last {
            let missing = try index.unindexed(
                after: next,
                through: min(last, next + VerifyLimits.chunk)
            )
            try repair(table.rawValue, missing.count) {
                for position in missing {
                    try IndexRows.add(position, to: table, in: store.connection)
                }
            }
            count += missing.count
            // A full list may be truncated: the same range is then searched again.
            if missing.count < StrayRows.listed { next += VerifyLimits.chunk }
        }
        return count
    }

    private func rebuildSegments() throws -> Int {
        let segments = try SegmentVerifier(in: store.connection)
        var count = 0
        try segments.repair { change in
            try repair("identity_segments", 1) { try segments.apply(change) }
            count += 1
        }
        return count
    }

    private func rebuild(_ table: StateTable) throws -> Int {
        var count = 0
        var next: Int64? = .min
        while let start = next {
            let keys = try states.keys(of: table, from: start)
            let differing = try keys.filter { try states.difference(in: table, at: $0) != nil }
            try repair(table.rawValue, differing.count) {
                for key in differing { try states.restore(table, at: key) }
            }
            count += differing.count
            next = keys.count == StrayRows.chunk ? keys.last.map { $0 + 1 } : nil
        }
        return count
    }
}
