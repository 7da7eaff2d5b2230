import TallystickCore

/// Validates content that is to take the place of an event's and that a person gives. It must be an event like any
/// other, with the same identity.
struct ManualContentValidator {
    /// Names of attributes that describe a delivery, and are not content.
    let deliveryAttributes: Set<String>

    /// The content in canonical form.
    ///
    /// - throws: `StoreError` with `badInput` where it is not an event, or has another source or id.
    func validated(
        _ json: [UInt8],
        source: String,
        eventID: String
    ) throws(StoreError) -> [UInt8] {
        do throws(EventRejection) {
            return try EventContent.validated(
                json,
                source: source,
                id: eventID,
                delivery: deliveryAttributes
            )
        } catch {
            throw StoreError(
                .badInput,
                during: "read the content",
                on: Self.place(of: error.offset, in: json),
                "\(error.message) (\(error.code))",
                hint: error.code == EventContent.otherIdentity
                    ? "Keep source and id; everything else may change" : ""
            )
        }
    }

    private static func place(of offset: Int, in json: [UInt8]) -> String {
        let before = json.prefix(offset)
        let line = before.count { $0 == 0x0A } + 1
        let column = offset - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
        return "line \(line), column \(column)"
    }
}
