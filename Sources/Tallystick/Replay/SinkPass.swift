import TallystickCore
import TallystickSQLite

/// Hands the log to a sink from a place that the caller knows, and keeps no checkpoint.
final class SinkPass: SteppingReplay {
    let setting: ReplayContext
    private let sink: any ReplaySink
    private let reader: SinkReader
    private var checkpoint: Checkpoint
    var outcome: ReplayOutcome

    init(_ setting: ReplayContext, _ sink: any ReplaySink) throws {
        self.setting = setting
        self.sink = sink
        reader = try SinkReader(setting)
        checkpoint = Checkpoint(setting.definition, storeID: setting.storeID)
        outcome = ReplayOutcome(replay: setting.definition.name)
    }

    /// - returns: where it ended.
    func run(after start: ReplayCursor) throws -> ReplayCursor {
        try reader.source.inTransaction {
            checkpoint.position = start.position.rawValue
            checkpoint.watermark =
                try start.resolutionID
                ?? reader.source.resolutions.last(before: start.position.rawValue)
            try refuseUnknown(checkpoint, reader.source)
        }
        _ = try loop()
        var end = ReplayCursor(
            after: Position(checkpoint.position),
            resolutionID: checkpoint.watermark == 0 ? nil : checkpoint.watermark
        )
        end.hold = outcome.reason
        return end
    }

    func storeVersion() throws -> Int64 { try reader.source.storeVersion() }

    /// Nobody keeps count of its calls.
    func closure() throws -> BreakerClosure? { nil }

    func step() throws -> ReplayStep {
        let batch = try reader.read(after: checkpoint)
        guard batch.end != checkpoint else { return batch.window.held.map { .held($0) } ?? .atEnd }
        outcome.reason = nil
        if !batch.items.isEmpty { try hand(batch.items) }
        checkpoint = batch.end
        setting.options.onProgress?(
            ProgressUpdate(done: checkpoint.position, total: batch.window.head)
        )
        return .moved
    }

    func wait(
        since version: Int64,
        _ status: ReplayOutcome.Status,
        orUntil isOver: () throws -> Bool
    ) throws {
        try poll(since: version, orUntil: isOver)
    }

    private func hand(_ items: [ReplayItem]) throws {
        do {
            try sink.take(items)
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(
                .sinkFailed,
                during: "replay",
                on: "the batch from position \(items.first?.position ?? 0)",
                "the sink did not take it: \(error)",
                isRetryable: true
            )
        }
    }

    private func refuseUnknown(_ checkpoint: Checkpoint, _ source: EventSource) throws {
        let (head, last) = (try source.head(), try source.resolutions.last())
        guard checkpoint.position > head || checkpoint.watermark > last else { return }
        throw StoreError(
            .historyDiffers,
            during: "resume the replay",
            on: "position \(checkpoint.position), resolution \(checkpoint.watermark)",
            "the store ends at position \(head), resolution \(last)",
            hint: "Restore the right store, or start again without --after"
        )
    }
}
