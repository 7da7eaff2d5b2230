import CTallystickSQLite
import Foundation

@testable import TallystickSQLite

/// The contents of the files of a folder, read without the code under test.
struct StateFacts {
    /// By path; files that SQLite keeps next to a database belong to it.
    var files: [String: FileFacts] = [:]
    /// The databases that SQLite could not read, and why.
    var unreadable: [String: String] = [:]

    static let companions = ["-wal", "-shm", "-journal"]

    /// The files in a folder and in the folders in it, by their relative paths.
    static func names(in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.flatMap { name -> [String] in
            var isFolder: ObjCBool = false
            let path = folder + "/" + name
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                return []
            }
            return isFolder.boolValue ? Self.names(in: path).map { "\(name)/\($0)" } : [name]
        }
    }

    init(folder: String) {
        for name in Self.names(in: folder) {
            guard !Self.companions.contains(where: name.hasSuffix) else { continue }
            read(name, in: folder)
        }
    }

    /// Makes SQLite roll back uncommitted changes in a journal, and reads a file again.
    mutating func recover(_ name: String, in folder: String) {
        do {
            let connection = try Connection(path: folder + "/" + name, mode: .readWrite)
            try connection.execute("SELECT count(*) FROM sqlite_schema")
        } catch {
            unreadable[name] = "\(error)"
            return
        }
        read(name, in: folder)
    }

    /// Reads a file again.
    mutating func read(_ name: String, in folder: String) {
        unreadable[name] = nil
        let content = FileManager.default.contents(atPath: folder + "/" + name) ?? Data()
        guard content.starts(with: Array("SQLite format 3\0".utf8)) else {
            files[name] = .plain([UInt8](content))
            return
        }
        do {
            let facts = try DatabaseFacts(folder + "/" + name)
            files[name] = .database(facts)
        } catch {
            files[name] = .plain([UInt8](content))
            unreadable[name] = "\(error)"
        }
    }
}

enum FileFacts: Hashable {
    case plain([UInt8])
    case database(DatabaseFacts)
}

/// The parts of a database that acknowledgements refer to.
struct DatabaseFacts: Hashable {
    struct Checkpoint: Hashable {
        var position: Int64
        var resolution: Int64
        var digest: String
        var appliedDigest: String
    }

    /// The leaf hashes of each log, one after the other; none in a database that is not a store.
    var leaves: [String: [UInt8]] = [:]
    var checkpoints: [String: Checkpoint] = [:]
    /// A hash of all pages, as a reader sees them; of this process.
    var image = 0

    static let hashBytes = 32
    static let logs = ["events", "copies", "audit"]

    init(_ path: String) throws {
        let connection = try Connection(path: path, mode: .readOnly)
        try connection.execute("BEGIN")
        image = try Self.image(of: connection)
        let tables = try Self.rows(
            of: connection,
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
        ).map { $0[0] }
        if tables.contains("merkle_tail") {
            for log in Self.logs { leaves[log] = try Self.leaves(of: log, connection) }
        }
        guard tables.contains("replay_checkpoints") else { return }
        let sql =
            "SELECT replay, position, resolution_watermark, digest, applied_digest FROM replay_checkpoints"
        let statement = try connection.prepare(sql)
        while try statement.step() {
            checkpoints[statement.text(at: 0)] = Checkpoint(
                position: statement.int64(at: 1),
                resolution: statement.int64(at: 2),
                digest: statement.text(at: 3),
                appliedDigest: statement.text(at: 4)
            )
        }
    }

    /// The rows of a query, as text.
    static func rows(of path: String, _ sql: String) throws -> [[String]] {
        try rows(of: Connection(path: path, mode: .readOnly), sql)
    }

    private static func rows(of connection: Connection, _ sql: String) throws -> [[String]] {
        let statement = try connection.prepare(sql)
        var rows: [[String]] = []
        while try statement.step() {
            rows.append((0..<statement.columnCount).map { statement.text(at: $0) })
        }
        return rows
    }

    private static func leaves(of log: String, _ connection: Connection) throws -> [UInt8] {
        var hashes: [UInt8] = []
        for sql in [
            "SELECT hashes FROM merkle_tiles WHERE log = '\(log)' AND level = 0 ORDER BY tile",
            "SELECT hash FROM merkle_tail WHERE log = '\(log)' ORDER BY leaf_index",
        ] {
            let statement = try connection.prepare(sql)
            while try statement.step() { hashes += statement.blob(at: 0) }
        }
        return hashes
    }

    private static func image(of connection: Connection) throws -> Int {
        var size: Int64 = 0
        guard let bytes = sqlite3_serialize(connection.handle, "main", &size, 0) else {
            throw DiskTrace.Failure(message: "its pages cannot be read")
        }
        defer { sqlite3_free(bytes) }
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(start: bytes, count: Int(size)))
        return hasher.finalize()
    }

    func count(of log: String) -> Int { (leaves[log]?.count ?? 0) / Self.hashBytes }

    /// Why this is less than was acknowledged; nil if everything is there.
    ///
    /// - parameter end: the contents of the database when the workload had ended.
    func lacks(of acknowledged: DatabaseFacts, end: DatabaseFacts) -> String? {
        for log in Self.logs {
            let (kept, said) = (leaves[log] ?? [], acknowledged.leaves[log] ?? [])
            if kept.count < said.count {
                return
                    "\(count(of: log)) rows of \(acknowledged.count(of: log)) in the log \(log)"
            }
            if !(end.leaves[log] ?? []).starts(with: kept) {
                return "rows in the log \(log) that nobody wrote"
            }
        }
        for (name, said) in acknowledged.checkpoints {
            guard let kept = checkpoints[name] else { return "no checkpoint of \(name)" }
            if kept.position < said.position || kept.resolution < said.resolution {
                return "the checkpoint of \(name) at \(kept.position) instead of \(said.position)"
            }
        }
        return nil
    }
}
