import TallystickCore

extension VerifyLanes {
    /// The parts of a verification.
    ///
    /// - parameter base: the part of each log that an earlier, complete run checked.
    init(
        _ scope: VerifyOptions.Scope,
        _ heads: LogHeads,
        _ base: [MerkleLogName: Int64],
        _ stray: StrayRows
    ) throws {
        self.init()
        func range(_ lane: VerifyLane, _ log: MerkleLogName, _ step: Int64) {
            let first = base[log] ?? 0
            addRange(lane, after: first, through: heads.size(log), step: step)
        }
        if scope == .everything {
            for table in IndexTable.allCases {
                addKeyed(.index(table), records: heads.size(.events))
            }
            range(.events, .events, VerifyLimits.chunk)
        }
        for log in MerkleLogName.allCases where scope == .everything || log == .audit {
            var (level, first, count) = (0, base[log] ?? 0, heads.size(log))
            while count >= Int64(MerkleLog.tileWidth) {
                (first, count) = (
                    first / Int64(MerkleLog.tileWidth), count / Int64(MerkleLog.tileWidth)
                )
                let lane = VerifyLane.tiles(log, level: level)
                addRange(lane, after: first, through: count, step: VerifyLimits.tileChunk)
                level += 1
            }
        }
        addKeyed(.strayTiles, records: try Self.count("rowid", "merkle_tiles", stray))
        if scope == .everything { range(.copies, .copies, VerifyLimits.chunk) }
        range(.audit, .audit, VerifyLimits.auditChunk)
        for table in DetailTable.allCases {
            let records = try Self.count(table.primaryKey, table.name, stray)
            addKeyed(.details(table), records: records)
        }
        for table in StateTable.allCases {
            let records = try Self.count(table.key, table.rawValue, stray)
            addKeyed(.states(table), records: records)
        }
        if scope == .everything {
            let segments = IdentityIndex.segment(of: heads.size(.events)) + 1
            addKeyed(.segments, records: segments)
        }
    }

    /// The approximate number of rows of a table; 1 if its pages are damaged, which is detected when they are read.
    static func count(
        _ column: String,
        _ table: String,
        _ stray: StrayRows
    ) throws -> Int64 {
        do {
            return try stray.last(column, of: table)
        } catch  where StoreError.isCorruption(error) {
            return 1
        }
    }
}
