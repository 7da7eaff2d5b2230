package import TallystickCore
package import TallystickSQLite

extension MerkleRows {
    /// A log as a tree: roots, paths and proofs for its size and every earlier one.
    package func tree(of log: MerkleLogName, size: Int64) -> MerkleTree<SQLiteError> {
        MerkleTree(size: size) { id throws(SQLiteError) in
            if let hashes = try tile(of: log, level: id.level, index: id.index) { return hashes }
            guard id.level == 0 else { return nil }
            let first = id.index * Int64(MerkleLog.tileWidth)
            let tail = try tail(of: log)
            let isThere =
                tail.count >= id.width
                && tail.indices.allSatisfy { tail[$0].index == first + Int64($0) }
            return isThere ? tail.map(\.hash) : nil
        }
    }
}
