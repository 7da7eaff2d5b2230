import Glibc
import TallystickCore
import TallystickSQLite

/// Hands the log to a sink from a place that the caller knows, and keeps no checkpoint.
struct SinkPass {
    let setting: ReplayContext
    let sink: any ReplaySink

    /// - returns: where it ended.
    func run(after start: ReplayCursor) throws -> ReplayCursor {
        let reader = try SinkReader(setting)
        var checkpoint = Checkpoint(setting.definition, storeID: setting.storeID)
        try reader.source.inTransaction {
            checkpoint.position = start.position.rawValue
            checkpoint.watermark =
                try start.resolutionID
                ?? reader.source.resolutions.last(before: start.position.rawValue)
            try refuseUnknown(checkpoint, reader.source)
        }
        var hold: String?
        while !setting.stop.isSet {
            let version = try reader.source.storeVersion()
            let before = checkpoint
            let batch = try reader.read(&checkpoint)
            guard checkpoint != before else {
                hold = batch.window.held.map { ReplayEngine.holds($0) }
                guard setting.follows else { break }
                while try reader.source.storeVersion() == version, !setting.stop.isSet {
                    usleep(ReplayLimits.pollMicroseconds)
                }
                continue
            }
            hold = nil
            if !batch.items.isEmpty { try hand(batch.items) }
            setting.options.onProgress?(
                ProgressUpdate(done: checkpoint.position, total: batch.window.head)
            )
        }
        var end = ReplayCursor(
            after: Position(checkpoint.position),
            resolutionID: checkpoint.watermark == 0 ? nil : checkpoint.watermark
        )
        end.hold = hold
        return end
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
