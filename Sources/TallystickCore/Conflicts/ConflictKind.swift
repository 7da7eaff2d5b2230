/// Kinds of conflict. The raw values are part of the file format.
public enum ConflictKind: String, Sendable, CaseIterable {
    case payloadDiffers = "payload_differs"
    case metadataDiffers = "metadata_differs"
    case equivocation
    case missingAtOrigin = "missing_at_origin"
    case originSilent = "origin_silent"
    case lateArrival = "late_arrival"
    case sequenceGap = "sequence_gap"
    case sequenceCollision = "sequence_collision"
    case unverifiable
    case tamperedAtRest = "tampered_at_rest"

    /// Whether the conflict is about a missing delivery.
    public var isOverAbsence: Bool {
        switch self {
        case .missingAtOrigin, .originSilent, .lateArrival, .sequenceGap: true
        default: false
        }
    }

    /// Whether late copies end the conflict, by a `late_arrival`.
    public var isEndedByLateArrival: Bool { self == .missingAtOrigin || self == .originSilent }

    /// Whether the conflict is about a stored record that failed a proof. Sampling never leaves out such a conflict.
    public var isOverDamage: Bool { self == .tamperedAtRest || self == .unverifiable }

    /// Whether the conflict is about the content of the event at a position.
    public var isOverContent: Bool {
        switch self {
        case .payloadDiffers, .metadataDiffers, .equivocation: true
        default: false
        }
    }
}

/// The effect of a resolution on its event. The raw values are part of the file format.
public enum Decision: String, Sendable, CaseIterable {
    /// One candidate's content is effective.
    case take
    /// Content that no origin delivered as a whole is effective.
    case merge
    /// The event is excluded.
    case exclude
    /// The event stands although an origin did not deliver it.
    case acceptMissing = "accept_missing"
}
