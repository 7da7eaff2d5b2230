import CTallystickSQLite

/// The one place where transactions begin and end.
extension Connection {
    /// Runs `body` in one read transaction: everything it reads is from one moment, and has the accepted schema.
    ///
    /// - throws: any error of `body`, or `SQLiteError`. The transaction is over in any case.
    public func read<Result>(_ body: () throws -> Result) throws -> Result {
        try begin()
        let result: Result
        do {
            result = try body()
        } catch {
            // The original error is more useful than one about ending the transaction.
            _ = takeBack()
            throw error
        }
        // Not COMMIT, which reports again any damage that a statement of the transaction has met.
        if let failure = takeBack() { throw failure }
        return result
    }

    /// Inside `read`: moves on to the newest state, so that a long read does not pin the log.
    public func renewSnapshot() throws {
        try rollBack()
        try begin()
    }

    /// Runs `body` in one transaction that holds the write lock from its beginning. All of its writes are stored,
    /// or none.
    ///
    /// - throws: any error of `body`, or `SQLiteError`.
    public func write<Result>(_ body: () throws -> Result) throws -> Result {
        do throws(TransactionFailure) {
            return try write(body) { _ in true }
        } catch {
            throw error.cause
        }
    }

    /// Keeps every other writer out while `body` runs; this connection's transaction stores nothing.
    func holdWriteLock<Result>(_ body: () throws -> Result) throws -> Result {
        do throws(TransactionFailure) {
            return try write(body) { _ in false }
        } catch {
            throw error.cause
        }
    }

    /// Like `write`, but rolls back and returns nil if `body` returns nil. Its error says how the transaction failed.
    public func attemptWrite<Result>(
        _ body: () throws -> Result?
    ) throws(TransactionFailure) -> Result? {
        try write(body) { $0 != nil }
    }

    private func write<Result>(
        _ body: () throws -> Result,
        isStored: (Result) -> Bool
    ) throws(TransactionFailure) -> Result {
        var phase = TransactionFailure.Phase.begin
        do {
            try begin(immediate: true)
            phase = .body
            let result = try body()
            if isStored(result) {
                phase = .commit
                try commit()
            } else {
                try rollBack()
            }
            return result
        } catch {
            throw TransactionFailure(phase: phase, cause: error, rollbackFailure: takeBack())
        }
    }

    /// A database without a name, in temporary files that no other process can open, and in one transaction that
    /// is never committed: none of it lasts.
    public static func scratch() throws(SQLiteError) -> Connection {
        let connection = try Connection(path: "", mode: .create)
        try connection.execute("BEGIN")
        return connection
    }

    /// Rolls the transaction back if it is still open: SQLite itself rolls it back after some failures.
    private func takeBack() -> SQLiteError? {
        guard !isAutocommit else { return nil }
        do {
            try rollBack()
            return nil
        } catch {
            return error
        }
    }

    // MARK: Steps

    /// Begins a transaction; an immediate one holds the write lock.
    ///
    /// If the schema is watched and has changed since the last check, it is checked again in this transaction, so
    /// that the following statements see an accepted schema. If the log is protected, an immediate transaction
    /// begins only if the log before it is sure to be on disk when the transaction is acknowledged.
    ///
    /// - throws: `SQLiteError`, including `databaseMoved`, or any error of the check; no transaction is open then.
    func begin(immediate: Bool = false) throws {
        try cached(immediate ? "BEGIN IMMEDIATE" : "BEGIN").run()
        do {
            isWriting = immediate
            if immediate, let protection {
                frames.hasGrown = false
                try protection.files.check(self)
                try protection.durability.prepare(self)
            }
            try schemaWatch?.check(self)
        } catch {
            if !isAutocommit { try rollBack() }
            throw error
        }
    }

    /// Commits a transaction.
    ///
    /// - throws: `SQLiteError`; the transaction may still be open then (`isAutocommit`). With `databaseMoved` the
    ///   transaction was committed to files that are no longer at their paths.
    func commit() throws(SQLiteError) {
        do throws(SQLiteError) {
            try cached(Self.commit).run()
        } catch {
            if error.isInputOutput { distrustLog() }
            throw error
        }
        guard isWriting, let protection else { return }
        isWriting = false
        if frames.hasGrown {
            try protection.durability.committed(self, frames: UInt32(frames.count))
        }
        try protection.files.check(self)
    }

    /// Rolls back the open transaction.
    func rollBack() throws(SQLiteError) { try cached(Self.rollback).run() }

    /// Prepares the statement of `rollBack`, so that a transaction can be rolled back when memory has run out.
    public func prepareRollback() throws(SQLiteError) { _ = try cached(Self.rollback) }

    fileprivate static let commit = "COMMIT"
    private static let rollback = "ROLLBACK"
}

extension SQLiteError {
    /// Whether the commit itself failed while it ran. A commit that could not be prepared was never tried.
    public var isOfCommit: Bool { sql == Connection.commit && operation != "prepare" }
}

extension Authorizer {
    /// The names, for refusals, of the statements that begin and end transactions, by SQLite's action code.
    static let transactionWords: [Int32: String] = [
        SQLITE_TRANSACTION: "transaction control", SQLITE_SAVEPOINT: "SAVEPOINT",
    ]
}

/// How a transaction failed.
public struct TransactionFailure: Error {
    /// How far a transaction came.
    public enum Phase: Sendable {
        case begin, body, commit
    }

    public let phase: Phase
    public let cause: any Error
    /// Why the rollback failed; nil if it succeeded, or if no transaction was open.
    public let rollbackFailure: SQLiteError?
}
