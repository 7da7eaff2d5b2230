import Glibc
import TallystickSQLite

/// A SQLite file outside of the store that holds a projection and its checkpoint.
enum ProjectionTarget {
    private static let opening = "open the projection's file"

    /// Opens the file, which is made where there is none, with the tables of checkpoints.
    ///
    /// - parameter store: the store that is replayed: the file is another one.
    /// - throws: `StoreError`: `invalidArgument` for the store itself, a file beside it, or another store;
    ///   `notAStore` for a file that is not a database, `notPermitted` for links.
    static func open(
        _ path: String,
        beside store: String,
        _ options: StoreOptions
    ) throws -> Connection {
        // Opening and closing one of these would drop the locks that this process has on it.
        guard !StorePathCheck.isPart(path, of: store) else { throw isStore(path) }
        try NewFile.checkName(path, during: opening)
        try create(path)
        try StorePathCheck.check(path, forWriting: true, during: opening)
        do {
            let connection = try Connection(
                path: path,
                mode: .readWrite,
                busyTimeoutMilliseconds: options.busyTimeout.wholeMilliseconds,
                firesTriggers: false
            )
            // The file has a rollback journal, whose removal is the commit: it is on the disk once the folder is
            // synced.
            try connection.execute("PRAGMA synchronous = EXTRA")
            let id = try connection.prepare("PRAGMA application_id").optionalInt64() ?? 0
            guard id != StoreSchema.applicationID else { throw isStore(path) }
            // The file may be another program's, in whatever mode that has chosen.
            if try connection.prepare("PRAGMA journal_mode").first({ $0.text(at: 0) }) == "wal" {
                try connection.protectLog()
            }
            try addTables(connection)
            return connection
        } catch {
            throw StoreError(error, during: opening, on: path)
        }
    }

    /// Makes sure of the tables of checkpoints; a file that is refused is left as it was.
    private static func addTables(_ connection: Connection) throws {
        let count = try connection.prepare(
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('replay_checkpoints', 'parked_events')"
        )
        if try count.optionalInt64() == 2 { return try check(connection) }
        try connection.write {
            try connection.execute(CheckpointRows.table)
            try connection.execute(ReplayRows.parkedTable)
            try check(connection)
        }
    }

    private static func check(_ connection: Connection) throws {
        try refuseOtherTables(connection)
        try ProjectionSchema.checkCheckpointTables(of: connection)
    }

    /// Makes an empty file, ours alone, where there is nothing.
    private static func create(_ path: String) throws(StoreError) {
        var status = stat()
        guard lstat(path, &status) != 0 else { return }
        let operation = "create the projection's file"
        try NewFile.refuseLeftLog(beside: path, during: operation)
        close(try NewFile.create(path, during: operation))
        // Its name lasts before there is a journal, which a loss of power would otherwise leave alone.
        do throws(SystemCallError) {
            try Folder.sync(containing: path)
        } catch {
            throw StoreError(
                .inputOutput,
                during: operation,
                on: path,
                "its folder could not be synced: \(error.reason)",
                hint: "Check the disk, and run the command again"
            )
        }
    }

    private static func isStore(_ path: String) -> StoreError {
        StoreError(
            .invalidArgument,
            during: opening,
            on: path,
            "this is a Tallystick store, or a file beside one",
            hint: "Leave --into out to project into the store itself"
        )
    }
}

extension ProjectionTarget {
    /// Opens the file of a projection that is there.
    ///
    /// - throws: `StoreError` with `notFound` when it is gone.
    static func openForReading(_ path: String, _ options: StoreOptions) throws -> Connection {
        guard access(path, F_OK) == 0 else {
            throw StoreError(
                .notFound,
                during: opening,
                on: path,
                "there is no file",
                hint: "Run the replay with --into and the file's path of now, or drop it"
            )
        }
        try StorePathCheck.check(path, forWriting: false, during: opening)
        do {
            return try HotJournal.playingBack(path, options) { () throws(SQLiteError) in
                try Connection(
                    path: path,
                    mode: .readOnly,
                    busyTimeoutMilliseconds: options.busyTimeout.wholeMilliseconds
                )
            }
        } catch {
            throw StoreError(error, during: opening, on: path)
        }
    }
}

extension ProjectionTarget {
    /// A file of somebody else may have tables of the same names.
    private static func refuseOtherTables(_ connection: Connection) throws {
        do throws(any Error) {
            _ = try CheckpointRows(in: connection)
            _ = try ReplayRows(in: connection).parkedCount("")
        } catch {
            guard let failure = error as? SQLiteError, ResultCode.error ~= failure.code else {
                throw error
            }
            throw StoreError(
                .invalidArgument,
                during: opening,
                on: connection.path,
                "a table in it has the name of one of ours, and is another one: \(failure.message)",
                hint: "Choose another file for --into"
            )
        }
    }
}
