import TallystickCore
import TallystickSQLite

/// Something outside of SQLite that takes what a replay hands on.
public protocol ReplaySink: Sendable {
    /// Takes a batch, in order; never empty. Called on a thread of its own, and may block.
    ///
    /// What it throws leaves the batch with the replay, which halts.
    func take(_ batch: [ReplayItem]) throws
}

/// A sink made of a closure that may suspend.
public struct BatchHandler: ReplaySink {
    private let body: @Sendable ([ReplayItem]) async throws -> Void

    /// Hands each batch to `body`, and waits for it.
    public init(_ body: @escaping @Sendable ([ReplayItem]) async throws -> Void) {
        self.body = body
    }

    /// Calls the closure; blocks the thread until it returns.
    public func take(_ batch: [ReplayItem]) throws {
        let body = body
        try waitFor { try await body(batch) }
    }
}

extension EventStore {
    /// Hands the log to a sink, batch by batch, from where the last run stopped up to the head.
    ///
    /// The checkpoint is kept in the store under `name`, and moves when the sink has taken a batch. A run that is
    /// killed before that delivers the batch again: every item is delivered at least once, and its position (a
    /// correction's resolution id) tells whether it was seen. Events are delivered as appended; a decision over one
    /// follows as a correction. No transaction is open while the sink works. When it throws, the replay
    /// halts before the batch.
    ///
    /// - parameter sink: what takes the batches.
    /// - parameter name: the replay's name, under which its checkpoint is kept.
    /// - parameter options: `target` and `alwaysRebuilds` have no meaning here, and `onPoison` must be `halt`. With
    ///   `rebuild`, a checkpoint that does not fit the store is put back to the beginning.
    /// - returns: how the replay ended. A cancelled task finishes its batch and returns `paused`.
    /// - throws: `StoreError`: `projectionInvalid` for a name that is none, `projectionChanged` for one of a
    ///   projection, `historyDiffers`, `integrity`, `busy`.
    public func replay(
        into sink: some ReplaySink,
        named name: String,
        options: ReplayOptions = ReplayOptions()
    ) async throws(StoreError) -> ReplayOutcome {
        try await deliver(to: sink, name, options, follows: false)
    }

    /// Delivers like ``replay(into:named:options:)``, and at the head waits for more, until the task is cancelled.
    public func follow(
        into sink: some ReplaySink,
        named name: String,
        options: ReplayOptions = ReplayOptions()
    ) async throws(StoreError) -> ReplayOutcome {
        try await deliver(to: sink, name, options, follows: true)
    }

    /// Hands the log to a sink from a place that the caller keeps; the store keeps no checkpoint.
    ///
    /// - parameter sink: what takes the batches.
    /// - parameter cursor: the place after which the run begins.
    /// - parameter options: as for ``replay(into:named:options:)``.
    /// - parameter follows: whether to wait for more at the head, until the task is cancelled.
    /// - returns: where to go on, and what held the replay there, if anything did.
    /// - throws: `StoreError`: `historyDiffers` for a place that the store does not have, `integrity`; what
    ///   the sink throws.
    public func replay(
        into sink: some ReplaySink,
        after cursor: ReplayCursor,
        options: ReplayOptions = ReplayOptions(),
        follows: Bool = false
    ) async throws(StoreError) -> ReplayCursor {
        try await withSetting("replay", Self.sinkDefinition(""), options) { setting in
            var setting = setting
            setting.follows = follows
            return try SinkPass(setting, sink).run(after: cursor)
        }
    }

    private func deliver(
        to sink: some ReplaySink,
        _ name: String,
        _ options: ReplayOptions,
        follows: Bool
    ) async throws(StoreError) -> ReplayOutcome {
        guard ProjectionFile.isName(name) else {
            throw StoreError(
                .projectionInvalid,
                during: "replay",
                on: "replay '\(name)'",
                "a name is [a-z_][a-z0-9_]*, at most 64 bytes"
            )
        }
        guard options.onPoison == .halt else {
            throw StoreError(
                .invalidArgument,
                during: "replay",
                on: "replay '\(name)'",
                "a sink takes whole batches: where it takes one not, the replay can only halt"
            )
        }
        let definition = Self.sinkDefinition(name)
        let outcome = try await withSetting("replay", definition, options) { setting in
            var setting = setting
            setting.follows = follows
            setting.place = .sink
            return try SinkEngine(setting, sink).run()
        }
        StoreMetrics.replayed(name, to: outcome.position)
        return outcome
    }

    private static func sinkDefinition(_ name: String) -> ReplayDefinition {
        ReplayDefinition(
            name: name,
            version: 1,
            digest: SHA256Digest(hashing: Array("sink".utf8)),
            onCorrection: .apply
        )
    }
}
