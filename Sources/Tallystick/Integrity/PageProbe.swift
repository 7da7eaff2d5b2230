import TallystickCore
import TallystickSQLite

/// A part of a database that SQLite cannot read, because pages of its file are damaged.
struct UnreadablePages: Sendable {
    /// Rows of a table, or an index of it.
    struct Place: Sendable, Equatable {
        var table: String
        /// The row ids that may be lost. nil for an index, and for a table without row ids.
        var keys: ClosedRange<Int64>?
        var index: String?
        /// SQLite's message.
        var message: String
    }

    var places: [Place] = []

    /// The row ids of a table that cannot be read, in order.
    func keys(of table: String) -> [ClosedRange<Int64>] {
        places.filter { $0.table == table }.compactMap(\.keys)
    }

    var findings: [VerifyFinding] {
        places.map { place in
            var record = place.index.map { "\(place.table), index \($0)" } ?? place.table
            if let keys = place.keys {
                let last = keys.upperBound == .max ? "the end" : "\(keys.upperBound)"
                record +=
                    keys.count == 1 ? " \(keys.lowerBound)" : " \(keys.lowerBound) to \(last)"
            }
            return .init(
                record: record,
                position: place.table == "events" ? place.keys?.lowerBound : nil,
                finding: .page,
                expected: "pages that SQLite can read",
                actual: place.message
            )
        }
    }
}

/// Reads every table and index of a database completely, and continues after parts that cannot be read.
struct PageProbe {
    private let connection: Connection
    private let isOver: () -> Bool
    /// Maximum number of places listed for each table.
    private static let limit = 100

    /// - parameter isOver: whether the time is up.
    init(in connection: Connection, until isOver: @escaping () -> Bool) {
        self.connection = connection
        self.isOver = isOver
    }

    /// - throws: `SQLiteError` if the schema itself cannot be read.
    func run() throws(SQLiteError) -> UnreadablePages {
        let objects = try connection.prepare(
            "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type IN ('table', 'index') ORDER BY rootpage"
        )
        let all = try objects.all {
            ($0.text(at: 0), $0.text(at: 1), $0.text(at: 2), $0.textIfPresent(at: 3) ?? "")
        }
        var found = UnreadablePages()
        for (type, name, table, sql) in all where !isOver() {
            if type == "index" {
                found.places += try index(name, of: table, sql)
            } else {
                found.places += try rows(of: name)
            }
        }
        return found
    }

    /// Reads the pages of all indexes of the store's own tables, and of the tables that no verification reads
    /// otherwise.
    ///
    /// - throws: `SQLiteError` for the first that cannot be read.
    func touchOthers() throws {
        let names = try SchemaCheck.tables(StoreSchema.version(of: connection))
        let objects = try connection.prepare(
            "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type IN ('table', 'index') ORDER BY rootpage"
        )
        let all = try objects.all {
            ($0.text(at: 0), $0.text(at: 1), $0.text(at: 2), $0.textIfPresent(at: 3) ?? "")
        }
        for (type, name, table, sql) in all where names.contains(table) && !isOver() {
            let source =
                type == "index"
                ? "INDEXED BY \(Self.quoted(name)) WHERE \(Self.condition(of: sql))" : "NOT INDEXED"
            // Counting visits each page and decodes no row.
            guard type == "index" || !VerifyLanes.tables.contains(name) else { continue }
            try connection.prepare("SELECT count(*) FROM \(Self.quoted(table)) \(source)").run()
        }
    }

    /// A partial index serves only its own condition.
    private static func condition(of index: String) -> Substring {
        index.split(separator: "WHERE ", maxSplits: 1).dropFirst().first ?? "1"
    }

    private static func quoted(_ name: String) -> String {
        "\"" + name.replacing("\"", with: "\"\"") + "\""
    }

    /// Runs a body; returns SQLite's message if pages are damaged.
    private func damage(_ body: () throws(SQLiteError) -> Void) throws(SQLiteError) -> String? {
        do throws(SQLiteError) {
            try body()
            return nil
        } catch {
            guard error.isCorrupt else { throw error }
            return "\(error.message) (code \(error.code.rawValue))"
        }
    }

    private func index(
        _ name: String,
        of table: String,
        _ sql: String
    ) throws(SQLiteError) -> [UnreadablePages.Place] {
        let condition = Self.condition(of: sql)
        let message = try damage { () throws(SQLiteError) in
            let columns = try connection.prepare(
                "SELECT name FROM pragma_index_info(?1) WHERE name IS NOT NULL"
            )
            try columns.bindText(name, at: 1)
            let list = try columns.all { Self.quoted($0.text(at: 0)) }.joined(separator: ", ")
            guard !list.isEmpty else { return }
            // In its order, so that SQLite reads this index and no other.
            let rows = try connection.prepare(
                """
                SELECT \(list)
                FROM \(Self.quoted(table)) INDEXED BY \(Self.quoted(name))
                WHERE \(condition)
                ORDER BY \(list)
                """
            )
            while try rows.step() {}
        }
        return message.map { [.init(table: table, keys: nil, index: name, message: $0)] } ?? []
    }

    // MARK: Tables

    private func rows(of table: String) throws(SQLiteError) -> [UnreadablePages.Place] {
        let name = Self.quoted(table)
        // A table without row ids has its rows in a single tree of keys.
        guard (try? connection.prepare("SELECT rowid FROM \(name)")) != nil else {
            let message = try damage { () throws(SQLiteError) in
                let rows = try connection.prepare("SELECT * FROM \(name)")
                while try rows.step() {}
            }
            return message.map { [.init(table: table, message: $0)] } ?? []
        }
        var places: [UnreadablePages.Place] = []
        var last: Int64 = .min
        while places.count < Self.limit, !isOver() {
            let before = last
            guard
                let message = try damage({ () throws(SQLiteError) in
                    try read(name, after: before, &last)
                })
            else { break }
            let next = try readable(name, after: last)
            let first = max(last, 0) + 1
            let end = next.map { max(first, $0 - 1) } ?? .max
            places.append(.init(table: table, keys: first...end, message: message))
            guard let next else { break }
            last = next - 1
        }
        return places
    }

    /// Reads rows in order; `last` is the id of the last row read.
    private func read(
        _ name: String,
        after key: Int64,
        _ last: inout Int64
    ) throws(SQLiteError) {
        let rows = try connection.prepare(
            "SELECT rowid, * FROM \(name) WHERE rowid > ?1 ORDER BY rowid"
        )
        try rows.bind(key, at: 1)
        while try rows.step() { last = rows.int64(at: 0) }
    }

    /// The id of the first readable row after damage that begins after a key; nil for none. The damage is assumed to
    /// be contiguous.
    private func readable(_ name: String, after key: Int64) throws(SQLiteError) -> Int64? {
        let key = max(key, 0)
        var low: Int64 = 0
        var high: Int64 = 1
        var found: Int64?
        while found == nil {
            found = try firstRow(name, after: key, high)
            guard found == nil else { break }
            low = high
            guard high <= Int64.max / 4, key < Int64.max / 2 else { return nil }
            high *= 2
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if let row = try firstRow(name, after: key, middle) {
                (high, found) = (middle, row)
            } else {
                low = middle
            }
        }
        return found
    }

    /// The first row whose id is greater than a key plus an offset; nil if there is none, or it cannot be read.
    private func firstRow(
        _ name: String,
        after key: Int64,
        _ offset: Int64
    ) throws(SQLiteError) -> Int64? {
        var row: Int64?
        _ = try damage { () throws(SQLiteError) in
            let rows = try connection.prepare(
                "SELECT rowid, * FROM \(name) WHERE rowid > ?1 ORDER BY rowid LIMIT 1"
            )
            try rows.bind(key &+ offset, at: 1)
            if try rows.step() { row = rows.int64(at: 0) }
        }
        return row
    }
}

extension UnreadablePages.Place {
    /// A whole table.
    init(table: String, message: String) {
        self.init(table: table, keys: nil, index: nil, message: message)
    }

    fileprivate init(table: String, keys: ClosedRange<Int64>, message: String) {
        self.init(table: table, keys: keys, index: nil, message: message)
    }
}
