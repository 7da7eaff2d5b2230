import Synchronization

/// How large a batch may be: smaller where its transaction takes longer than about a second, on a slow disk or
/// in a large store. The first batches are small, so that the writer begins soon. Set on the writing side, seen on
/// the reading side.
final class BatchPace: Sendable {
    private let limit = Atomic<Int>(IngestLimits.firstBatch)

    /// Records after which a batch ends.
    var records: Int { limit.load(ordering: .relaxed) }
    /// Bytes of input after which a batch ends.
    var bytes: Int { IngestLimits.batchBytes / IngestLimits.batchRecords * records }

    /// Learns from the time that a transaction with so many records took.
    func note(records: Int, microseconds: Int64) {
        let aim = IngestLimits.transactionMicroseconds
        let now = self.records
        if microseconds > aim * 3 / 2 {
            let fitting = Int(Int64(records) * aim / microseconds)
            limit.store(max(IngestLimits.smallestBatch, min(now, fitting)), ordering: .relaxed)
        } else if microseconds < aim / 2, records >= now {
            limit.store(min(IngestLimits.batchRecords, now * 2), ordering: .relaxed)
        }
    }
}
