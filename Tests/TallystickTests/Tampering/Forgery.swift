import TallystickCore
import TallystickSQLite

@testable import Tallystick

/// What an attacker with write access and without keys can do best: change rows, then make every CRC-32, SHA-256,
/// leaf and tile of the log again.
enum Forgery {
    static func rewrite(_ path: String, _ sql: String) throws {
        let database = try PlainSQLite(path)
        try database.withoutGuards(of: "events") {
            try database.run(sql)
            try rebuild(path)
        }
    }

    /// Changes rows of the audit trail or of its details, then makes every leaf and tile of its log again, and removes
    /// the stored heads, which a key may vouch for.
    static func rewriteAudit(_ path: String, table: String, _ sql: String) throws {
        let database = try PlainSQLite(path)
        try database.withoutGuards(of: table) {
            try database.execute(sql)
            let connection = try Connection(path: path, mode: .readWrite, firesTriggers: false)
            let reader = try AuditLeafReader(in: connection)
            let merkle = try MerkleRows(in: connection)
            var leaves: [SHA256Digest] = []
            var leaf: [UInt8] = []
            try connection.execute("BEGIN IMMEDIATE")
            while try reader.write(sequence: Int64(leaves.count) + 1, to: &leaf) {
                leaves.append(MerkleHash.leaf(leaf))
            }
            try connection.execute(
                """
                DELETE FROM merkle_tiles WHERE log = 'audit';
                DELETE FROM merkle_tail WHERE log = 'audit';
                DELETE FROM tree_heads
                """
            )
            var log = MerkleLog()
            try merkle.store(log.append(leaves), in: .audit)
            try connection.execute("COMMIT")
        }
    }

    private static func rebuild(_ path: String) throws {
        let connection = try Connection(path: path, mode: .readWrite, firesTriggers: false)
        let reader = try EventRowReader(in: connection)
        let merkle = try MerkleRows(in: connection)
        let rows = try connection.prepare(
            "SELECT \(EventColumn.list) FROM events AS e ORDER BY e.position"
        )
        let update = try connection.prepare("UPDATE events SET checksum = ?1 WHERE position = ?2")
        var leaves: [SHA256Digest] = []
        var checksums: [(Int64, [UInt8])] = []
        while try rows.step() {
            guard try reader.readContent(rows) else { continue }
            let digest = SHA256Digest(hashing: reader.content)
            if let leaf = try reader.leafHash(rows, content: digest) { leaves.append(leaf) }
            let isCRC = rows.text(at: EventColumn.checksumAlgorithm) == "crc32"
            let crc = withUnsafeBytes(of: CRC32.checksum(reader.content).bigEndian) { [UInt8]($0) }
            checksums.append(
                (rows.int64(at: EventColumn.position), isCRC ? crc : digest.bytes)
            )
        }
        try connection.execute("BEGIN IMMEDIATE")
        for (position, checksum) in checksums {
            try update.bindBlob(checksum, at: 1)
            try update.bind(position, at: 2)
            try update.run()
        }
        try connection.execute("DELETE FROM merkle_tiles WHERE log = 'events'")
        try connection.execute("DELETE FROM merkle_tail WHERE log = 'events'")
        var log = MerkleLog()
        try merkle.store(log.append(leaves), in: .events)
        try connection.execute("COMMIT")
    }
}
