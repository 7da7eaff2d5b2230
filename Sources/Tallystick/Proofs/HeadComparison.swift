import TallystickCore
import TallystickSQLite

/// Compares tree heads with the stored logs: does the store still have everything that the head covers?
struct HeadComparison {
    private let merkle: MerkleRows
    private let storeID: String
    private var sizes: [MerkleLogName: Int64] = [:]

    init(in connection: Connection, storeID: String) throws {
        merkle = try MerkleRows(in: connection)
        self.storeID = storeID
        for name in MerkleLogName.allCases { sizes[name] = try merkle.size(of: name) }
    }

    /// The difference, in terms of `VerifyFinding`: `store` for a head of another store, `truncation` if the log is
    /// shorter than it was, `fork` if its history differs, `tile` if the tiles needed for the comparison are missing.
    ///
    /// - parameter record: names the head, such as `note` or `tree_heads 3`.
    func findings(_ head: TreeHead, record: String) throws -> [VerifyFinding] {
        guard head.origin.utf8.elementsEqual(TreeHead.origin(of: storeID).utf8) else {
            return [
                VerifyFinding(
                    record: record,
                    finding: .store,
                    expected: head.origin,
                    actual: TreeHead.origin(of: storeID)
                )
            ]
        }
        var findings: [VerifyFinding] = []
        for name in MerkleLogName.allCases {
            if let finding = try finding(name, name.log(of: head), record) {
                findings.append(finding)
            }
        }
        return findings
    }

    private func finding(
        _ name: MerkleLogName,
        _ log: TreeHead.Log,
        _ record: String
    ) throws -> VerifyFinding? {
        let size = sizes[name] ?? 0
        let record = "\(record), log \(name.rawValue)"
        guard log.size <= size else {
            return VerifyFinding(
                record: record,
                finding: .truncation,
                expected: "\(log.size) leaves or more",
                actual: "\(size) leaves: consistent with a rollback, or a lost end of the log"
            )
        }
        guard let root = try tree(of: name).root(at: log.size) else {
            return VerifyFinding(
                record: record,
                finding: .tile,
                expected: "tiles for \(log.size) leaves",
                actual: "a tile, or rows of the tail, are missing"
            )
        }
        guard root != log.root else { return nil }
        return VerifyFinding(
            record: record,
            finding: .fork,
            expected: "root \(log.root.hex) at \(log.size) leaves",
            actual: "root \(root.hex): consistent with another history since"
        )
    }

    /// A log's proof that it extends an earlier size; nil if tiles are missing.
    func consistency(
        _ name: MerkleLogName,
        from first: Int64,
        to second: Int64
    ) throws -> HeadConsistency.Log? {
        guard first > 0 else { return HeadConsistency.Log(size: 0, hashes: []) }
        guard let proof = try tree(of: name).consistencyProof(from: first, to: second) else {
            return nil
        }
        return HeadConsistency.Log(size: first, hashes: proof.hashes)
    }

    /// A log as it is stored.
    func tree(of name: MerkleLogName) -> MerkleTree<SQLiteError> {
        merkle.tree(of: name, size: sizes[name] ?? 0)
    }
}

extension MerkleLogName {
    func log(of head: TreeHead) -> TreeHead.Log {
        switch self {
        case .events: head.events
        case .copies: head.copies
        case .audit: head.audit
        }
    }
}
