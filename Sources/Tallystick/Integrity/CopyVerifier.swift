import TallystickCore
import TallystickSQLite

/// Recomputes further copies: their leaves, and their contents against the digest and the event.
final class CopyVerifier {
    private let rows: Statement
    private let shape: RowShape
    private let reader: EventRowReader
    private var leaves: StoredLeaves
    /// Ids of the origins that the copies name.
    private(set) var origins = IDSet()

    init(in connection: Connection, _ reader: EventRowReader) throws {
        self.reader = reader
        leaves = try StoredLeaves(.copies, in: connection)
        rows = try CopyRows.whole(in: connection)
        shape = try RowShape(of: CopyColumn.names, in: "copies", connection)
    }

    /// Checks the copies after `first`, up to `last`.
    func check(after first: Int64, through last: Int64, _ report: inout VerifyReport) throws {
        try rows.bind(first, at: 1)
        try rows.bind(last, at: 2)
        var expected = first + 1
        while try rows.step() {
            let copyID = rows.int64(at: CopyColumn.copyID)
            guard report.addGap("copies", &expected, before: copyID) else { continue }
            try check(copyID, &report)
            report.copies += 1
        }
        try rows.reset()
        report.addMissing("copies", expected..<last + 1)
    }

    /// The leaf hash of one copy, computed from its row; nil if there is none.
    func leaf(of copyID: Int64) throws -> SHA256Digest? {
        try rows.bind(copyID - 1, at: 1)
        try rows.bind(copyID, at: 2)
        let leaf: SHA256Digest?? = try rows.first { row in
            let digest = SHA256Digest(bytes: row.bytes(at: CopyColumn.digest)) ?? .zero
            return fault == nil
                ? leafHash(copyID, row.int64(at: CopyColumn.position), digest) : nil
        }
        return leaf ?? nil
    }

    private func check(_ copyID: Int64, _ report: inout VerifyReport) throws {
        let position = rows.int64(at: CopyColumn.position)
        func add(_ finding: VerifyFinding.Kind, _ expected: String, _ actual: String) {
            report.add(
                .init(
                    record: "copies \(copyID)",
                    position: position,
                    finding: finding,
                    expected: expected,
                    actual: actual
                )
            )
        }
        origins.insert(rows.int64(at: CopyColumn.originID))
        if let fault { add(.content, "the table's own types", fault) }
        let digest = SHA256Digest(bytes: rows.bytes(at: CopyColumn.digest)) ?? .zero
        let (leaf, stored) = (leafHash(copyID, position, digest), try leaves.hash(copyID - 1))
        if leaf != stored { add(.leaf, stored?.hex ?? "no leaf hash is stored", leaf.hex) }
        let appended = try reader.withRow(at: position) { event in
            try reader.readContent(event) ? reader.contentDigest : .zero
        }
        guard let content = rows.bytesIfPresent(at: CopyColumn.content) else {
            if appended != digest {
                add(.content, digest.hex, appended?.hex ?? "its event is missing")
            }
            return
        }
        let actual = SHA256Digest(hashing: content)
        if actual != digest { add(.content, digest.hex, actual.hex) }
        if appended == digest { add(.content, "no content: it is the event's", "content") }
    }

    /// Checks that the leaf does not cover.
    private var fault: String? {
        if let fault = shape.fault(in: rows) { return fault }
        if let differsIn = rows.bytesIfPresent(at: CopyColumn.differsIn),
            !ContentShape.isArray(differsIn)
        {
            return "column differs_in holds no array"
        }
        if let delivery = rows.bytesIfPresent(at: CopyColumn.delivery),
            !ContentShape.isObject(delivery)
        {
            return "column delivery_attributes holds no object"
        }
        return nil
    }

    private func leafHash(
        _ copyID: Int64,
        _ position: Int64,
        _ digest: SHA256Digest
    ) -> SHA256Digest {
        var leaf = ByteBuffer(capacity: 512)
        var origin: [UInt8] = []
        CanonicalJSON.writeString(rows.bytes(at: CopyColumn.originName), to: &origin)
        origin.withUnsafeBytes { origin in
            Leaf.writeCopy(
                copyID: copyID,
                position: position,
                recordedAt: rows.int64(at: CopyColumn.recordedAt),
                origin: origin,
                agreement: rows.text(at: CopyColumn.agreement),
                content: digest,
                differsIn: rows.bytesIfPresent(at: CopyColumn.differsIn),
                delivery: rows.bytesIfPresent(at: CopyColumn.delivery),
                to: &leaf
            )
        }
        return MerkleHash.leaf(leaf.bytes)
    }
}
