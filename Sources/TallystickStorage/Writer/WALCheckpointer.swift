import Logging
package import TallystickSQLite

/// Keeps the write-ahead log small: writes it back into the database, and delays the writer for a while if readers
/// of older snapshots prevent that.
package final class WALCheckpointer {
    private let path: String
    private let connection: Connection
    private let checkpointer: Checkpointer
    private let limits: WriterLimits
    private let logger: Logger
    /// Pages of the log at which the writer waits.
    private var pauseAt: Int32

    package init(
        _ path: String,
        _ connection: Connection,
        lockConnection: Connection,
        _ options: StoreOptions
    ) {
        self.path = path
        self.connection = connection
        checkpointer = Checkpointer(connection, lockConnection: lockConnection)
        limits = options.writerLimits
        logger = options.logger
        pauseAt = limits.pauseFrames
    }

    /// Whether it is about to be written back.
    package var isLarge: Bool { connection.walFrames >= limits.checkpointFrames }

    /// Called after each commit.
    package func committed() {
        let frames = connection.walFrames
        guard isLarge else {
            pauseAt = limits.pauseFrames
            return
        }
        let isWrittenBack = checkpoint()
        guard !isWrittenBack, frames >= pauseAt else { return }
        pause(frames)
    }

    /// Waits for readers, but not for ever: a reader that never ends must not stop the writer.
    private func pause(_ frames: Int32) {
        let deadline = SystemClock.monotonicMicroseconds() + limits.pauseMicroseconds
        while SystemClock.monotonicMicroseconds() < deadline {
            SystemClock.sleep(microseconds: WriterLimits.pollMicroseconds)
            if checkpoint() { return }
        }
        // The next wait comes when the log has grown by as much again.
        pauseAt = frames + limits.pauseFrames
        logger.warning(
            "a reader keeps the write-ahead log from being written back",
            metadata: [
                "store": "\(path)",
                "log_bytes": "\(Int64(frames) * Int64(StoreLimits.pageBytes))",
                "waited_ms": "\(limits.pauseMicroseconds / 1000)",
            ]
        )
    }

    /// Writes the log back before the store is closed, and restarts the log if it is long.
    ///
    /// The first process that opens a store reads the whole log again, and does not know how much was written
    /// back: only a commit after a complete checkpoint makes the log short (sqlite.org/walformat.html, "reset").
    ///
    /// Does not wait for another process that is writing: that process writes the log back itself.
    package func finish() {
        checkpointer.stopWaiting()
        guard checkpoint(), connection.walFrames >= WriterLimits.longLogFrames else { return }
        do {
            let schema = try StoreSchema.version(of: connection)
            // Writes the same value: a commit of one page that changes nothing.
            try connection.write { try connection.execute("PRAGMA user_version = \(schema)") }
        } catch {
            // The log is complete, just longer than necessary; closing the connection ends the transaction.
            report(error, "the write-ahead log could not be made shorter")
        }
    }

    /// Writes the log back into the database, as far as readers allow.
    ///
    /// - returns: whether all of it was written back. If not, nothing is lost: the log is complete, and the next
    ///   commit tries again.
    @discardableResult
    package func checkpoint() -> Bool {
        do {
            return try checkpointer.run()?.isComplete ?? false
        } catch {
            report(error, "the write-ahead log could not be written back")
            return false
        }
    }

    /// Other processes that are writing need no report.
    private func report(_ error: any Error, _ message: Logger.Message) {
        if let error = error as? SQLiteError, error.isBusy { return }
        logger.warning(message, metadata: ["store": "\(path)", "error": "\(error)"])
    }
}
