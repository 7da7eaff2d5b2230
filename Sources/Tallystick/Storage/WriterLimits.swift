/// How long a writer works at a time, and how large it lets the write-ahead log grow.
package struct WriterLimits: Sendable {
    /// How long a transaction works before it leaves the rest of its batch to the next one.
    var transactionMicroseconds = IngestLimits.transactionMicroseconds
    /// How long a transaction of several batches may be expected to take.
    static let groupMicroseconds: Int64 = 1_000_000
    /// Pages in the log after which it is written back.
    package var checkpointFrames: Int32 = 16_384
    /// Pages in the log at which the writer waits for readers: 1 GiB, far beyond one transaction.
    var pauseFrames: Int32 = 262_144
    /// How long it waits.
    var pauseMicroseconds: Int64 = 2_000_000
    /// How often it looks while it waits.
    static let pollMicroseconds: UInt32 = 20_000
    /// Pages in the log from which on it begins anew when a store is closed.
    static let longLogFrames: Int32 = 256
}
