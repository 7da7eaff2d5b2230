public import TallystickCore
import TallystickSQLite

/// The content of a store as one digest: see ``EventStore/contentDigest()``.
public struct StoreContentDigest: Sendable, Equatable {
    /// The digest; its `hex` is what people compare.
    public var sha256: SHA256Digest
    /// The number of effective events it covers, not counting events that a decision excluded.
    public var events: Int64
    /// The number of them that are `disputed`. Until that is decided each is used as appended, so the digest depends
    /// on which copy came first.
    public var disputed: Int64
    /// The last position that was read.
    public var position: Position
    /// The last resolution taken into account; 0 for none.
    public var resolutionID: Int64
    /// The configuration in force, whose `compare` rules determine what is ignored. nil if that has overrides of this
    /// process that the store has not recorded yet.
    public var configurationVersion: Int64?
}

extension EventStore {
    /// A digest over all effective events, which does not depend on the order in which they were ingested.
    ///
    /// Two stores that received the same copies, in any order and batches, have the same digest once everything is
    /// decided, if their policies do not depend on the order of arrival and their `compare` rules are the same.
    /// Anything that those rules ignore, and the notation of `time`, makes no difference.
    ///
    /// Reads every event and verifies it against its checksum and proof, in short transactions. Sorting takes about
    /// twice the bytes of all sources and ids, plus 64 bytes per event, in SQLite's temporary files
    /// (`SQLITE_TMPDIR`), and little memory.
    ///
    /// - throws: `StoreError`: `integrity` names a record that differs from its proof; `diskFull` if there is no
    ///   space for temporary files; `interrupted` if the task is cancelled.
    public func contentDigest() async throws(StoreError) -> StoreContentDigest {
        let (path, options) = (path, options)
        let stop = StopFlag()
        return try await Self.attempt(ContentSorter.operation, path) {
            try await withTaskCancellationHandler {
                try await runOnThread { try ContentDigestReader(path, options, stop).read() }
            } onCancel: {
                stop.set()
            }
        }
    }
}

/// Reads all effective events as of one moment, and sorts them.
private final class ContentDigestReader {
    private let source: EventSource
    private let undecided: Statement
    private let sorter: ContentSorter
    private let stop: StopFlag
    /// Where reading ends, and which decisions it sees: the state of the store at the start.
    private let pinned: (head: Int64, watermark: Int64)
    private let settings: SettingsInForce
    private var form: ComparisonForm
    private var position: Int64 = 0
    private var disputed: Int64 = 0

    init(_ path: String, _ options: StoreOptions, _ stop: StopFlag) throws {
        let source = try EventSource(
            try StoreFile.openForReading(path, options),
            options.checksummer,
            readingAhead: options
        )
        (pinned, settings) = try source.inTransaction {
            let rows = try ConfigurationRows(in: source.connection)
            guard let settings = try SettingsInForce.read(rows, options.overrides) else {
                throw StoreError(
                    .integrity,
                    during: ContentSorter.operation,
                    "there are no settings"
                )
            }
            return ((try source.head(), try source.resolutions.last()), settings)
        }
        undecided = try source.connection.prepare(
            """
            SELECT position
            FROM effective_state
            WHERE position > ?1 AND position <= ?2
                AND (resolution_id IS NULL OR resolution_id > ?3)
            """
        )
        sorter = try ContentSorter(stop)
        form = ComparisonForm(rules: settings.settings.comparison)
        self.source = source
        self.stop = stop
    }

    func read() throws -> StoreContentDigest {
        while position < pinned.head {
            if stop.isSet {
                throw StoreError(.interrupted, during: ContentSorter.operation, "it was stopped")
            }
            try source.inTransaction { try readChunk() }
        }
        let digest = try sorter.digest()
        return StoreContentDigest(
            sha256: digest.digest,
            events: digest.count,
            disputed: disputed,
            position: Position(pinned.head),
            resolutionID: pinned.watermark,
            configurationVersion: settings.recordedVersion
        )
    }

    private func readChunk() throws {
        let deadline =
            SystemClock.monotonicMicroseconds() + EventReadingLimits.pageMicroseconds
        let limit = EventReadingLimits.pageEvents
        let undecided = try undecided(through: position + Int64(limit))
        let read = try source.forEach(
            after: position,
            through: pinned.head,
            limit: limit,
            watermark: pinned.watermark
        ) { event, _ in
            if let event {
                try add(event)
                if event.decision == nil, undecided.contains(event.position) { disputed += 1 }
            }
            return SystemClock.monotonicMicroseconds() < deadline
        }
        position += Int64(read)
    }

    /// Events after `position` that have a conflict, and no decision in force.
    private func undecided(through last: Int64) throws(SQLiteError) -> Set<Int64> {
        try undecided.bind(position, at: 1)
        try undecided.bind(last, at: 2)
        try undecided.bind(pinned.watermark, at: 3)
        var positions: Set<Int64> = []
        while try undecided.step() { positions.insert(undecided.int64(at: 0)) }
        try undecided.reset()
        return positions
    }

    private func add(_ event: ReplayedEvent) throws {
        let content = try event.resolution?.content ?? event.appendedContent()
        try content.withUnsafeBytesTyped { bytes throws(JSONError) in try form.read(bytes) }
        try sorter.add(
            source: Array(try event.names.name(.sources, of: event.row).utf8),
            id: event.row.bytes(at: EventColumn.id),
            form: form.digest
        )
    }
}
