import TallystickCore

/// Validates what people write about themselves and their acts, before it enters the audit trail for ever.
package enum AuditText {
    /// Maximum bytes of a reason.
    package static let reasonBytes = 64 << 10

    /// - throws: `StoreError` with `invalidArgument` for an actor or a reason that is empty, blank or too long, or
    ///   that contains a NUL.
    package static func validate(
        actor: String,
        reason: String,
        during operation: String
    ) throws(StoreError) {
        try validate(actor: actor, during: operation)
        try validate(reason, "reason", reasonBytes, operation)
    }

    /// - throws: `StoreError` with `invalidArgument` for an actor that is empty, blank or too long, or contains a NUL.
    package static func validate(
        actor: String,
        during operation: String
    ) throws(StoreError) {
        try validate(actor, "actor", EventLimits.nameBytes, operation)
    }

    /// - throws: `StoreError` with `invalidArgument` for a name that is empty or too long, or contains a NUL.
    package static func validate(
        name: String,
        of what: String,
        during operation: String
    ) throws(StoreError) {
        guard name.isEmpty || name.utf8.count > EventLimits.nameBytes || name.utf8.contains(0)
        else { return }
        throw StoreError(
            .invalidArgument,
            during: operation,
            on: what,
            "the name has 1 to \(EventLimits.nameBytes) bytes and no NUL"
        )
    }

    private static func validate(
        _ text: String,
        _ name: String,
        _ limit: Int,
        _ operation: String
    ) throws(StoreError) {
        let isBlank = text.utf8.allSatisfy { $0 == 0x20 || $0 &- 0x09 < 5 }
        guard isBlank || text.utf8.count > limit || text.utf8.contains(0) else { return }
        throw StoreError(
            .invalidArgument,
            during: operation,
            on: name,
            isBlank ? "it is empty" : "it has more than \(limit) bytes, or a NUL",
            hint: isBlank ? "Say it with --\(name)" : ""
        )
    }
}
