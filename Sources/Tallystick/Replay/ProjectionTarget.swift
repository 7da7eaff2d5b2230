import Glibc
import TallystickSQLite

/// A SQLite file outside of the store that holds a projection and its checkpoint.
enum ProjectionTarget {
    static func open(_ path: String, _ options: StoreOptions) throws -> Connection {
        if access(path, F_OK) != 0 {
            let descriptor = Glibc.open(
                path,
                O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                0o600
            )
            guard descriptor >= 0 else {
                throw StoreError(
                    .cannotCreate,
                    during: "create the projection's file",
                    on: path,
                    String(cString: strerror(errno)),
                    hint: "Check the folder"
                )
            }
            close(descriptor)
        }
        do {
            let connection = try Connection(
                path: path,
                mode: .readWrite,
                busyTimeoutMilliseconds: StoreFile.milliseconds(options.busyTimeout),
                firesTriggers: false
            )
            let id = try connection.prepare("PRAGMA application_id").optionalInt64() ?? 0
            guard id != StoreFile.applicationID else {
                throw StoreError(
                    .invalidArgument,
                    during: "open the projection's file",
                    on: path,
                    "this is a Tallystick store",
                    hint: "Leave --into out to project into the store itself"
                )
            }
            try connection.execute(CheckpointRows.table)
            try connection.execute(ReplayRows.parkedTable)
            try refuseOtherTables(connection)
            try ProjectionSchema.checkCheckpointTables(of: connection)
            return connection
        } catch {
            throw StoreError(error, during: "open the projection's file", on: path)
        }
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
                during: "open the projection's file",
                on: path,
                "there is no file",
                hint: "Run the replay with --into and the file's path of now, or drop it"
            )
        }
        do {
            return try Connection(
                path: path,
                mode: .readOnly,
                busyTimeoutMilliseconds: StoreFile.milliseconds(options.busyTimeout)
            )
        } catch {
            throw StoreError(error, during: "open the projection's file", on: path)
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
                during: "open the projection's file",
                on: connection.path,
                "a table in it has the name of one of ours, and is another one: \(failure.message)",
                hint: "Choose another file for --into"
            )
        }
    }
}

/// A file beside a projection's that is gone when the value is.
final class ScratchFile {
    let path: String

    init(for target: String, projection: String) throws(StoreError) {
        path = "\(target)-rebuild-\(projection)-\(getpid())"
        Self.remove(path)
    }

    var quotedPath: String {
        path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
    }
}
