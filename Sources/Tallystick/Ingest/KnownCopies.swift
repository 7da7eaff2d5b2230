import TallystickCore
import TallystickSQLite

/// Answers which further copies of an event the store already has.
///
/// An event may have as many copies as a store has rows. The copies of an event with few of them are read each time.
/// Those of an event with more than ``directCopies`` are indexed once in temporary tables of the connection, which
/// SQLite keeps in temporary files where they are large, so that a look-up takes logarithmic time and memory stays
/// bounded. The tables belong to the transaction that fills them: a rollback takes both back.
final class KnownCopies {
    /// Copies of one event that are read each time, rather than indexed.
    static let directCopies = 32
    /// In `tally_crowded`, the number that stands for contents; comparison rules are numbered from 1 on.
    private static let contents: Int64 = 0

    private let store: StoreWriter
    private var comparison: ContentComparison
    private var form: ComparisonForm
    /// Tells the comparison forms by these rules from those by earlier ones.
    private var rulesNumber: Int64 = 1
    /// The store's generation when the temporary tables were last known to exist.
    private var preparedGeneration: Int?
    /// The first copies of the event that was asked about last, and what they were read from.
    private var direct: [StoredCopy] = []
    private var directSource: Source?

    private struct Source: Equatable {
        var position: Int64
        var copies: Int64
        var generation: Int
    }

    init(_ store: StoreWriter, rules: ComparisonRules) {
        self.store = store
        comparison = ContentComparison(rules: rules)
        form = ComparisonForm(rules: rules)
    }

    /// Compares by other rules from now on.
    func use(_ rules: ComparisonRules) {
        comparison = ContentComparison(rules: rules)
        form = ComparisonForm(rules: rules)
        rulesNumber += 1
    }

    /// How the content of a delivery differs from that of the event as appended.
    func difference(
        _ appended: UnsafeRawBufferPointer,
        _ delivered: UnsafeRawBufferPointer
    ) throws(JSONError) -> ContentDifference {
        try comparison.difference(appended, delivered)
    }

    /// Whether an origin has delivered a content as a further copy of the event at a position.
    func contains(
        _ digest: SHA256Digest,
        from originID: Int64,
        at position: Int64
    ) throws -> Bool {
        guard try isCrowded(position) else {
            return direct.contains { $0.originID == originID && $0.contentDigest == digest }
        }
        try indexContents(of: position)
        return try isIndexed(
            "tally_crowded_contents",
            "position = ?1 AND content_sha256 = ?2 AND origin_id = ?3"
        ) { find in
            try find.bind(position, at: 1)
            try find.bindBlob(digest.bytes, at: 2)
            try find.bind(originID, at: 3)
        }
    }

    /// Whether an origin has delivered any further copy of the event at a position.
    func hasCopy(from originID: Int64, at position: Int64) throws -> Bool {
        guard try isCrowded(position) else { return direct.contains { $0.originID == originID } }
        try indexContents(of: position)
        return try isIndexed("tally_crowded_origins", "position = ?1 AND origin_id = ?2") { find in
            try find.bind(position, at: 1)
            try find.bind(originID, at: 2)
        }
    }

    /// Whether a conflicting copy of the event at a position agrees with a content.
    ///
    /// - parameter copyID: this copy and later ones are left out.
    func hasConflictingCopy(
        agreeingWith content: UnsafeRawBufferPointer,
        _ digest: SHA256Digest,
        at position: Int64,
        before copyID: Int64
    ) throws -> Bool {
        guard try isCrowded(position) else {
            return try direct.contains { copy in
                guard copy.agreement == .conflicting, copy.copyID < copyID else { return false }
                if copy.contentDigest == digest { return true }
                guard let stored = try store.copies.content(of: copy.copyID) else { return false }
                return try stored.withUnsafeBytesTyped { bytes throws(JSONError) in
                    try comparison.difference(bytes, content).agrees
                }
            }
        }
        try indexForms(of: position, before: copyID)
        try form.read(content)
        return try isIndexed(
            "tally_crowded_forms",
            "rules = ?1 AND position = ?2 AND form_sha256 = ?3"
        ) { find in
            try find.bind(rulesNumber, at: 1)
            try find.bind(position, at: 2)
            try find.bindBlob(form.digest.bytes, at: 3)
        }
    }

    // MARK: The temporary tables

    /// Reads the copies of the event at a position, as far as they are read directly.
    ///
    /// - returns: whether there are more.
    private func isCrowded(_ position: Int64) throws -> Bool {
        let source = Source(
            position: position,
            copies: store.size(of: .copies),
            generation: store.generation
        )
        if directSource != source {
            directSource = nil
            direct.removeAll(keepingCapacity: true)
            try store.copies.read(position: position, limit: Self.directCopies + 1, into: &direct)
            directSource = source
        }
        guard direct.count > Self.directCopies else { return false }
        try prepareTables()
        return true
    }

    private func prepareTables() throws {
        // The tables are created in a transaction, and a rollback removes them.
        guard preparedGeneration != store.generation else { return }
        try store.connection.execute(
            """
            CREATE TABLE IF NOT EXISTS temp.tally_crowded (
                position INTEGER NOT NULL,
                rules INTEGER NOT NULL,
                last_copy INTEGER NOT NULL,
                PRIMARY KEY (position, rules)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS temp.tally_crowded_contents (
                position INTEGER NOT NULL,
                content_sha256 BLOB NOT NULL,
                origin_id INTEGER NOT NULL,
                PRIMARY KEY (position, content_sha256, origin_id)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS temp.tally_crowded_origins (
                position INTEGER NOT NULL,
                origin_id INTEGER NOT NULL,
                PRIMARY KEY (position, origin_id)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS temp.tally_crowded_forms (
                rules INTEGER NOT NULL,
                position INTEGER NOT NULL,
                form_sha256 BLOB NOT NULL,
                PRIMARY KEY (rules, position, form_sha256)
            ) STRICT, WITHOUT ROWID;
            """
        )
        preparedGeneration = store.generation
    }

    /// Whether a temporary table has a row that meets a condition, whose parameters `bind` sets.
    private func isIndexed(
        _ table: String,
        _ condition: String,
        _ bind: (Statement) throws -> Void
    ) throws -> Bool {
        let find = try store.connection.cached("SELECT 1 FROM temp.\(table) WHERE \(condition)")
        try bind(find)
        return try find.optionalInt64() != nil
    }

    /// The last copy of the event at a position that an index has taken in.
    private func lastIndexed(_ position: Int64, _ rules: Int64) throws -> Int64 {
        let last = try store.connection.cached(
            "SELECT last_copy FROM temp.tally_crowded WHERE position = ?1 AND rules = ?2"
        )
        try last.bind(position, at: 1)
        try last.bind(rules, at: 2)
        return try last.optionalInt64() ?? 0
    }

    private func setLastIndexed(_ position: Int64, _ rules: Int64, _ copyID: Int64) throws {
        let set = try store.connection.cached(
            """
            INSERT OR REPLACE INTO temp.tally_crowded (position, rules, last_copy)
            VALUES (?1, ?2, ?3)
            """
        )
        try set.bind(position, at: 1)
        try set.bind(rules, at: 2)
        try set.bind(copyID, at: 3)
        try set.run()
    }

    /// Takes in the copies that the index of contents lacks.
    private func indexContents(of position: Int64) throws {
        let newest = store.size(of: .copies)
        let last = try lastIndexed(position, Self.contents)
        guard last < newest else { return }
        for (table, columns) in [
            ("tally_crowded_contents", "position, content_sha256, origin_id"),
            ("tally_crowded_origins", "position, origin_id"),
        ] {
            let add = try store.connection.cached(
                """
                INSERT OR IGNORE INTO temp.\(table) (\(columns))
                SELECT \(columns)
                FROM main.copies
                WHERE position = ?1 AND copy_id > ?2
                """
            )
            try add.bind(position, at: 1)
            try add.bind(last, at: 2)
            try add.run()
        }
        try setLastIndexed(position, Self.contents, newest)
    }

    /// Takes in the conflicting copies before one that the index of comparison forms lacks.
    private func indexForms(of position: Int64, before copyID: Int64) throws {
        let last = try lastIndexed(position, rulesNumber)
        guard last < copyID - 1 else { return }
        let contents = try store.connection.cached(
            """
            SELECT content
            FROM main.copies
            WHERE position = ?1 AND copy_id > ?2 AND copy_id < ?3
                AND agreement = 'conflicting' AND content IS NOT NULL
            ORDER BY copy_id
            """
        )
        let add = try store.connection.cached(
            """
            INSERT OR IGNORE INTO temp.tally_crowded_forms (rules, position, form_sha256)
            VALUES (?1, ?2, ?3)
            """
        )
        try contents.bind(position, at: 1)
        try contents.bind(last, at: 2)
        try contents.bind(copyID, at: 3)
        do {
            while try contents.step() {
                try form.read(contents.bytes(at: 0))
                try add.bind(rulesNumber, at: 1)
                try add.bind(position, at: 2)
                try add.bindBlob(form.digest.bytes, at: 3)
                try add.run()
            }
        } catch {
            try contents.reset()
            throw error
        }
        try contents.reset()
        try setLastIndexed(position, rulesNumber, copyID - 1)
    }
}
