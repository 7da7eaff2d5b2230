import TallystickSQLite
import TallystickStorage

/// A few open connections for short reads, so that not every read opens the store again.
final class ReadingConnections: Sendable {
    /// Maximum number of idle connections that stay open.
    private static let most = 2

    private let path: String
    private let options: StoreOptions
    /// nil once they are closed.
    private let idle = POSIXMutex<[Idle]?>([])

    /// Unchecked Sendable: only the thread that took out a connection uses it.
    private struct Idle: @unchecked Sendable {
        let connection: Connection
    }

    init(_ path: String, _ options: StoreOptions) {
        self.path = path
        self.options = options
    }

    /// Runs `body` in one read transaction.
    func read<Result>(_ body: (Connection) throws -> Result) throws -> Result {
        let connection = try take() ?? StoreFile.openForReading(path, options)
        // A connection that has failed is not used again.
        let result = try connection.read { try body(connection) }
        giveBack(connection)
        return result
    }

    /// Closes the connections; those in use are closed when their reads end.
    func close() {
        idle.withLock { $0 = nil }
    }

    private func take() -> Connection? {
        while let idle = (idle.withLock { $0?.popLast() }) {
            // The file may have been replaced since.
            if !idle.connection.hasMoved { return idle.connection }
        }
        return nil
    }

    private func giveBack(_ connection: Connection) {
        let returned = Idle(connection: connection)
        idle.withLock { idle in
            if let count = idle?.count, count < Self.most { idle?.append(returned) }
        }
    }
}
