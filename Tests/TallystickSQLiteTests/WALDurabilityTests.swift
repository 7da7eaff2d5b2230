import CTallystickSQLite
import Foundation
import TallystickTestSupport
import Testing

@testable import TallystickSQLite

/// Counts the bytes that one connection writes to its log.
private final class LogWrites {
    // The callbacks of SQLite have no context: one value for the suite, whose tests run one after the other.
    nonisolated(unsafe) static var original: UnsafePointer<sqlite3_io_methods>?
    nonisolated(unsafe) static var bytes: Int64 = 0

    private var methods: UnsafeMutablePointer<sqlite3_io_methods>
    private let file: Connection.FilePointer

    init(of connection: Connection) throws {
        file = try connection.file(SQLITE_FCNTL_JOURNAL_POINTER)
        let original = try #require(file.pointee.pMethods)
        Self.original = original
        Self.bytes = 0
        methods = .allocate(capacity: 1)
        methods.initialize(to: original.pointee)
        methods.pointee.xWrite = { file, bytes, count, offset in
            LogWrites.bytes += Int64(count)
            return LogWrites.original?.pointee.xWrite(file, bytes, count, offset) ?? SQLITE_MISUSE
        }
        file.pointee.pMethods = UnsafePointer(methods)
    }

    /// Bytes since the last call.
    func taken() -> Int64 {
        defer { Self.bytes = 0 }
        return Self.bytes
    }

    deinit {
        file.pointee.pMethods = Self.original
        methods.deallocate()
    }
}

@Suite("Durability of log frames that a writer commits after", .serialized)
struct WALDurabilityTests {
    private let folder: TemporaryFolder
    private let path: String
    private static let pageBytes: Int64 = 4096

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("s.db")
        let connection = try Connection(path: path, mode: .create)
        try connection.execute("PRAGMA journal_mode = WAL")
        try connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")
    }

    /// What two processes know of the log, apart from one another.
    private let ownProcess = WALDurability.Knowledge()
    private let otherProcess = WALDurability.Knowledge()

    private func open(by process: WALDurability.Knowledge) throws -> Connection {
        let connection = try Connection(path: path, mode: .readWrite, busyTimeoutMilliseconds: 0)
        try connection.protectLog(knowing: process)
        return connection
    }

    private func insert(_ connection: Connection, pages: Int = 3) throws {
        try connection.begin(immediate: true)
        try connection.execute(
            "INSERT INTO t (b) VALUES (randomblob(\(pages * Int(Self.pageBytes))))"
        )
        try connection.commit()
    }

    private var walBytes: Int64 {
        get throws {
            try #require(
                FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int64
            )
        }
    }

    @Test("A writer rewrites the frames of other processes once, before its commit after them")
    func foreignFrames() throws {
        let (other, own) = (try open(by: otherProcess), try open(by: ownProcess))
        try insert(other, pages: 40)
        let whole = try walBytes
        let writes = try LogWrites(of: own)
        try own.begin(immediate: true)
        #expect(writes.taken() == whole)
        try own.execute("INSERT INTO t (b) VALUES (x'01')")
        try own.commit()
        #expect(writes.taken() > 0)
        #expect(try walBytes > whole)

        try own.begin(immediate: true)
        #expect(writes.taken() == 0, "it synced these frames itself")
        try own.execute("ROLLBACK")

        let before = try walBytes
        try insert(other)
        try own.begin(immediate: true)
        #expect(writes.taken() == (try walBytes) - before, "only what the other one added")
        try own.execute("ROLLBACK")
        try own.begin(immediate: true)
        #expect(
            writes.taken() == (try walBytes) - before,
            "nothing was synced when the transaction was taken back"
        )
        try own.execute("ROLLBACK")
    }

    @Test("Connections of one owner share their knowledge of the log")
    func sharedKnowledge() throws {
        func connect() throws -> Connection {
            let connection = try Connection(path: path, mode: .readWrite)
            try connection.protectLog()
            return connection
        }
        let (own, helper) = (try connect(), try connect())
        try insert(own)
        let writes = try LogWrites(of: helper)
        try helper.begin(immediate: true)
        #expect(writes.taken() == 0)
        try helper.execute("ROLLBACK")

        helper.distrustLog()
        let later = try LogWrites(of: own)
        try own.begin(immediate: true)
        #expect(later.taken() == (try walBytes), "a sync that failed is known to all")
        try own.execute("ROLLBACK")
    }

    @Test("Frames that are already synced in the database are not rewritten")
    func backfilledFrames() throws {
        let other = try open(by: otherProcess)
        try insert(other)
        let progress = try Checkpointer(other, lockConnection: try open(by: otherProcess)).run()
        #expect(progress?.isComplete == true)
        let own = try open(by: ownProcess)
        let writes = try LogWrites(of: own)
        try own.begin(immediate: true)
        #expect(writes.taken() == 0)
        try own.execute("ROLLBACK")
    }

    @Test("A checkpoint rewrites the frames of other processes before it syncs the log")
    func checkpoint() throws {
        let other = try open(by: otherProcess)
        try insert(other)
        let own = try open(by: ownProcess)
        let helper = try open(by: ownProcess)
        let writes = try LogWrites(of: helper)
        let progress = try Checkpointer(own, lockConnection: helper).run()
        #expect(writes.taken() == (try walBytes))
        #expect(progress?.isComplete == true)
    }

    @Test("A frame that the disk has lost is named, and nothing is committed after it")
    func lostFrame() throws {
        let (other, own) = (try open(by: otherProcess), try open(by: ownProcess))
        try insert(other)
        let log = try #require(FileHandle(forUpdatingAtPath: path + "-wal"))
        try log.seek(toOffset: 32 + 24 + UInt64(Self.pageBytes) + 24 + 100)
        try log.write(contentsOf: Data(repeating: 0xAA, count: 512))
        try log.close()
        let failure = #expect(throws: SQLiteError.self) { try own.begin(immediate: true) }
        #expect(failure?.code == .dataLost)
        #expect(failure?.message.hasPrefix("frame 2 of ") == true)
        #expect(own.isAutocommit)
    }

    @Test("A deleted or replaced log is detected before a transaction, and after its commit")
    func replacedLog() throws {
        let own = try open(by: ownProcess)
        try insert(own)
        try own.begin(immediate: true)
        try own.execute("INSERT INTO t (b) VALUES (x'01')")
        try FileManager.default.moveItem(atPath: path + "-wal", toPath: path + "-old")
        let after = #expect(throws: SQLiteError.self) { try own.commit() }
        #expect(after?.code == .databaseMoved)
        let before = #expect(throws: SQLiteError.self) { try own.begin(immediate: true) }
        #expect(before?.code == .databaseMoved)
        #expect(own.isAutocommit)
        try FileManager.default.copyItem(atPath: path + "-old", toPath: path + "-wal")
        #expect(throws: SQLiteError.self) { try own.begin(immediate: true) }
        try FileManager.default.removeItem(atPath: path + "-wal")
        try FileManager.default.moveItem(atPath: path + "-old", toPath: path + "-wal")
        try insert(own)
    }

    @Test("A replaced database is detected")
    func replacedDatabase() throws {
        let own = try open(by: ownProcess)
        try insert(own)
        try FileManager.default.moveItem(atPath: path, toPath: path + "-old")
        try FileManager.default.copyItem(atPath: path + "-old", toPath: path)
        let failure = #expect(throws: SQLiteError.self) { try own.begin(immediate: true) }
        #expect(failure?.code == .databaseMoved)
    }
}
