import TallystickCore
import TallystickSQLite

/// A row of the audit trail with all its detail rows, as its leaf.
public struct AuditEntry: Sendable, Equatable {
    /// The row's number in the audit trail, from 1.
    public var sequence: Int64
    /// The leaf: canonical JSON as described in the article on the file format. A BLOB is represented by its SHA-256.
    public var leaf: [UInt8]
    /// SHA-256 of a zero byte and the leaf, in hexadecimal: the hash that the tree should contain.
    public var leafHash: String
    /// The hash in the tree; nil if it has none for this row.
    public var storedLeafHash: String?

    /// Whether the row still matches the tree.
    public var isProved: Bool { leafHash == storedLeafHash }
}

/// The tree over the audit trail.
public struct AuditTree: Sendable, Equatable {
    /// Number of rows.
    public var size: Int64
    /// In hexadecimal; nil if the tiles do not match the rows.
    public var root: String?
}

extension EventStore {
    /// Passes on rows of the audit trail with all their details, in order.
    ///
    /// Reads in short transactions; covers the rows that exist when it reaches them.
    ///
    /// - parameter filter: which rows; the default is all.
    /// - parameter sequence: one row; nil for all that match the filter.
    /// - parameter onEntry: returns false to stop.
    /// - returns: the tree at the end of the call.
    /// - throws: `StoreError`: `interrupted` if the task is cancelled.
    @discardableResult
    public func audit(
        _ filter: AuditFilter = AuditFilter(),
        sequence: Int64? = nil,
        onEntry: @escaping @Sendable (AuditEntry) throws -> Bool
    ) async throws(StoreError) -> AuditTree {
        let (path, options) = (path, options)
        let stop = StopFlag()
        return try await Self.attempt("read the audit trail", path) {
            try await withTaskCancellationHandler {
                try await runOnThread {
                    let reader = try AuditReader(path, options)
                    try reader.read(filter, sequence, stop, onEntry)
                    return try reader.tree()
                }
            } onCancel: {
                stop.set()
            }
        }
    }
}

/// Reads audit rows with their details and proofs.
private final class AuditReader {
    /// Number of rows per short transaction.
    private static let page = 1000

    private let connection: Connection
    private let leaves: AuditLeafReader
    private let merkle: MerkleRows
    private var leaf: [UInt8] = []

    init(_ path: String, _ options: StoreOptions) throws {
        connection = try StoreFile.openForReading(path, options)
        leaves = try AuditLeafReader(in: connection)
        merkle = try MerkleRows(in: connection)
    }

    func read(
        _ filter: AuditFilter,
        _ sequence: Int64?,
        _ stop: StopFlag,
        _ onEntry: (AuditEntry) throws -> Bool
    ) throws {
        if let sequence {
            if let entry = try entry(sequence) { _ = try onEntry(entry) }
            return
        }
        var last: Int64 = 0
        while true {
            let page = try self.page(filter, after: last)
            for entry in page {
                guard try onEntry(entry) else { return }
            }
            guard let end = page.last else { return }
            last = end.sequence
            if stop.isSet {
                throw StoreError(.interrupted, during: "read the audit trail", "it was stopped")
            }
        }
    }

    private func page(_ filter: AuditFilter, after last: Int64) throws -> [AuditEntry] {
        let (sql, parameters) = filter.statement("a.audit_sequence", after: last, limit: Self.page)
        let rows = try connection.prepare(sql)
        try rows.bind(named: parameters)
        return try connection.read {
            var page: [AuditEntry] = []
            while try rows.step() {
                if let entry = try entry(rows.int64(at: 0)) { page.append(entry) }
            }
            try rows.reset()
            return page
        }
    }

    private func entry(_ sequence: Int64) throws -> AuditEntry? {
        guard try leaves.write(sequence: sequence, to: &leaf) else { return nil }
        return AuditEntry(
            sequence: sequence,
            leaf: leaf,
            leafHash: MerkleHash.leaf(leaf).hex,
            storedLeafHash: try merkle.leaf(sequence - 1, of: .audit)?.hex
        )
    }

    func tree() throws -> AuditTree {
        AuditTree(
            size: try merkle.size(of: .audit),
            root: try merkle.log(.audit)?.root.hex
        )
    }
}
