/// How long a writer works at a time, and how large the write-ahead log may grow.
package struct WriterLimits: Sendable {
    /// How long a transaction works before it leaves the rest of its batch to the next one.
    package var transactionMicroseconds = IngestLimits.transactionMicroseconds
    /// How long a transaction of several batches is expected to take at most.
    package static let groupMicroseconds: Int64 = 1_000_000
    /// Pages in the log above which it is written back.
    package var checkpointFrames: Int32 = 16_384
    /// Pages in the log at which the writer waits for readers: 1 GiB, far beyond one transaction.
    package var pauseFrames: Int32 = 262_144
    /// How long it waits.
    package var pauseMicroseconds: Int64 = 2_000_000
    /// How often it checks while it waits.
    package static let pollMicroseconds: UInt32 = 20_000
    /// Pages in the log above which it is restarted when a store is closed.
    package static let longLogFrames: Int32 = 256
}

/// Limits of ingest.
package enum IngestLimits {
    /// How many quarantined inputs a report lists; all are stored.
    package static let reportedQuarantine = 100
    /// A batch, which is one transaction, ends after this many records,
    package static let batchRecords = 49_152
    /// or after this many bytes of input.
    package static let batchBytes = 16 << 20
    /// Records of the first batch; later batches grow.
    package static let firstBatch = 16_384
    /// If transactions take long, batches shrink, down to this many records.
    package static let smallestBatch = 1_024
    /// How long a transaction works before it leaves the rest of its batch to the next one.
    package static let transactionMicroseconds: Int64 = 700_000
    /// Bytes read from a file at a time.
    package static let readChunk = 1 << 20
}
