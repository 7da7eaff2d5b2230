import Logging
package import TallystickCore
package import TallystickSQLite

/// The one object that writes to a store: a connection, and cached state about the ends of the logs.
///
/// The cached state is checked at the beginning of each transaction, because other processes write too, and
/// restored when a transaction is rolled back.
package final class StoreWriter {
    /// Actor for automatic records.
    package static let automaticActor = "local"

    package let connection: Connection
    package let merkle: MerkleRows
    package let events: EventStatements
    package let reader: EventRowReader
    package let copies: CopyRows
    package let conflicts: ConflictRows
    package let quarantine: QuarantineRows
    package let resolutions: ResolutionRows
    package let effective: EffectiveRows
    package let counters: CounterRows
    package let configurations: ConfigurationRows
    package let keys: KeyRows
    package let checksums: ChecksumRows
    package let heads: HeadRows
    /// The keys that this process was given.
    package let checksummer: Checksummer
    private var knownKeys: RegisteredKeys?
    private let audit: AuditInsertion
    private let auditLeaves: AuditLeafReader
    /// Keeps the write-ahead log small.
    package let wal: WALCheckpointer
    private let path: String
    /// The ends of the logs, including the running transaction except for what is `pending`; nil if they have to
    /// be read.
    private var merkleLogs: [MerkleLogName: MerkleLog] = [:]
    private var pending: [MerkleLogName: [SHA256Digest]] = [:]
    /// SQLite's number for commits by others, as of when `merkleLogs` was last known to be correct.
    private var dataVersion: Int64?
    private var leaf: [UInt8] = []
    /// Incremented whenever state that a caller may have cached is no longer certain.
    package private(set) var generation = 0
    /// How long the last committed transaction held the write lock.
    package private(set) var transactionMicroseconds: Int64 = 0
    private var transactionEvents = TransactionEvents()
    private let logger: Logger
    private var follower: SettingsFollower
    /// The value of `follower` before the running transaction changed it.
    private var followerBefore: SettingsFollower?
    /// Whether another process may have recorded settings.
    private var mayHaveNewSettings = true
    /// Called with settings once they take effect.
    package var onSettings: @Sendable (SettingsInForce, IngestConfiguration) -> Void = { _, _ in }
    /// Whether the last transaction waited in vain for another process: closing the store does not wait again.
    package private(set) var isOutwaited = false
    /// Why this handle can no longer write.
    private var poison: StoreError?
    package let clock: @Sendable () -> Int64
    package let limits: WriterLimits

    package init(
        path: String,
        connection: Connection,
        lockConnection: Connection,
        options: StoreOptions
    )
        throws
    {
        self.path = path
        self.connection = connection
        wal = WALCheckpointer(path, connection, lockConnection: lockConnection, options)
        clock = options.clock
        limits = options.writerLimits
        logger = options.logger
        merkle = try MerkleRows(in: connection)
        events = try EventStatements(in: connection)
        reader = try EventRowReader(in: connection)
        copies = try CopyRows(in: connection)
        conflicts = try ConflictRows(in: connection)
        quarantine = try QuarantineRows(in: connection)
        resolutions = try ResolutionRows(in: connection)
        effective = try EffectiveRows(in: connection)
        counters = try CounterRows(in: connection)
        configurations = try ConfigurationRows(in: connection)
        keys = try KeyRows(in: connection)
        checksums = try ChecksumRows(in: connection)
        heads = try HeadRows(in: connection)
        checksummer = options.checksummer
        follower = SettingsFollower(configurations, connection, options)
        try connection.prepareRollback()
        audit = try AuditInsertion(in: connection)
        auditLeaves = try AuditLeafReader(in: connection)
    }

    // MARK: Transactions

    /// Runs `body` in one transaction that holds the write lock from its beginning, and commits.
    ///
    /// - throws: `StoreError`; nothing of the transaction is stored, unless the code is `outcomeUnknown`, after
    ///   which the handle stops writing.
    ///
    /// - parameter recordingOverrides: whether overrides of this process that have not been recorded yet are
    ///   recorded first.
    package func transaction<Result>(
        _ operation: String,
        recordingOverrides: Bool = true,
        _ body: () throws -> Result
    ) throws(StoreError) -> Result {
        let result = try attempt(operation, recordingOverrides: recordingOverrides) { try body() }
        guard let result else {
            throw StoreError(.bug, during: operation, on: path, "a transaction had no result")
        }
        return result
    }

    /// Like `transaction`, but rolls back and returns nil if `body` returns nil.
    package func attempt<Result>(
        _ operation: String,
        recordingOverrides: Bool = true,
        _ body: () throws -> Result?
    ) throws(StoreError) -> Result? {
        if let poison { throw poison }
        var started: Int64 = 0
        do throws(TransactionFailure) {
            let result = try connection.attemptWrite {
                started = SystemClock.monotonicMicroseconds()
                return try fill(recordingOverrides: recordingOverrides, body)
            }
            guard let result else {
                forget()
                return nil
            }
            transactionMicroseconds = SystemClock.monotonicMicroseconds() - started
            if let before = followerBefore.take() { publishSettings(unless: before.inForce) }
            transactionEvents.emit(logger)
            transactionEvents = TransactionEvents()
            isOutwaited = false
            wal.committed()
            return result
        } catch {
            if error.phase != .begin { forget() }
            isOutwaited = (error.cause as? SQLiteError)?.isBusy == true
            throw failed(error, during: operation)
        }
    }

    /// The work of a transaction, between its beginning and its commit.
    private func fill<Result>(
        recordingOverrides: Bool,
        _ body: () throws -> Result?
    ) throws -> Result? {
        try refresh()
        if recordingOverrides, mayHaveNewSettings { try followSettings() }
        guard let result = try body() else { return nil }
        try conflicts.states.writeGrown()
        try storeLeaves()
        // The log is about to be written back: a good moment for a head that the key vouches for.
        if wal.isLarge { try addHeadIfKeyed() }
        return result
    }

    /// Runs `body` as a part of a transaction that other code has begun on this connection, and ends.
    ///
    /// If the transaction is rolled back, the writer's cached state is wrong: create a new writer for each
    /// transaction.
    package func joinTransaction(_ body: () throws -> Void) throws {
        try refresh()
        try body()
        try conflicts.states.writeGrown()
        try storeLeaves()
    }

    /// Restores the cached state that the rolled-back transaction changed.
    private func forget() {
        merkleLogs.removeAll(keepingCapacity: true)
        dataVersion = nil
        if let before = followerBefore.take() { follower = before }
        mayHaveNewSettings = true
        knownKeys = nil
        pending.removeAll()
        transactionEvents = TransactionEvents()
        conflicts.states.forgetGrown()
        generation += 1
    }

    private func failed(
        _ transaction: TransactionFailure,
        during operation: String
    ) -> StoreError {
        let failure = StoreError(transaction.cause, during: operation, on: path)
        if let rollback = transaction.rollbackFailure {
            let unknown = StoreError(
                .outcomeUnknown,
                during: operation,
                on: path,
                "the transaction could not be rolled back: \(rollback.message)",
                hint: "Open the store again and repeat the call",
                isRetryable: true
            )
            poison = unknown
            return unknown
        }
        // If the disk or memory fails while frames are written, the last of them may be in the log. A full disk,
        // or a lock that is not granted, is detected before that.
        let isCommitFailure =
            (transaction.cause as? SQLiteError).map {
                $0.isOfCommit && !$0.isBusy && !$0.isFull
            } ?? false
        guard isCommitFailure else { return poisoned(by: failure) }
        // A failed fsync is never retried: what reached the disk is unknown.
        let unknown = StoreError(
            .outcomeUnknown,
            during: operation,
            on: path,
            "the transaction failed while it was committed (\(failure.message))",
            hint: "Open the store again and repeat the call: stored events are recognised",
            isRetryable: true
        )
        poison = unknown
        return unknown
    }

    /// A handle whose files are no longer the store's writes nothing more.
    private func poisoned(by failure: StoreError) -> StoreError {
        if failure.code == .outcomeUnknown { poison = failure }
        return failure
    }

    /// Reads the ends of the logs again if another process has written since.
    private func refresh() throws {
        let version = try connection.dataVersion()
        if version == dataVersion { return }
        for name in MerkleLogName.allCases {
            if let log = merkleLogs[name], try merkle.size(of: name) == log.size { continue }
            generation += 1
            if name == .audit { mayHaveNewSettings = true }
            guard let log = try merkle.log(name) else {
                throw StoreError(
                    .integrity,
                    during: "read the end of the log",
                    on: "log \(name.rawValue)",
                    "the Merkle tiles do not fit the log's rows",
                    hint: "Run 'tally verify' to see what differs"
                )
            }
            merkleLogs[name] = log
        }
        dataVersion = version
    }

    // MARK: Keys

    /// The keys of the store, in the open transaction.
    package func registeredKeys() throws -> RegisteredKeys {
        if let knownKeys, try keys.lastRow() == knownKeys.lastRow { return knownKeys }
        let registered = try keys.read()
        knownKeys = registered
        return registered
    }

    /// Whether an event of a category gets an HMAC, and by which key.
    ///
    /// - returns: nil if no HMAC is demanded.
    /// - throws: `StoreError` with `keyMissing` if one is, and the key was not given.
    package func demandedKey(
        for category: String,
        during operation: String
    ) throws -> KeyRing.Key? {
        guard configuration?.demandsHMAC(category) == true else { return nil }
        let registered = try registeredKeys()
        guard registered.demandsHMAC else { return nil }
        return try registered.required(
            from: checksummer.ring,
            during: operation,
            for: "category '\(category)'"
        )
    }

    // MARK: Settings

    /// The settings in force, in the open transaction; nil while the store is being created.
    package var settings: SettingsInForce? { follower.inForce }
    /// The part of them that ingest needs.
    package var configuration: IngestConfiguration? { follower.configuration }

    /// Reads the settings again if another process recorded some, and records this process's overrides before they
    /// are first used.
    package func followSettings() throws {
        mayHaveNewSettings = false
        followerBefore = followerBefore ?? follower
        guard let unrecorded = try follower.refresh() else { return }
        let names = unrecorded.overrides.joined(separator: ", ")
        let version = try addConfiguration(
            unrecorded.settings,
            actor: StoredConfiguration.environment,
            reason: names.isEmpty ? "no overrides" : names
        )
        try follower.recorded(as: version)
    }

    /// Adds a version of the settings.
    package func addConfiguration(
        _ settings: StoreSettings,
        actor: String,
        reason: String
    ) throws -> Int64 {
        let version = try configurations.newestVersion() + 1
        let row = AuditRow(
            kind: .configuration,
            recordedAt: clock(),
            actor: actor,
            reason: reason,
            detail: "{\"after_position\":\(size(of: .events))}"
        )
        try addAudit(row, tables: [.configurations]) { sequence in
            try configurations.add(settings.canonical, version: version, auditSequence: sequence)
        }
        return version
    }

    private func publishSettings(unless known: SettingsInForce?) {
        guard let inForce = follower.inForce, let configuration = follower.configuration,
            inForce.version != known?.version || inForce.newest != known?.newest
        else { return }
        onSettings(inForce, configuration)
    }

    // MARK: Logs

    /// Rows of a log, including the running transaction.
    package func size(of log: MerkleLogName) -> Int64 {
        (merkleLogs[log]?.size ?? 0) + Int64(pending[log]?.count ?? 0)
    }

    /// Adds the leaves of rows that were added to a log's table.
    package func append(_ hashes: some Sequence<SHA256Digest>, to log: MerkleLogName) {
        pending[log, default: []].append(contentsOf: hashes)
    }

    /// Size and root of the three logs, including the running transaction.
    package func treeHead() throws -> TreeHead {
        try storeLeaves()
        func log(_ name: MerkleLogName) -> TreeHead.Log {
            let log = merkleLogs[name] ?? MerkleLog()
            return TreeHead.Log(size: log.size, root: log.root)
        }
        return TreeHead(
            storeID: try StoreIdentity.read(from: connection).storeID,
            events: log(.events),
            copies: log(.copies),
            audit: log(.audit)
        )
    }

    private func storeLeaves() throws {
        for name in MerkleLogName.allCases {
            guard let hashes = pending.removeValue(forKey: name), !hashes.isEmpty else { continue }
            if let changes = merkleLogs[name]?.append(hashes) {
                try merkle.store(changes, in: name)
            }
        }
    }

    /// Adds a row to the audit trail. `details` adds the rows of detail tables that belong to it.
    @discardableResult
    package func addAudit(
        _ row: AuditRow,
        tables: [DetailTable] = [],
        details: (Int64) throws -> Void = { _ in }
    ) throws -> Int64 {
        let sequence = size(of: .audit) + 1
        try audit.add(row, sequence: sequence)
        try details(sequence)
        guard try auditLeaves.write(sequence: sequence, tables: tables, to: &leaf) else {
            throw StoreError(.bug, during: "write the audit trail", "a row just added is not there")
        }
        append(CollectionOfOne(MerkleHash.leaf(leaf)), to: .audit)
        return sequence
    }

    /// Adds a mismatch to the audit row that is being written; it is reported once it is on disk.
    package func add(_ mismatch: NewMismatch, auditSequence: Int64) throws {
        try conflicts.add(mismatch, auditSequence: auditSequence)
        transactionEvents.add(mismatch)
    }

    /// Adds a conflict to the audit row that is being written; it is reported once it is on disk.
    package func add(_ conflict: ConflictRecord, auditSequence: Int64) throws {
        try conflicts.add(conflict, auditSequence: auditSequence)
        transactionEvents.add(conflict)
    }

    /// Adds a resolution to the audit row that is being written; it is reported once it is on disk.
    package func add(_ resolution: NewResolution, auditSequence: Int64) throws {
        try resolutions.add(resolution, auditSequence: auditSequence)
        transactionEvents.add(resolution)
    }
}

/// Limits of the store's writing side.
package enum StoreLimits {
    /// Bytes to which SQLite truncates the log's file.
    package static let walBytes = 64 << 20
    /// Free bytes required before a file without a write-ahead log is given one: for the journal of the change, an
    /// empty log and its index.
    package static let roomForLog = 256 << 10
    /// Bytes of a database page.
    package static let pageBytes = 4096
    /// KiB of page cache of a writing connection.
    package static let cacheKibibytes = 32_768
}
