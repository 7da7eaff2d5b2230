import TallystickCore
import TallystickSQLite

/// Gives new events their revisions, and fills the revision index at the end of a transaction.
struct RevisionWriter {
    private struct Row {
        var stream: Int64
        var revision: Int64
        var position: Int64
    }

    private let last: Statement
    private let insert: Statement
    /// By index of the stream: the next revision, or -1 where it is not known.
    private var next: [Int64] = []
    /// Rows of the index that the transaction still has to write.
    private var rows: [Row] = []

    init(in connection: Connection, _ events: EventStatements) throws(SQLiteError) {
        last = try connection.prepare(
            "SELECT coalesce(max(revision), -1) FROM stream_revisions WHERE stream_id = ?1"
        )
        insert = events.revision
    }

    /// Knows of so many streams from now on.
    mutating func accept(_ streams: Int) {
        while next.count < streams { next.append(-1) }
    }

    /// Forgets the streams, whose indices are given anew.
    mutating func forgetStreams() { next.removeAll() }

    /// Forgets what another process, or a rollback, may have made untrue.
    mutating func forget() {
        for index in next.indices { next[index] = -1 }
        rows.removeAll(keepingCapacity: true)
    }

    /// Says that a stream is new.
    mutating func begin(_ stream: Int) { next[stream] = 0 }

    /// The revisions of events at consecutive positions.
    ///
    /// - parameter streams: the index of each event's stream.
    /// - parameter ids: the id of a stream, by its index.
    mutating func assign(
        _ streams: [Int32],
        ids: [Int64],
        firstPosition: Int64
    ) throws(SQLiteError) -> [Int64] {
        var revisions: [Int64] = []
        revisions.reserveCapacity(streams.count)
        rows.reserveCapacity(rows.count + streams.count)
        for (order, stream) in streams.enumerated() {
            let (stream, id) = (Int(stream), ids[Int(stream)])
            if next[stream] < 0 {
                try last.bind(id, at: 1)
                next[stream] = try (last.optionalInt64() ?? -1) + 1
            }
            let revision = next[stream]
            next[stream] += 1
            revisions.append(revision)
            rows.append(
                Row(stream: id, revision: revision, position: firstPosition + Int64(order))
            )
        }
        return revisions
    }

    /// Fills the index in order of its key: a page that several batches of a transaction change is written once.
    mutating func write() throws(SQLiteError) {
        rows.sort { ($0.stream, $0.position) < ($1.stream, $1.position) }
        for row in rows {
            try insert.bind(row.stream, at: 1)
            try insert.bind(row.revision, at: 2)
            try insert.bind(row.position, at: 3)
            try insert.run()
        }
        rows.removeAll(keepingCapacity: true)
    }
}
