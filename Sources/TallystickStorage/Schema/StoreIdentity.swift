import TallystickCore
package import TallystickSQLite

/// The first audit row's description of a store: fixed for its life.
package struct StoreIdentity: Sendable {
    package var storeID: String
    package var deliveryAttributes: Set<String>

    /// The row's detail.
    package static func detail(storeID: String, deliveryAttributes: [String]) -> String {
        let names = deliveryAttributes.map { "\"\($0)\"" }.joined(separator: ",")
        return "{\"canonical_form\":1,\"delivery_attributes\":[\(names)],\"format\":1,"
            + "\"store_id\":\"\(storeID)\"}"
    }

    /// The first audit row is in a page that SQLite cannot read.
    package static let unreadable = StoreError(
        .corrupt,
        during: "open the store",
        on: "audit row 1",
        "SQLite cannot read the record of the store's identity"
    )

    /// Reads the first audit row.
    package static func read(from connection: Connection) throws -> StoreIdentity {
        let statement = try connection.prepare(
            """
            SELECT detail
            FROM audit_trail
            WHERE audit_sequence = 1 AND kind = 'store_created'
            """
        )
        guard let detail = try statement.first({ $0.textIfPresent(at: 0) }) ?? nil,
            let document = try? JSONDocument(Array(detail.utf8)),
            let id = document.root["store_id"]?.string,
            let names = document.root["delivery_attributes"]?.array
        else {
            throw StoreError(
                .integrity,
                during: "open the store",
                on: "audit row 1",
                "it does not record the store's identity",
                hint: "Restore a backup"
            )
        }
        return StoreIdentity(storeID: id, deliveryAttributes: Set(names.compactMap(\.string)))
    }
}
