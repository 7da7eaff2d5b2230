import TallystickCore
import TallystickSQLite

/// What a replay consumes at a place.
enum LogItem {
    case event(ReplayedEvent, EventSource.ConsumedEvent)
    /// An event that a resolution excludes: it counts as consumed, and nothing is done with it.
    case excluded(EventSource.ConsumedEvent)
    case correction(VerifiedResolution)

    var place: LogPlace {
        switch self {
        case .event(_, let consumed), .excluded(let consumed):
            LogPlace(position: consumed.position)
        case .correction(let resolution):
            LogPlace(position: resolution.position, resolutionID: resolution.resolutionID)
        }
    }
}

/// The log as a replay consumes it: verified events in order of position and, where corrections are applied,
/// each resolution right after the event at its `after_position`, wherever batches end.
final class ReplayLog {
    let source: EventSource
    private let onCorrection: ProjectionFile.OnCorrection
    private let heldCategories: @Sendable () -> [String]
    private let until: Int64?

    init(
        _ source: EventSource,
        _ onCorrection: ProjectionFile.OnCorrection,
        heldCategories: @escaping @Sendable () -> [String],
        until: Int64?
    ) {
        self.source = source
        self.onCorrection = onCorrection
        self.heldCategories = heldCategories
        self.until = until
    }

    /// How far a replay can go now.
    struct Window {
        var head: Int64
        /// The last position that can be consumed.
        var last: Int64
        /// The position behind it, where a conflict holds the replay.
        var held: Int64?
    }

    /// Looks how far a replay can go from a checkpoint; begins a read transaction.
    func window(from checkpoint: Checkpoint) throws -> Window {
        source.beginTransaction()
        let head = try source.head()
        let wanted = min(head, until ?? head)
        let held = try source.firstHeld(
            after: checkpoint.position,
            categories: heldCategories(),
            watermark: onCorrection == .rebuild ? checkpoint.watermark : nil
        )
        guard let held, held <= wanted else { return Window(head: head, last: wanted) }
        return Window(head: head, last: held - 1, held: held)
    }

    /// Whether there is anything to consume, in the read transaction of a window.
    func hasMore(after checkpoint: Checkpoint, _ window: Window) throws -> Bool {
        if window.last > checkpoint.position { return true }
        guard onCorrection == .apply,
            let next = try source.resolutions.next(after: checkpoint.watermark)
        else { return false }
        return next.afterPosition <= checkpoint.position
    }

    /// How a pass ends.
    struct Bounds {
        /// Events and corrections.
        var limit: Int
        /// Ends before this place.
        var stopBefore: LogPlace?
        /// Monotonic microseconds.
        var deadline = SystemClock.monotonicMicroseconds() + ReplayLimits.passMicroseconds
    }

    /// What was done with an item.
    struct Handled {
        /// For the digest of what was applied; nil where there is nothing to add to it.
        var action: ReplayDigest.Action?
        /// Whether the pass ends after it.
        var isLast = false
    }

    /// What a pass consumed.
    struct Consumed {
        /// The checkpoint behind it.
        var end: Checkpoint
        var events = 0
        var corrections = 0
        var count: Int { events + corrections }
    }

    /// Consumes what comes after a checkpoint.
    ///
    /// - parameter body: does something with each item.
    func consume(
        from checkpoint: Checkpoint,
        _ window: Window,
        _ bounds: Bounds,
        _ body: (LogItem) throws -> Handled
    ) throws -> Consumed {
        var consumed = Consumed(end: checkpoint)
        var shouldContinue = true
        while shouldContinue, consumed.count < bounds.limit {
            var last = window.last
            if onCorrection == .apply,
                let next = try source.resolutions.next(after: consumed.end.watermark)
            {
                if next.afterPosition <= consumed.end.position {
                    let item = LogItem.correction(next)
                    if item.place == bounds.stopBefore { break }
                    Self.note(next, in: &consumed.end)
                    let handled = try body(item)
                    consumed.end.note(handled.action, at: item.place)
                    shouldContinue = !handled.isLast && !Self.isOver(bounds.deadline)
                    consumed.corrections += 1
                    continue
                }
                last = min(last, next.afterPosition)
            }
            if let stop = bounds.stopBefore, stop.resolutionID == 0 {
                last = min(last, stop.position - 1)
            }
            guard last > consumed.end.position else { break }
            let limit = bounds.limit - consumed.count
            let events = try consumeEvents(
                &consumed.end,
                through: last,
                limit: limit,
                deadline: bounds.deadline,
                body
            )
            consumed.events += events.count
            shouldContinue = events.shouldContinue
        }
        if consumed.events > 0 { consumed.end.root = source.consumed.root }
        return consumed
    }

    private func consumeEvents(
        _ checkpoint: inout Checkpoint,
        through last: Int64,
        limit: Int,
        deadline: Int64,
        _ body: (LogItem) throws -> Handled
    ) throws -> (count: Int, shouldContinue: Bool) {
        var shouldContinue = true
        let isPinned = onCorrection == .rebuild
        let end = min(last, checkpoint.position + Int64(limit))
        if !isPinned {
            try source.resolutions.refuseLost(after: checkpoint.position, through: end)
        }
        let count = try source.forEach(
            after: checkpoint.position,
            through: last,
            limit: limit,
            watermark: isPinned ? checkpoint.watermark : nil
        ) { event, consumed in
            checkpoint.position = consumed.position
            let item: LogItem
            if let event {
                checkpoint.digest.addEvent(
                    position: consumed.position,
                    revision: consumed.revision,
                    content: consumed.content,
                    stream: event.row.streamName
                )
                item = .event(event, consumed)
            } else {
                checkpoint.digest.addExcluded(
                    position: consumed.position,
                    resolutionID: consumed.excludedBy ?? 0
                )
                item = .excluded(consumed)
            }
            let handled = try body(item)
            checkpoint.note(handled.action, at: item.place)
            shouldContinue =
                !handled.isLast && !(consumed.position % 512 == 0 && Self.isOver(deadline))
            return shouldContinue
        }
        return (count, shouldContinue)
    }

    private static func note(_ resolution: VerifiedResolution, in checkpoint: inout Checkpoint) {
        checkpoint.watermark = resolution.resolutionID
        checkpoint.digest.addCorrection(
            resolutionID: resolution.resolutionID,
            position: resolution.position,
            content: resolution.contentDigest ?? .zero,
            decision: resolution.decision
        )
    }

    private static func isOver(_ deadline: Int64) -> Bool {
        SystemClock.monotonicMicroseconds() >= deadline
    }
}

extension Checkpoint {
    fileprivate mutating func note(_ action: ReplayDigest.Action?, at place: LogPlace) {
        if let action { appliedDigest.add(action, at: place) }
    }
}

/// Limits of a replay.
enum ReplayLimits {
    /// Events and corrections of one transaction.
    static let batch = 10_000
    /// After so long a pass ends its transaction.
    static let passMicroseconds: Int64 = 800_000
    /// How often the store is told where a replay stands.
    static let noteMicroseconds: Int64 = 1_000_000
    /// How often a replay that follows looks for more.
    static let pollMicroseconds: UInt32 = 50_000
    /// Bytes of a batch for a sink, as the content of its events.
    static let sinkBatchBytes = 8 << 20
}
