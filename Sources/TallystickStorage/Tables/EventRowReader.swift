package import TallystickCore
package import TallystickSQLite

/// Reads whole rows of `events`, rebuilds their content and computes their leaves.
///
/// Statements that it reads select `EventColumn.list` first.
package final class EventRowReader {
    private let sources: NameCache
    private let types: NameCache
    private let categories: NameCache
    private let origins: NameCache
    private let streams: NameCache
    private let byPosition: Statement
    private var buffer = ByteBuffer()
    private var leaf = ByteBuffer()

    package init(in connection: Connection) throws(SQLiteError) {
        sources = try NameCache(.sources, in: connection)
        types = try NameCache(.types, in: connection)
        categories = try NameCache(.categories, in: connection)
        origins = try NameCache(.origins, in: connection)
        streams = try NameCache(.streams, in: connection)
        byPosition = try connection.prepare(
            "SELECT \(EventColumn.list) FROM events AS e WHERE e.position = ?1"
        )
    }

    /// Moves to the row at a position and calls `body`; nil if there is none.
    package func withRow<Result>(
        at position: Int64,
        _ body: (Statement) throws -> Result
    ) throws -> Result? {
        try byPosition.bind(position, at: 1)
        guard try byPosition.step() else {
            try byPosition.reset()
            return nil
        }
        let result: Result
        do {
            result = try body(byPosition)
        } catch {
            // The statement must be ready for the next event, and hold no snapshot.
            try byPosition.reset()
            throw error
        }
        try byPosition.reset()
        return result
    }

    /// Asks the processor to fetch the stream names of the next rows. Streams are many, and scattered in memory:
    /// otherwise each name would cause a separate wait.
    package func prefetchNames(of block: EventBlock, _ rows: Range<Int>) {
        for index in rows { streams.prefetchSlot(block.row(index).int64(at: EventColumn.stream)) }
        for index in rows { streams.prefetchName(block.row(index).int64(at: EventColumn.stream)) }
    }

    /// The content of the row read last.
    package var content: [UInt8] { [UInt8](buffer.bytes) }
    /// The same, valid until another row is read.
    package var contentBytes: UnsafeRawBufferPointer { buffer.bytes }
    /// Its SHA-256.
    package var contentDigest: SHA256Digest { SHA256Digest(hashing: buffer.bytes) }

    /// Rebuilds the content of the statement's current row; false if a dictionary lacks one of its names.
    package func readContent(_ row: some EventColumns) throws(SQLiteError) -> Bool {
        buffer.removeAll()
        let (source, type) = (row.int64(at: EventColumn.source), row.int64(at: EventColumn.type))
        guard try sources.load(source), try types.load(type) else { return false }
        EventContent.write(
            ContentParts(
                id: row.bytes(at: EventColumn.id),
                source: sources.name(source),
                type: types.name(type),
                subject: row.bytesIfPresent(at: EventColumn.subject),
                time: row.bytesIfPresent(at: EventColumn.time),
                dataContentType: row.bytesIfPresent(at: EventColumn.dataContentType),
                attributes: row.bytesIfPresent(at: EventColumn.attributes),
                data: row.bytesIfPresent(at: EventColumn.data),
                dataIsBinary: row.columnType(at: EventColumn.data) == .blob
            ),
            to: &buffer
        )
        return true
    }

    /// Checks the checksum of the statement's current row against the content that was rebuilt from it.
    ///
    /// - parameter newest: the latest checksum, if the event was resealed.
    package func evaluateChecksum(
        _ row: some EventColumns,
        digest: SHA256Digest,
        with checksummer: Checksummer,
        newest: StoredChecksum? = nil
    ) -> ChecksumVerdict {
        let own = checksummer.evaluate(
            row.bytes(at: EventColumn.checksum),
            algorithm: row.bytes(at: EventColumn.checksumAlgorithm),
            keyID: row.bytesIfPresent(at: EventColumn.checksumKeyID),
            content: contentBytes,
            digest: digest
        )
        // Both must match; of those that cannot be checked, the newest counts.
        switch own {
        case .differs, .unknownAlgorithm: return own
        case .holds, .keyMissing:
            return newest?.evaluate(contentBytes, digest, with: checksummer) ?? own
        }
    }

    /// The leaf hash of the statement's current row; nil if a dictionary lacks one of its names.
    package func leafHash(
        _ row: some EventColumns,
        content digest: SHA256Digest
    ) throws(SQLiteError) -> SHA256Digest? {
        let category = row.int64(at: EventColumn.category)
        let origin = row.int64(at: EventColumn.origin)
        let stream = row.int64(at: EventColumn.stream)
        guard try categories.load(category), try origins.load(origin), try streams.load(stream)
        else { return nil }
        leaf.removeAll()
        // The prefix of a leaf's hash comes first, so that the leaf need not be copied.
        leaf.append(MerkleHash.leafPrefix)
        Leaf.writeEvent(
            position: row.int64(at: EventColumn.position),
            revision: row.int64(at: EventColumn.revision),
            recordedAt: row.int64(at: EventColumn.recordedAt),
            category: categories.name(category),
            origin: origins.name(origin),
            stream: streams.name(stream),
            content: digest,
            delivery: row.bytesIfPresent(at: EventColumn.deliveryAttributes),
            to: &leaf
        )
        return SHA256Digest(hashing: leaf.bytes)
    }

    /// The leaf of the statement's current row; nil if a dictionary lacks one of its names.
    package func leaf(_ row: some EventColumns, content digest: SHA256Digest) throws(SQLiteError)
        -> [UInt8]?
    {
        // Without the prefix of its hash.
        try leafHash(row, content: digest) == nil ? nil : Array(leaf.bytes.dropFirst())
    }

    /// One name of the statement's current row as text.
    package func name(_ dictionary: NameDictionary, of row: some EventColumns) throws(SQLiteError)
        -> String
    {
        switch dictionary {
        case .sources: try sources.text(row.int64(at: EventColumn.source))
        case .streams: try streams.text(row.int64(at: EventColumn.stream))
        case .types: try types.text(row.int64(at: EventColumn.type))
        case .categories: try categories.text(row.int64(at: EventColumn.category))
        case .origins: try origins.text(row.int64(at: EventColumn.origin))
        }
    }

    /// The ids of a dictionary used by the rows read so far.
    package func used(_ dictionary: NameDictionary) -> IDSet {
        switch dictionary {
        case .sources: sources.used
        case .streams: streams.used
        case .types: types.used
        case .categories: categories.used
        case .origins: origins.used
        }
    }

    /// The stream name, as UTF-8, of a row whose leaf was computed.
    package func withStreamName(of row: some EventColumns, _ body: (UnsafeRawBufferPointer) -> Void)
    {
        let name = streams.name(row.int64(at: EventColumn.stream))
        guard name.count >= 2, !name.contains(0x5C) else {
            CanonicalJSON.text(ofString: name).withUnsafeBytes(body)
            return
        }
        body(UnsafeRawBufferPointer(rebasing: name[1..<name.count - 1]))
    }

    /// Names of the statement's current row as text.
    package func names(_ row: some EventColumns) throws(SQLiteError) -> EventNames {
        EventNames(
            source: try sources.text(row.int64(at: EventColumn.source)),
            stream: try streams.text(row.int64(at: EventColumn.stream)),
            type: try types.text(row.int64(at: EventColumn.type)),
            category: try categories.text(row.int64(at: EventColumn.category)),
            origin: try origins.text(row.int64(at: EventColumn.origin))
        )
    }
}

/// The dictionaries' entries for a row.
package struct EventNames {
    package var source: String
    package var stream: String
    package var type: String
    package var category: String
    package var origin: String
}
