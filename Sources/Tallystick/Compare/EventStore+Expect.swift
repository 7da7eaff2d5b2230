import Glibc
package import TallystickCore
import TallystickSQLite

extension EventStore {
    /// A copy of the store in which an input counts as delivered.
    package struct WithExpected {
        /// The copy.
        package var store: EventStore
        /// The origin whose only deliveries are the records of the input.
        package var origin: String
        /// What became of the records.
        package var report: IngestReport
    }

    /// Works with a copy of the store to which an input was added, in the folder for temporary files. The store itself
    /// stays as it is; the copy is removed afterwards.
    ///
    /// - parameters:
    ///   - input: what is expected.
    ///   - keys: the store's key ring, where categories demand HMACs.
    ///   - mapping: adapts records that are not CloudEvents.
    ///   - body: works with the copy.
    package func withExpected<Result>(
        _ input: IngestInput,
        keys: KeySource = .none,
        mapping: EventMapping? = nil,
        _ body: (WithExpected) async throws -> Result
    ) async throws -> Result {
        let folder = try NewFile.createTemporaryFolder(
            named: "tally-compare",
            during: "compare with a file"
        )
        defer { Self.remove(folder) }
        let path = "\(folder)/copy.db"
        try await backup(to: path)
        var options = StoreOptions()
        options.migratesOlderSchema = true
        let copy = try await EventStore.open(at: path, keys: keys, options: options)
        do {
            let origin = try await copy.unusedOrigin(like: input.name)
            var ingest = IngestOptions()
            ingest.mapping = mapping
            let report = try await copy.ingest([input], from: origin, options: ingest)
            let result = try await body(
                WithExpected(store: copy, origin: origin, report: report)
            )
            await copy.close()
            return result
        } catch {
            await copy.close()
            throw error
        }
    }

    /// A name for the input that no origin of the store has.
    private func unusedOrigin(like name: String) async throws(StoreError) -> String {
        try await reading("compare with a file") { connection in
            let origins = try DictionaryRows(.origins, in: connection)
            var candidate = String(name.prefix(200))
            while true {
                var text = candidate
                let id = try text.withUTF8 { try origins.id(of: UnsafeRawBufferPointer($0)) }
                if id == nil { return candidate }
                candidate = "file:" + candidate
            }
        }
    }

    private static func remove(_ folder: String) {
        for suffix in ["", "-wal", "-shm"] { unlink("\(folder)/copy.db\(suffix)") }
        rmdir(folder)
    }
}
