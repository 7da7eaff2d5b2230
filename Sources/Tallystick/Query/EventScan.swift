import TallystickCore
import TallystickSQLite

/// The statements for reading events. Their rows begin with `EventColumn.list`.
final class EventScan {
    /// The revision from the index, in rows of a stream.
    static let indexedRevision = EventColumn.count

    private let byPosition: Statement
    private let byStream: Statement
    private let selectStream: Statement
    private let selectType: Statement
    private let selectCategory: Statement
    private let copies: Statement
    private let conflict: Statement
    private let state: Statement
    private var categoryID: Int64?

    init(_ connection: Connection, backwards: Bool) throws(SQLiteError) {
        let order = backwards ? "DESC" : "ASC"
        byPosition = try connection.prepare(
            """
            SELECT \(EventColumn.list)
            FROM events AS e
            WHERE e.position > ?1 AND e.position <= ?2
                AND (?3 IS NULL OR e.type_id = ?3
                    OR (?5 AND EXISTS (SELECT 1 FROM resolutions AS r WHERE r.position = e.position)))
                AND (?4 IS NULL OR e.category_id = ?4)
            ORDER BY e.position \(order)
            """
        )
        byStream = try connection.prepare(
            """
            SELECT \(EventColumn.list), r.revision
            FROM stream_revisions AS r
            CROSS JOIN events AS e ON e.position = r.position
            WHERE r.stream_id = ?1 AND r.revision > ?2 AND r.revision < ?3
            ORDER BY r.revision \(order)
            LIMIT \(EventReadingLimits.scannedRows)
            """
        )
        selectStream = try connection.prepare("SELECT stream_id FROM streams WHERE name = ?1")
        selectType = try connection.prepare("SELECT type_id FROM types WHERE name = ?1")
        selectCategory = try connection.prepare(
            "SELECT category_id FROM categories WHERE name = ?1"
        )
        copies = try connection.prepare("SELECT 1 + count(*) FROM copies WHERE position = ?1")
        conflict = try connection.prepare(
            "SELECT max(conflict_id) FROM conflicts WHERE position = ?1"
        )
        state = try connection.prepare("SELECT 1 FROM effective_state WHERE position = ?1")
    }

    /// Events after `first` up to `last`; with `isEffective` also those whose type a resolution may have changed.
    func range(
        after first: Int64,
        through last: Int64,
        type: String?,
        category: String?,
        isEffective: Bool
    ) throws(SQLiteError) -> Statement {
        try byPosition.bind(first, at: 1)
        try byPosition.bind(last, at: 2)
        try byPosition.bindOptional(try id(of: type, selectType), at: 3)
        try byPosition.bindOptional(try id(of: category, selectCategory), at: 4)
        try byPosition.bind(Int64(isEffective ? 1 : 0), at: 5)
        return byPosition
    }

    /// Events of a stream between two revisions, both exclusive.
    func stream(
        _ id: Int64,
        after first: Int64,
        before last: Int64
    ) throws(SQLiteError) -> Statement {
        try byStream.bind(id, at: 1)
        try byStream.bind(first, at: 2)
        try byStream.bind(last, at: 3)
        return byStream
    }

    func streamID(_ name: String) throws(SQLiteError) -> Int64? {
        try selectStream.bindText(name, at: 1)
        return try selectStream.optionalInt64()
    }

    /// Whether an id is that of a category.
    func isCategory(_ name: String, _ id: Int64) throws(SQLiteError) -> Bool {
        if categoryID == nil { categoryID = try self.id(of: name, selectCategory) }
        return categoryID == id
    }

    /// The id of a name; an id that no row has if the name does not exist, and nil for no name.
    private func id(of name: String?, _ select: Statement) throws(SQLiteError) -> Int64? {
        guard let name else { return nil }
        try select.bindText(name, at: 1)
        return try select.optionalInt64() ?? -1
    }

    /// Adds the store's data about an event besides its content.
    func describe(_ event: inout StoredEvent, isEffective: Bool) throws(SQLiteError) {
        let position = event.position.rawValue
        try copies.bind(position, at: 1)
        event.copies = try copies.optionalInt64()
        try conflict.bind(position, at: 1)
        event.conflictID = try conflict.optionalInt64()
        guard isEffective, event.resolutionID == nil else { return }
        try state.bind(position, at: 1)
        if try state.optionalInt64() != nil { event.state = .disputed }
    }
}
