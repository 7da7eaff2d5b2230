import TallystickCore
import TallystickSQLite

/// Where a replay reads and writes: the store, and the file that holds the projection with its checkpoint,
/// which may be the same.
final class ReplayStorage {
    let source: EventSource
    /// Holds the projection.
    let target: Connection
    let authorizer = Authorizer()
    private let guardian = ProgressGuard()
    let checkpoints: CheckpointRows
    let rows: ReplayRows
    /// Whether the checkpoint, and with it the projection if there is one, is in the store itself.
    let isInStore: Bool
    private let setting: ReplayContext
    /// Writes hints to the store for a projection in another file; opened when needed.
    private var hints: Connection?
    private var noted = SystemClock.monotonicMicroseconds()

    init(_ setting: ReplayContext) throws {
        self.setting = setting
        switch setting.place {
        case .store, .sink:
            isInStore = true
            target = try StoreFile.openForWriting(setting.path, setting.storeOptions)
            source = try EventSource(
                target,
                setting.storeOptions.checksummer,
                readingAhead: setting.storeOptions
            )
        case .file(let other):
            isInStore = false
            target = try ProjectionTarget.open(other, beside: setting.path, setting.storeOptions)
            source = try EventSource(
                try StoreFile.openForReading(setting.path, setting.storeOptions),
                setting.storeOptions.checksummer,
                readingAhead: setting.storeOptions
            )
        }
        try target.install(authorizer)
        target.install(guardian)
        target.limitValues(bytes: ProjectionLimits.valueBytes)
        checkpoints = try CheckpointRows(in: target)
        rows = ReplayRows(in: target)
        let stop = setting.stop
        var stopSeen: UInt64?
        guardian.isCancelled = { [unowned guardian] in
            // Our own statements are never stopped.
            guard guardian.deadline != nil, stop.isSet else { return false }
            let now = ProgressGuard.now()
            let seen = stopSeen ?? now
            stopSeen = seen
            return now - seen > ProjectionLimits.stopNanoseconds
        }
    }

    /// Runs what a projection does with one event, or its setup, for no longer than it may take.
    func whileGuarded<Result>(_ body: () throws -> Result) rethrows -> Result {
        guardian.deadline = ProgressGuard.now() + setting.options.applyNanoseconds
        defer { guardian.deadline = nil }
        return try body()
    }

    /// Runs `body` in one transaction of the projection's file, over one snapshot of the store.
    func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        try target.write {
            let store = source.connection
            return store === target ? try body() : try store.read(body)
        }
    }

    /// After a transaction: has the store's log written back where it has grown.
    func limitLog() throws {
        guard isInStore, target.walFrames >= setting.storeOptions.writerLimits.checkpointFrames
        else { return }
        try setting.checkpointStore()
    }

    /// Makes sure, before a transaction applies anything, that the replay is where this process left it. Events that
    /// another process applied meanwhile would fail as if the projection could not apply them.
    ///
    /// - throws: `StoreError` with `busy`.
    func refuseMoved(from checkpoint: Checkpoint) throws {
        guard try checkpoints.stands(setting.definition.name, at: checkpoint) else { throw moved }
    }

    /// Moves the checkpoint on, unless somebody else has.
    func move(from before: Checkpoint, to checkpoint: Checkpoint) throws {
        let name = setting.definition.name
        let time = setting.storeOptions.clock()
        guard try checkpoints.move(from: before, to: checkpoint, name, at: time) else {
            throw moved
        }
    }

    private var moved: StoreError {
        StoreError(
            .busy,
            during: "replay",
            on: "replay \(setting.definition.name)",
            "another process moved this replay on meanwhile, or dropped it",
            hint: "Let it finish, or run the command again",
            isRetryable: true
        )
    }

    // MARK: Telling people

    /// Tells the store where the replay stands, as part of the running transaction where the projection is
    /// in the store.
    ///
    /// - parameter more: writes to the store in the same transaction.
    func note(_ row: ReplayStatusRows.Row, and more: (Connection) throws -> Void) throws {
        noted = SystemClock.monotonicMicroseconds()
        guard !setting.isScratch else { return }
        let time = setting.storeOptions.clock()
        guard !isInStore else {
            try ReplayStatusRows(in: target).set(row, at: time)
            try more(target)
            return
        }
        let store = try hints ?? StoreFile.openForWriting(setting.path, setting.storeOptions)
        hints = store
        try store.write {
            try ReplayStatusRows(in: store).set(row, at: time)
            try more(store)
        }
    }

    /// Whether it is time to tell the store again.
    var isNoteDue: Bool {
        SystemClock.monotonicMicroseconds() - noted > ReplayLimits.noteMicroseconds
    }

    // MARK: Names

    /// Refuses to begin under a name that the store knows as a replay into somewhere else.
    func refuseOtherPlace() throws {
        guard !setting.isScratch else { return }
        let name = setting.definition.name
        let rows = ReplayStatusRows(in: source.connection)
        guard let known = try rows.target(of: name), known != setting.place.columns else { return }
        throw StoreError(
            .projectionChanged,
            during: "begin the replay",
            on: "replay \(name)",
            "a replay of that name already projects into \(known.path ?? "the \(known.target)")",
            hint: "Choose another name, or drop that one first: 'tally replay drop'"
        )
    }

    /// Refuses a name that would give a projection tables of the store.
    func refuseReservedName() throws {
        guard isInStore else { return }
        let name = setting.definition.name
        let statement = try target.prepare(
            """
            SELECT name
            FROM sqlite_schema
            WHERE name NOT IN (SELECT name FROM projection_objects)
                AND tbl_name NOT IN (SELECT name FROM projection_objects)
            """
        )
        while try statement.step() {
            let object = statement.text(at: 0)
            guard ProjectionNames.fits(name, object) else { continue }
            throw StoreError(
                .projectionInvalid,
                during: "set the projection up",
                on: "projection \(name)",
                "the store's own \(object) would be one of its tables",
                hint: "Choose another name"
            )
        }
    }
}
