import Glibc
package import TallystickSQLite

/// Rollback journals that a loss of power left next to a database in rollback mode: a backup, or a projection's
/// file.
///
/// A read-only connection cannot roll one back, and SQLite then refuses to read.
package enum HotJournal {
    /// Opens a database with `open`; if a hot journal is in the way, rolls it back first.
    ///
    /// - throws: `StoreError` with `notPermitted` if this process may not write to the file, and any error of
    ///   `open`.
    package static func playingBack(
        _ path: String,
        _ options: StoreOptions,
        _ open: () throws(SQLiteError) -> Connection
    ) throws -> Connection {
        do throws(SQLiteError) {
            return try open()
        } catch {
            guard .hotJournal ~= error.code else { throw error }
        }
        guard access(path, W_OK) == 0 else {
            throw StoreError(
                .notPermitted,
                during: "open the file",
                on: path,
                "an interrupted change to it has to be rolled back first: its journal is next to it",
                hint: "Run the command as a user who may write to the file and its folder"
            )
        }
        // Reading the schema is enough: SQLite rolls the journal back before it reads the first page.
        _ = try Connection(
            path: path,
            mode: .readWrite,
            busyTimeoutMilliseconds: options.busyTimeout.wholeMilliseconds
        )
        return try open()
    }
}
