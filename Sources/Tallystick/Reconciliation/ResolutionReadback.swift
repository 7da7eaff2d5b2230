import TallystickCore
import TallystickSQLite

/// Reads decisions back: each has the content that it names, and counts unless a later one does.
struct ResolutionReadback {
    private static let chunk: Int64 = 5_000
    private let rows: Statement

    init(_ connection: Connection) throws(SQLiteError) {
        rows = try connection.prepare(
            """
            SELECT r.resolution_id, r.content, r.content_sha256, r.position, s.resolution_id,
                x.resolution_id
            FROM resolutions AS r
            LEFT JOIN conflict_states AS s ON s.conflict_id = r.conflict_id
            LEFT JOIN effective_state AS x ON x.position = r.position
            WHERE r.resolution_id > ?1 AND r.resolution_id <= ?1 + ?2
            ORDER BY r.resolution_id
            """
        )
    }

    /// - parameter between: called between two short passes.
    /// - throws: `StoreError` with `integrity` for the first decision that is not as it was made.
    func check(after resolutionID: Int64, between: () throws -> Void) throws {
        var last = resolutionID
        while true {
            try between()
            try rows.bind(last, at: 1)
            try rows.bind(Self.chunk, at: 2)
            let before = last
            while try rows.step() {
                last = rows.int64(at: 0)
                if let finding = finding() {
                    try rows.reset()
                    throw StoreError(
                        .integrity,
                        during: "verify the decisions",
                        on: "resolution \(last)",
                        finding,
                        hint: "Run 'tally verify'"
                    )
                }
            }
            try rows.reset()
            if last == before { return }
        }
    }

    private func finding() -> String? {
        let resolutionID = rows.int64(at: 0)
        if !rows.isNull(at: 1) {
            let digest = rows.withBytes(at: 1) { SHA256Digest(hashing: $0) }
            guard digest.hex == rows.text(at: 2) else {
                return "its content does not have the digest that it names"
            }
        }
        guard rows.int64(at: 4) >= resolutionID else { return "its conflict does not know it" }
        guard rows.isNull(at: 3) || rows.int64(at: 5) >= resolutionID else {
            return "its position does not count as it says"
        }
        return nil
    }
}
