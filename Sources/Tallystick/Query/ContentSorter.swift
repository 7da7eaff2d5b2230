import TallystickCore
import TallystickSQLite

/// Sorts the digests of events by source and id, in a database without a name: SQLite keeps it in temporary files,
/// which no other process can open and which disappear with the connection.
final class ContentSorter {
    static let operation = "digest the content"

    private let connection: Connection
    private let insert: Statement
    private let stop: StopFlag

    init(_ stop: StopFlag) throws(SQLiteError) {
        self.stop = stop
        connection = try Connection.scratch()
        try connection.execute("PRAGMA cache_size = -\(ContentSorterLimits.cacheKibibytes)")
        try connection.execute(
            "CREATE TABLE forms (source BLOB NOT NULL, id BLOB NOT NULL, sha256 BLOB NOT NULL) STRICT"
        )
        insert = try connection.prepare("INSERT INTO forms VALUES (?1, ?2, ?3)")
        let guardian = ProgressGuard()
        guardian.isCancelled = { stop.isSet }
        connection.install(guardian)
    }

    /// Takes in an event: the digest of its comparison form.
    func add(source: [UInt8], id: UnsafeRawBufferPointer, form: SHA256Digest) throws {
        try explained {
            try insert.bindBlob(source, at: 1)
            try insert.bindBlob(id, at: 2, copy: true)
            try insert.bindBlob(form.bytes, at: 3)
            try insert.run()
        }
    }

    /// The digest of all events that were taken in.
    func digest() throws -> ContentDigest {
        var digest = ContentDigest()
        try explained {
            let rows = try connection.prepare(
                """
                SELECT source, id, sha256
                FROM forms
                ORDER BY source, id
                """
            )
            while try rows.step() {
                guard let form = SHA256Digest(bytes: rows.bytes(at: 2)),
                    digest.append(source: rows.bytes(at: 0), id: rows.bytes(at: 1), form: form)
                else { throw twice(rows) }
            }
        }
        return digest
    }

    private func twice(_ row: Statement) -> StoreError {
        StoreError(
            .integrity,
            during: Self.operation,
            on: "event '\(row.text(at: 1))' of '\(row.text(at: 0))'",
            "two positions have this source and id",
            hint: "Run 'tally verify' to see what was changed"
        )
    }

    /// Marks failures as those of a temporary file, not of the store.
    private func explained(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as SQLiteError {
            if stop.isSet {
                throw StoreError(.interrupted, during: Self.operation, "it was stopped")
            }
            throw StoreError(error, during: Self.operation, on: "a temporary file")
        }
    }
}

/// Limits of sorting events for a digest.
enum ContentSorterLimits {
    /// Memory for cached pages, and the same again for rows to be sorted.
    static let cacheKibibytes = 8192
}
