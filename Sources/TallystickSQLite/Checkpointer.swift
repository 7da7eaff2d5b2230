/// Writes a database's log back while every other writer is kept out.
///
/// SQLite before 3.51.3 can corrupt a database when one connection checkpoints while another commits and resets
/// the log (sqlite.org/wal.html#walresetbug), so a second connection of ours holds the write lock meanwhile.
public struct Checkpointer {
    private let connection: Connection
    private let lockConnection: Connection

    /// - parameter lockConnection: another connection of the same owner to the same database.
    public init(_ connection: Connection, lockConnection: Connection) {
        self.connection = connection
        self.lockConnection = lockConnection
    }

    /// Makes checkpoints stop waiting for other writers from now on.
    public func stopWaiting() {
        for connection in [connection, lockConnection] {
            connection.setBusyTimeout(milliseconds: 0)
        }
    }

    /// The result of a checkpoint.
    public struct Progress: Sendable {
        /// Pages in the log.
        public let frames: Int64
        /// Pages of the log that are now in the database; fewer if readers need older pages.
        public let written: Int64
        public var isComplete: Bool { frames == written }
    }

    /// - returns: nil if there is no log.
    /// - throws: `SQLiteError`: busy, or a disk error. Nothing is lost: the log is complete.
    public func run() throws -> Progress? {
        try lockConnection.holdWriteLock {
            do {
                let checkpoint = try connection.cached("PRAGMA wal_checkpoint(PASSIVE)")
                let progress =
                    try checkpoint.step()
                    ? Progress(
                        frames: checkpoint.int64(at: 1),
                        written: checkpoint.int64(at: 2)
                    ) : nil
                try checkpoint.reset()
                return progress.flatMap { $0.frames < 0 ? nil : $0 }
            } catch {
                // The failed sync may have been that of the log.
                connection.distrustLog()
                throw error
            }
        }
    }
}
