import TallystickCore
import TallystickSQLite

/// Reads the log in batches for a sink outside of SQLite. No transaction is open while a sink works.
final class SinkReader {
    let source: EventSource
    private let log: ReplayLog
    private let batch: Int

    init(_ setting: ReplayContext) throws {
        source = try EventSource(
            try StoreFile.openForReading(setting.path, setting.storeOptions),
            setting.storeOptions.checksummer
        )
        batch = setting.batch
        // A sink cannot be built anew: it gets the event as appended, and then its corrections.
        log = ReplayLog(
            source,
            .apply,
            heldCategories: setting.heldCategories,
            until: setting.options.until?.rawValue
        )
    }

    /// What comes next.
    struct Batch {
        /// The checkpoint behind it.
        var end: Checkpoint
        var items: [ReplayItem] = []
        var events = 0
        var window: ReplayLog.Window
    }

    /// Reads the next batch.
    func read(after checkpoint: Checkpoint) throws -> Batch {
        try source.inTransaction {
            var batch = Batch(end: checkpoint, window: try log.window(from: checkpoint))
            var bytes = 0
            let bounds = ReplayLog.Bounds(limit: self.batch)
            let consumed = try log.consume(from: checkpoint, batch.window, bounds) { item in
                guard let handed = try replayed(item) else { return ReplayLog.Handled() }
                batch.items.append(handed)
                bytes += handed.byteCount
                return ReplayLog.Handled(
                    action: .applied,
                    isLast: bytes >= ReplayLimits.sinkBatchBytes
                )
            }
            (batch.end, batch.events) = (consumed.end, consumed.events)
            return batch
        }
    }

    /// Whether there is anything to read.
    func hasMore(after checkpoint: Checkpoint) throws -> Bool {
        try source.inTransaction {
            try log.hasMore(after: checkpoint, try log.window(from: checkpoint))
        }
    }

    private func replayed(_ item: LogItem) throws -> ReplayItem? {
        switch item {
        case .excluded: return nil
        case .event(let event, _):
            return .event(try StoredEvent(event))
        case .correction(let resolution):
            guard resolution.decidesContent else { return nil }
            var correction: EventCorrection?
            try source.withCorrected(resolution) { correction = try EventCorrection($0) }
            return correction.map { .correction($0) }
        }
    }
}

extension ReplayItem {
    fileprivate var byteCount: Int {
        switch self {
        case .event(let event): event.content.count
        case .correction(let correction):
            correction.event.content.count + (correction.previousContent?.count ?? 0)
        }
    }
}
