package import TallystickCore
package import TallystickSQLite

/// Whether a further copy agrees with the event as appended. The raw values are part of the file format.
package enum Agreement: String {
    case confirmed
    case conflicting
}

/// A row of `copies`, without its content.
package struct StoredCopy {
    package var copyID: Int64
    package var originID: Int64
    package var agreement: Agreement
    package var contentDigest: SHA256Digest
    /// Whether `content` is stored, because its bytes differ from those of the event as appended.
    package var hasContent: Bool

    package init(
        copyID: Int64,
        originID: Int64,
        agreement: Agreement,
        contentDigest: SHA256Digest,
        hasContent: Bool
    ) {
        self.copyID = copyID
        self.originID = originID
        self.agreement = agreement
        self.contentDigest = contentDigest
        self.hasContent = hasContent
    }
}

/// A row of `copies` with the name of its origin.
package struct FurtherDelivery {
    package var copyID: Int64
    package var origin: String
    package var agreement: Agreement
    package var contentDigest: SHA256Digest
}

/// Adds and reads rows of `copies`.
package struct CopyRows {
    private let insert: Statement
    private let selectByPosition: Statement
    private let selectContent: Statement
    private let selectDeliveries: Statement
    private let selectNext: Statement

    package init(in connection: Connection) throws(SQLiteError) {
        insert = try connection.prepare(
            """
            INSERT INTO copies (
                copy_id, position, origin_id, recorded_at, agreement, content_sha256, differs_in,
                content, delivery_attributes)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            """
        )
        selectByPosition = try connection.prepare(
            """
            SELECT copy_id, origin_id, agreement, content_sha256, content IS NOT NULL
            FROM copies
            WHERE position = ?1
            ORDER BY copy_id
            LIMIT ?2
            """
        )
        selectContent = try connection.prepare("SELECT content FROM copies WHERE copy_id = ?1")
        selectDeliveries = try connection.prepare(
            """
            SELECT c.copy_id, o.name, c.agreement, c.content_sha256
            FROM copies AS c
            JOIN origins AS o ON o.origin_id = c.origin_id
            WHERE c.position = ?1 AND c.copy_id <= ?2
            ORDER BY c.copy_id
            """
        )
        selectNext = try connection.prepare(
            "SELECT min(copy_id) FROM copies WHERE position = ?1 AND copy_id > ?2"
        )
    }

    /// The first further copy of the event at a position after another copy; nil if there is none.
    package func nextCopy(of position: Int64, after copyID: Int64) throws(SQLiteError) -> Int64? {
        try selectNext.bind(position, at: 1)
        try selectNext.bind(copyID, at: 2)
        return try selectNext.first { $0.int64IfPresent(at: 0) } ?? nil
    }

    package func add(
        _ copy: StoredCopy,
        position: Int64,
        recordedAt: Int64,
        differsIn: [UInt8]?,
        content: UnsafeRawBufferPointer?,
        deliveryAttributes: UnsafeRawBufferPointer?
    ) throws(SQLiteError) {
        try insert.bind(copy.copyID, at: 1)
        try insert.bind(position, at: 2)
        try insert.bind(copy.originID, at: 3)
        try insert.bind(recordedAt, at: 4)
        try insert.bindText(copy.agreement.rawValue, at: 5)
        try insert.bindBlob(copy.contentDigest.bytes, at: 6)
        try insert.bindOptional(differsIn.map { String(decoding: $0, as: UTF8.self) }, at: 7)
        try insert.bindOptionalText(content, at: 8)
        try insert.bindOptionalText(deliveryAttributes, at: 9)
        try insert.run()
    }

    /// The first further copies of the event at a position, in order of arrival, appended to `copies`.
    package func read(
        position: Int64,
        limit: Int,
        into copies: inout [StoredCopy]
    ) throws(SQLiteError) {
        try selectByPosition.bind(position, at: 1)
        try selectByPosition.bind(Int64(limit), at: 2)
        while try selectByPosition.step() {
            copies.append(
                StoredCopy(
                    copyID: selectByPosition.int64(at: 0),
                    originID: selectByPosition.int64(at: 1),
                    agreement: Agreement(rawValue: selectByPosition.text(at: 2)) ?? .conflicting,
                    contentDigest: selectByPosition.withBytes(at: 3) { SHA256Digest(bytes: $0) }
                        ?? .zero,
                    hasContent: selectByPosition.int64(at: 4) != 0
                )
            )
        }
        try selectByPosition.reset()
    }

    /// The origin and content of each further copy of the event at a position, in order of arrival.
    ///
    /// - parameter last: copies after this one are omitted.
    package func deliveries(
        of position: Int64,
        through last: Int64 = .max
    ) throws(SQLiteError) -> [FurtherDelivery] {
        try selectDeliveries.bind(position, at: 1)
        try selectDeliveries.bind(last, at: 2)
        var deliveries: [FurtherDelivery] = []
        while try selectDeliveries.step() {
            deliveries.append(
                FurtherDelivery(
                    copyID: selectDeliveries.int64(at: 0),
                    origin: selectDeliveries.text(at: 1),
                    agreement: Agreement(rawValue: selectDeliveries.text(at: 2)) ?? .conflicting,
                    contentDigest: selectDeliveries.withBytes(at: 3) { SHA256Digest(bytes: $0) }
                        ?? .zero
                )
            )
        }
        try selectDeliveries.reset()
        return deliveries
    }

    /// The content of a copy; nil if it equals that of the event as appended, or there is no such copy.
    package func content(of copyID: Int64) throws(SQLiteError) -> [UInt8]? {
        try selectContent.bind(copyID, at: 1)
        let content = try selectContent.first { $0.isNull(at: 0) ? nil : $0.blob(at: 0) }
        return content ?? nil
    }
}

/// The columns of whole rows of `copies`, in the order in which they are selected.
package enum CopyColumn {
    package static let names = [
        "copy_id", "position", "origin_id", "recorded_at", "agreement", "content_sha256",
        "differs_in", "content", "delivery_attributes",
    ]
    package static let copyID: Int32 = 0
    package static let position: Int32 = 1
    package static let originID: Int32 = 2
    package static let recordedAt: Int32 = 3
    package static let agreement: Int32 = 4
    package static let digest: Int32 = 5
    package static let differsIn: Int32 = 6
    package static let content: Int32 = 7
    package static let delivery: Int32 = 8
    package static let originName: Int32 = 9
}

extension CopyRows {
    /// Selects whole rows after ?1, up to ?2, in the order of `CopyColumn`.
    package static func whole(in connection: Connection) throws(SQLiteError) -> Statement {
        let columns = CopyColumn.names.map { "c.\($0)" }.joined(separator: ", ")
        return try connection.prepare(
            """
            SELECT \(columns), o.name
            FROM copies AS c
            LEFT JOIN origins AS o ON o.origin_id = c.origin_id
            WHERE c.copy_id > ?1 AND c.copy_id <= ?2
            ORDER BY c.copy_id
            """
        )
    }
}
