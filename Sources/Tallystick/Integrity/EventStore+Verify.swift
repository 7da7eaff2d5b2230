import TallystickCore
import TallystickSQLite

extension EventStore {
    /// Recomputes every checksum, leaf and tile, and compares indexes and derived rows with their sources.
    ///
    /// Covers everything that the store held when the call began. Reads in short transactions, so that writers and
    /// checkpoints can continue. A run that is out of time, or cancelled, returns a cursor to resume from; a complete
    /// one returns a cursor from which the next run checks only later additions. A handle that can write records
    /// events and copies that fail, as mismatches of the kind `at_rest`, each once.
    ///
    /// - returns: the findings; see ``VerifyReport/isIntact``.
    /// - throws: `StoreError` if the file cannot be read at all; `invalidArgument` for an invalid cursor,
    ///   `historyDiffers` for one of another store or of history that this store does not have.
    public func verify(_ options: VerifyOptions = VerifyOptions()) async throws(StoreError)
        -> VerifyReport
    {
        let start = ContinuousClock.now
        let report = try await inspect(options)
        StoreMetrics.verified(report, in: .now - start)
        await recordDamage(of: report)
        return report
    }

    /// Verifies without recording anything.
    func inspect(_ options: VerifyOptions = VerifyOptions()) async throws(StoreError)
        -> VerifyReport
    {
        let (path, storeID, storeOptions) = (path, storeID, self.options)
        return try await Self.inspect(path) { stop in
            do {
                return try Verification.begin(path, storeID, storeOptions, options, stop).run()
            } catch  where StoreError.isCorruption(error) {
                // Not even the ends of the logs can be read.
                return try UnreadableStore(path, storeOptions).report(after: error)
            }
        }
    }

    /// Verifies a store like ``verify(_:)``, even one that cannot be opened because pages of its file are damaged.
    ///
    /// Everything that can be read is checked. Anything that cannot is a finding `page`, which names the table, or
    /// `sqlite_schema`, without which nothing else can be read. Records nothing.
    ///
    /// - parameter path: the store's file.
    /// - parameter keys: as for ``open(at:keys:options:)``.
    /// - parameter options: what is verified, and how.
    /// - returns: the findings; ``VerifyReport/storeID`` is nil if it cannot be read.
    /// - throws: `StoreError` like ``open(at:keys:options:)`` and ``verify(_:)``, but never `corrupt` if the damage
    ///   can be named.
    public static func verify(
        at path: String,
        keys: KeySource = .none,
        _ options: VerifyOptions = VerifyOptions()
    ) async throws(StoreError) -> VerifyReport {
        let ring = try await attempt("read the keys", path) {
            try await runOnThread { try keys.load() }
        }
        do {
            return try await open(at: path, keys: .ring(ring), options: .readOnly).verify(options)
        } catch {
            guard error.code == .corrupt else { throw error }
            return try await inspect(path) { stop in
                var storeOptions = StoreOptions.readOnly
                storeOptions.checksummer = Checksummer(ring)
                storeOptions.toleratesDamage = true
                do {
                    return try Verification.begin(damaged: path, storeOptions, options, stop).run()
                } catch  where StoreError.isCorruption(error) {
                    return try UnreadableStore(path, storeOptions).report(after: error)
                }
            }
        }
    }

    private static func inspect(
        _ path: String,
        _ body: @escaping @Sendable (StopFlag) throws -> VerifyReport
    ) async throws(StoreError) -> VerifyReport {
        let stop = StopFlag()
        return try await attempt("verify", path) {
            try await withTaskCancellationHandler {
                try await runOnThread { try body(stop) }
            } onCancel: {
                stop.set()
            }
        }
    }
}
