import Glibc
import TallystickSQLite

extension EventStore {
    /// Copies the store to a new file, as of one moment, while others continue to use it. The copy is complete when
    /// the call returns, and has no write-ahead log.
    ///
    /// The copy gets its name only once it is complete, on disk and, if requested, verified.
    ///
    /// - parameter destination: the path of the new file.
    /// - parameter verifies: whether the copy is read back and proved to equal the store at that moment: every
    ///   checksum, leaf, tile, index and derived row of it matches, and its three roots are the store's.
    /// - returns: the result of verifying the copy; nil if that was not requested.
    /// - throws: `StoreError`: `storeExists` if the file exists; `integrity` if the copy does not equal
    ///   the store. Nothing is left behind on failure.
    @discardableResult
    public func backup(
        to destination: String,
        verifies: Bool = false
    ) async throws(StoreError) -> VerifyReport? {
        let (path, storeID, options) = (path, storeID, options)
        return try await Self.attempt("back the store up", destination) {
            try await runOnThread {
                try BackupFile.write(path, to: destination, options) { copy, heads in
                    guard verifies else { return nil }
                    return try BackupFile.verify(copy, storeID, heads, options)
                }
            }
        }
    }

    /// Migrates a store to the schema of this release.
    ///
    /// - returns: the schema before and after.
    public static func upgrade(
        at path: String,
        options: StoreOptions = StoreOptions()
    ) async throws(StoreError) -> (before: Int, after: Int) {
        var options = options
        options.migratesOlderSchema = true
        let migrating = options
        return try await attempt("upgrade the store", path) {
            try await runOnThread {
                let before = try StoreSchema.version(
                    of: try StoreFile.openForReading(path, migrating)
                )
                let connection = try StoreFile.openForWriting(path, migrating)
                return (before, try StoreSchema.version(of: connection))
            }
        }
    }
}

enum BackupFile {
    private static let operation = "back the store up"

    /// Writes the copy of a store; it gets its name once `check` succeeds.
    ///
    /// - parameter check: given the copy's temporary path, and the ends of the store's logs at the moment of the
    ///   copy.
    static func write<Result>(
        _ path: String,
        to destination: String,
        _ options: StoreOptions,
        _ check: (String, LogHeads) throws -> Result
    ) throws -> Result {
        let source = try StoreFile.openForReading(path, options)
        var status = stat()
        guard lstat(destination, &status) != 0 else {
            throw PendingFile.alreadyThere(destination, operation, .storeExists)
        }
        try NewFile.refuseLeftLog(beside: destination, during: operation, .storeExists)
        let file = try PendingFile(for: destination, permissions: 0o600, during: operation)
        let heads = try source.read {
            let heads = try LogHeads(in: source, try MerkleRows(in: source))
            try copy(source, to: file.temporaryPath)
            return heads
        }
        let result = try check(file.temporaryPath, heads)
        try file.publish(replacing: false, ifThere: .storeExists)
        return result
    }

    /// A journal would be of no use: an interrupted copy is never published.
    private static func copy(_ source: Connection, to path: String) throws {
        let copy = try Connection(path: path, mode: .readWrite, firesTriggers: false)
        try copy.execute("PRAGMA journal_mode = OFF")
        try source.backUp(to: copy)
    }

    /// Reads a copy back.
    ///
    /// - throws: `integrity` if it does not equal the store at the moment of `heads`.
    static func verify(
        _ copy: String,
        _ storeID: String,
        _ heads: LogHeads,
        _ options: StoreOptions
    ) throws -> VerifyReport {
        let run = try Verification.begin(copy, storeID, options, VerifyOptions(), StopFlag())
        let report = try run.run()
        guard report.isIntact, run.heads.sizes == heads.sizes, run.heads.roots == heads.roots
        else {
            let first = report.findings.first.map { "\($0.record) (\($0.finding.rawValue))" }
            throw StoreError(
                .integrity,
                during: "verify the copy",
                on: copy,
                "it does not equal the store: \(first ?? "its roots are others")",
                hint: "Verify the store itself: a copy of a damaged store is damaged too"
            )
        }
        return report
    }
}
