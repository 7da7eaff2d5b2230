import CTallystickSQLite

/// The one place where transactions begin and end.
extension Connection {
    /// Runs `body` in one read transaction: all that it reads is of one moment, and of the schema that was accepted.
    ///
    /// - throws: what `body` throws, or `SQLiteError`. The transaction is over in any case.
    public func read<Result>(_ body: () throws -> Result) throws -> Result {
        try begin()
        let result: Result
        do {
            result = try body()
        } catch {
            // What went wrong says more than why the transaction could not be ended.
            _ = takeBack()
            throw error
        }
        // Not COMMIT: that reports damage once more which a statement of the transaction has met.
        if let failure = takeBack() { throw failure }
        return result
    }

    /// In `read`: goes on with what is stored by now, so that a long reading pins no log.
    public func renewSnapshot() throws {
        try rollBack()
        try begin()
    }

    /// Runs `body` in one transaction that holds the write lock from its beginning. All that it writes is stored, or
    /// nothing.
    ///
    /// - throws: what `body` throws, or `SQLiteError`.
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

    /// Like `write`, but takes everything back, and returns nil, where `body` returns nil; and tells how it failed.
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

    /// A database without a name, in temporary files that nobody else can open, and in one transaction that is never
    /// committed: nothing of it lasts.
    public static func scratch() throws(SQLiteError) -> Connection {
        let connection = try Connection(path: "", mode: .create)
        try connection.execute("BEGIN")
        return connection
    }

    /// Takes the transaction back, if one is still open: SQLite itself takes it back after some failures.
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

    /// Begins a transaction; one that is immediate holds the write lock.
    ///
    /// Where the schema is watched and was changed since it was checked last, it is checked again, in this
    /// transaction: what follows sees the schema that was accepted. Where the log is protected, an immediate
    /// transaction begins only on top of a log that will be on the disk when it is acknowledged.
    ///
    /// - throws: `SQLiteError`, `databaseMoved` among them, or what the check throws; no transaction is open then.
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

    /// Ends a transaction; all of it is stored.
    ///
    /// - throws: `SQLiteError`; the transaction may still be open then (`isAutocommit`). With `databaseMoved` the
    ///   transaction was committed into files that are not at their paths any more.
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

    /// Takes the open transaction back.
    func rollBack() throws(SQLiteError) { try cached(Self.rollback).run() }

    /// Prepares what `rollBack` runs, so that a transaction can be taken back where the memory is used up.
    public func prepareRollback() throws(SQLiteError) { _ = try cached(Self.rollback) }

    fileprivate static let commit = "COMMIT"
    private static let rollback = "ROLLBACK"
}

extension SQLiteError {
    /// Whether the commit of a transaction failed while it ran. One that could not even be prepared was not tried.
    public var isOfCommit: Bool { sql == Connection.commit && operation != "prepare" }
}

extension Authorizer {
    /// How a refusal names the statements that begin and end transactions, by SQLite's code of the action.
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
    /// Why it could not be taken back; nil where it was, or where none was open.
    public let rollbackFailure: SQLiteError?
}
