package import TallystickCore
package import TallystickSQLite

extension MerkleRows {
    /// The stored hash of a leaf; nil if there is none.
    package func leaf(_ index: Int64, of log: MerkleLogName) throws(SQLiteError) -> SHA256Digest? {
        guard let place = MerkleLog.place(ofLeaf: index) else { return nil }
        if let tile = try tile(of: log, level: 0, index: place.tile) {
            return place.offset < tile.count ? tile[place.offset] : nil
        }
        return try tail(of: log).first { $0.index == index }?.hash
    }
}
