import TallystickCore
import TallystickSQLite

extension MerkleRows {
    /// The stored hash of a leaf; nil when there is none.
    func leaf(_ index: Int64, of log: LogName) throws(SQLiteError) -> SHA256Digest? {
        // Keys of damaged rows can be anything.
        guard index >= 0 else { return nil }
        let width = Int64(MerkleLog.tileWidth)
        if let tile = try tile(of: log, level: 0, index: index / width) {
            let offset = Int(index % width)
            return offset < tile.count ? tile[offset] : nil
        }
        return try tail(of: log).first { $0.index == index }?.hash
    }
}
