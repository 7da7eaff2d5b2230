import Foundation
import Tallystick
import TallystickCore
import TallystickTestSupport
import Testing

/// A process loses all of SQLite's locks on a database when anything in it closes a descriptor of the file. Another
/// program that closes the store would then take itself for the last one, and delete the log under our feet.
@Suite("A process that lost its locks")
struct LostLocksTests {
    private func event(_ number: Int) -> Event {
        Event(id: "\(number)", source: "/shop", type: "order.placed", data: .json("\(number)"))
    }

    private func append(_ numbers: Range<Int>, to store: EventStore) async throws {
        for number in numbers {
            try await store.append([event(number)], to: "orders", expecting: .any)
        }
    }

    /// Opens and closes the file by ordinary calls.
    private func loseLocks(_ path: String) throws {
        let file = try #require(FileHandle(forReadingAtPath: path))
        #expect(try file.read(upToCount: 16)?.count == 16)
        try file.close()
    }

    /// Another process reads the store by SQLite alone, as the last one that has it open, if the locks are to be
    /// believed.
    private func visit(_ path: String) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            """
            import sqlite3, sys
            connection = sqlite3.connect(sys.argv[1])
            print(connection.execute("SELECT count(*) FROM events").fetchone()[0])
            connection.close()
            """, path,
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test("loses no acknowledged event when another program closes the store")
    func nothingIsLost() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("s.db")
        let store = try await EventStore.create(at: path)
        try await append(0..<10, to: store)
        try loseLocks(path)
        #expect(try visit(path) == "10")
        try await append(10..<20, to: store)
        #expect(try visit(path) == "20")
        #expect(try await store.verify().events == 20)
        await store.close()
        let again = try await EventStore.open(at: path)
        #expect(try await again.verify().events == 20)
        await again.close()
    }

    @Test("loses none where the locks go before the first append of the handle")
    func beforeTheFirstAppend() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("s.db")
        await (try await EventStore.create(at: path)).close()
        let store = try await EventStore.open(at: path)
        try loseLocks(path)
        #expect(try visit(path) == "0")
        try await append(0..<5, to: store)
        #expect(try visit(path) == "5")
        await store.close()
    }

    @Test("A second handle of the process that is closed takes no lock from the first")
    func secondHandle() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("s.db")
        let store = try await EventStore.create(at: path)
        try await append(0..<5, to: store)
        let second = try await EventStore.open(at: path, options: .readOnly)
        #expect(try await second.verify().isIntact)
        await second.close()
        try loseLocks(path)
        #expect(try visit(path) == "5")
        try await append(5..<10, to: store)
        #expect(try visit(path) == "10")
        await store.close()
    }

    @Test(
        "A handle whose log was deleted all the same says that the outcome is unknown, and writes no more"
    )
    func deletedLog() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("s.db")
        let store = try await EventStore.create(at: path)
        try await append(0..<5, to: store)
        for ending in ["-wal", "-shm"] { unlink(path + ending) }
        #expect(try visit(path) == "0", "a foreign program deletes what was never written back")
        for _ in 0..<2 {
            let failure = await failure { try await append(5..<6, to: store) }
            #expect(failure?.code == .outcomeUnknown)
            #expect(failure?.hint.contains("repeat the call") == true)
        }
        await store.close()
        let again = try await EventStore.open(at: path)
        try await append(0..<6, to: again)
        #expect(try await again.verify().events == 6)
        await again.close()
    }
}
